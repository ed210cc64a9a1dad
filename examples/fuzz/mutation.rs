//! New inputs from old ones.

/// A small source of chance (xorshift64*), the same for the same seed.
pub(crate) struct Chance(u64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Returns a number below `end`, which is not zero.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let end = u64::try_from(end.max(1)).unwrap_or(1);
        usize::try_from((self.next() >> 11) % end).unwrap_or(0)
    }

    fn one<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        list.get(self.below(list.len()))
    }
}

/// What YAML and the rules decide by, besides the words of the seeds.
const TOKENS: &[&str] = &[
    ": ",
    "- ",
    "? ",
    "{",
    "}",
    "[",
    "]",
    ", ",
    "&a ",
    "*a",
    "<<: ",
    "<<: *a",
    "!!str ",
    "!!binary ",
    "!!int ",
    "!a ",
    "|\n",
    ">-\n",
    "\"",
    "'",
    "#",
    "\n---\n",
    "\n...\n",
    "%YAML 1.1\n",
    "\t",
    "\r\n",
    "\u{feff}",
    "\0",
    "\u{85}",
    "~",
    "null",
    "yes",
    "off",
    "0644",
    "0o17",
    "0x1F",
    "1e3",
    ".inf",
    ".5",
    "-1",
    "0",
    "65536",
    "2147483648",
    "9223372036854775808",
    "99999999999999999999",
    "1.5Gi",
    "100m",
    "-1Ki",
    "1e999",
    "..",
    "/",
    "../a",
    "a/b/c",
    "A_B",
    "é",
    "*.a",
    "10.0.0.1",
    "::1",
    "::ffff:1.2.3.4",
    "10.0.0.0/33",
    "50%",
    "101%",
    "@every 1h",
    "*/0 * * * *",
    "metadata.labels['a']",
    "\\u0041",
    "\\x",
    "{{ .a }}",
    "true",
    "items:\n",
    "kind: List\n",
];

/// The longest input that is made.
const LONGEST: usize = 3000;

/// Returns the words of the seeds, each once.
pub(crate) fn words(seeds: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte);
    let mut words: Vec<Vec<u8>> = seeds
        .iter()
        .flat_map(|seed| seed.split(|byte| !is_inner(*byte)))
        .filter(|word| (2..40).contains(&word.len()))
        .map(<[u8]>::to_vec)
        .collect();
    words.sort();
    words.dedup();
    words.extend(TOKENS.iter().map(|token| token.as_bytes().to_vec()));
    words
}

/// Changes an input in a few places.
pub(crate) fn mutate(
    input: &[u8],
    corpus: &[Vec<u8>],
    words: &[Vec<u8>],
    chance: &mut Chance,
) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=chance.below(4) {
        once(&mut bytes, corpus, words, chance);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn once(bytes: &mut Vec<u8>, corpus: &[Vec<u8>], words: &[Vec<u8>], chance: &mut Chance) {
    let at = chance.below(bytes.len() + 1);
    let end = (at + chance.below(24)).min(bytes.len());
    match chance.below(10) {
        0 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << chance.below(8);
            }
        }
        1 => drop(bytes.drain(at..end)),
        2 => {
            let part = bytes[at..end].to_vec();
            let to = chance.below(bytes.len() + 1);
            bytes.splice(to..to, part);
        }
        3..=5 => {
            if let Some(word) = chance.one(words) {
                bytes.splice(at..at, word.iter().copied());
            }
        }
        6 | 7 => replace_word(bytes, at, words, chance),
        8 => move_line(bytes, at, chance),
        _ => {
            if let Some(other) = chance.one(corpus) {
                let from = chance.below(other.len() + 1);
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
}

/// Puts another word in the place of the one that stands at `at`.
fn replace_word(bytes: &mut Vec<u8>, at: usize, words: &[Vec<u8>], chance: &mut Chance) {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric();
    let before = bytes[..at].iter().rev().take_while(|byte| is_word(byte));
    let (start, after) = (at - before.count(), bytes[at..].iter());
    let end = at + after.take_while(|byte| is_word(byte)).count();
    if let Some(word) = chance.one(words) {
        bytes.splice(start..end, word.iter().copied());
    }
}

/// Takes the line at `at` elsewhere, deeper or less deep at times.
fn move_line(bytes: &mut Vec<u8>, at: usize, chance: &mut Chance) {
    let start = bytes[..at].iter().rposition(|byte| *byte == b'\n');
    let start = start.map_or(0, |start| start + 1);
    let end = bytes[at..].iter().position(|byte| *byte == b'\n');
    let end = end.map_or(bytes.len(), |end| at + end + 1);
    let mut line: Vec<u8> = bytes.drain(start..end).collect();
    match chance.below(3) {
        0 => drop(line.splice(0..0, *b"  ")),
        1 if line.starts_with(b"  ") => drop(line.drain(..2)),
        _ => {}
    }
    let to = chance.below(bytes.len() + 1);
    let to = bytes[..to].iter().rposition(|byte| *byte == b'\n');
    let to = to.map_or(0, |to| to + 1);
    bytes.splice(to..to, line);
}
