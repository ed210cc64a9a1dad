//! Values drawn from bytes: fewer and smaller bytes give simpler values.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use podwright::model::container::PullPolicy;
use podwright::model::quantity::{Bytes, MilliCpu, Seconds};
use podwright::model::volume::FileMode;

/// Texts that a careless writer of YAML turns into something else.
pub(crate) const HARD_TEXTS: &[&str] = &[
    "",
    "yes",
    "no",
    "on",
    "off",
    "y",
    "n",
    "true",
    "~",
    "null",
    "Null",
    "0123",
    "0o17",
    "0x1F",
    "0b11",
    "1e3",
    "1.",
    ".5",
    "1_000",
    "+1",
    "-1",
    ".inf",
    ".NaN",
    "1:30",
    "2001-01-01",
    "=",
    "<<",
    "!tag",
    "&a",
    "*a",
    "%x",
    "@x",
    "`x",
    "- a",
    "a: b",
    "a #b",
    "#a",
    "'",
    "\"",
    "{a}",
    "[a]",
    "a\nb",
    "a\n",
    "\n",
    " a",
    "a ",
    "\ta",
    "a\tb",
    "ü",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{feff}",
    "\u{1}",
    "\u{1f600}",
    "---",
    "...",
    "?",
    "? a",
    ":",
    "a:",
    ",",
    "|",
    ">",
    "\\",
    "a\r\nb",
    "a\n\n b",
    "Yes",
    "NO",
    "1e3_0",
    "0_1",
    "12e03",
    "1.5e+3",
    "08",
    "-0",
    "0.0",
    "infinity",
    "nan",
    "True",
    "FALSE",
];

/// Bytes to draw from; where none are left, each draw is the simplest.
pub(crate) struct Draw<'b>(pub(crate) &'b [u8]);

impl Draw<'_> {
    pub(crate) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    pub(crate) fn bool(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    pub(crate) fn number(&mut self, least: u64, most: u64) -> u64 {
        let wide = (0..4).fold(0, |wide, _| wide << 8 | u64::from(self.byte()));
        least + wide % (most - least + 1)
    }

    pub(crate) fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[usize::from(self.byte()) % choices.len()].clone()
    }

    pub(crate) fn some<T>(&mut self, draw: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.bool().then(|| draw(self))
    }

    pub(crate) fn list<T>(&mut self, mut draw: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.byte() % 4).map(|_| draw(self)).collect()
    }

    /// Draws a list with at least one item.
    pub(crate) fn filled<T>(&mut self, mut draw: impl FnMut(&mut Self) -> T) -> Vec<T> {
        let mut list = vec![draw(self)];
        list.extend(self.list(draw));
        list
    }

    pub(crate) fn text(&mut self) -> String {
        self.pick(HARD_TEXTS).to_owned()
    }

    pub(crate) fn some_text(&mut self) -> String {
        format!("t{}", self.text())
    }

    pub(crate) fn word(&mut self) -> String {
        self.pick(&[
            "a", "b1", "yes", "no", "0123", "1e3", "null", "x-y", "true", "12", "on",
        ])
        .to_owned()
    }

    pub(crate) fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(&mut self) -> T {
        self.word().parse().unwrap()
    }

    pub(crate) fn path(&mut self) -> PathBuf {
        format!("/{}", self.word()).into()
    }

    pub(crate) fn seconds(&mut self) -> Seconds {
        Seconds(self.number(0, 100_000))
    }

    pub(crate) fn positive(&mut self) -> Seconds {
        Seconds(self.number(1, 3600))
    }

    pub(crate) fn id(&mut self) -> u32 {
        u32::try_from(self.number(0, 0x7fff_ffff)).unwrap()
    }

    pub(crate) fn count(&mut self) -> u32 {
        u32::try_from(self.number(1, 1000)).unwrap()
    }

    pub(crate) fn port(&mut self) -> u16 {
        u16::try_from(self.number(1, 65535)).unwrap()
    }

    pub(crate) fn bytes(&mut self) -> Bytes {
        let unit = self.pick(&[1, 1000, 1 << 10, 1 << 20, 1 << 30]);
        Bytes(self.number(0, 5000) * unit)
    }

    pub(crate) fn cpu(&mut self) -> MilliCpu {
        MilliCpu(self.number(0, 64_000))
    }

    pub(crate) fn ip(&mut self) -> IpAddr {
        self.pick(&["10.0.0.1", "::1", "192.0.2.7", "2001:db8::1", "0.0.0.0"])
            .parse()
            .unwrap()
    }

    pub(crate) fn map(&mut self) -> BTreeMap<String, String> {
        let pairs = self.list(|draw| (draw.word(), draw.text()));
        pairs.into_iter().collect()
    }

    pub(crate) fn mode(&mut self) -> FileMode {
        FileMode(u16::try_from(self.number(0, 0o777)).unwrap())
    }

    pub(crate) fn pull(&mut self) -> PullPolicy {
        self.pick(&[
            PullPolicy::Always,
            PullPolicy::IfNotPresent,
            PullPolicy::Never,
            PullPolicy::Newer,
        ])
    }

    pub(crate) fn image<T: std::str::FromStr<Err: std::fmt::Debug>>(&mut self) -> T {
        self.pick(&[
            "nginx",
            "localhost/a:latest",
            "a.example:5000/b/c:v1",
            "a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        ])
        .parse()
        .unwrap()
    }
}
