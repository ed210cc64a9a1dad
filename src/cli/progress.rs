//! Shows how far pulls and pushes are: bars on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::tell;
use crate::image::registry::{BlobEnd, BlobProgress, Progress, Silent};
use crate::names::{Digest, ImageRef};

/// What is being done, in the words of its lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Pull,
    Push,
}

/// Returns what fits standard error; nothing is told when `quiet`.
pub(super) fn progress(doing: Doing, quiet: bool) -> Box<dyn Progress> {
    if quiet {
        return Box::new(Silent);
    }
    if !std::io::stderr().is_terminal() {
        return Box::new(Lines(doing));
    }
    Box::new(Bars {
        doing,
        all: MultiProgress::with_draw_target(ProgressDrawTarget::stderr()),
    })
}

fn first_line(doing: Doing, image: &ImageRef) -> String {
    match doing {
        Doing::Pull => format!("Trying to pull {image}..."),
        Doing::Push => format!("Pushing {image}..."),
    }
}

/// The first digits of a digest, which tell blobs apart.
fn short(digest: &Digest) -> &str {
    &digest.hex()[..12]
}

/// One line when something begins or ends.
struct Lines(Doing);

struct Line(String);

impl Progress for Lines {
    fn begins(&self, image: &ImageRef) {
        tell(&first_line(self.0, image));
    }

    fn blob(&self, digest: &Digest, _: u64) -> Box<dyn BlobProgress + '_> {
        Box::new(Line(digest.to_string()))
    }

    fn note(&self, text: &str) {
        tell(text);
    }
}

impl BlobProgress for Line {
    fn advanced(&self, _: u64) {}

    fn ended(&self, end: BlobEnd) {
        let digest = &self.0;
        match end {
            BlobEnd::Done => tell(&format!("Copying blob {digest} done")),
            BlobEnd::Known => tell(&format!("Copying blob {digest} skipped: already exists")),
            // The error itself tells why.
            BlobEnd::Failed => {}
        }
    }
}

/// One bar a blob.
struct Bars {
    doing: Doing,
    all: MultiProgress,
}

struct Bar(ProgressBar);

impl Progress for Bars {
    fn begins(&self, image: &ImageRef) {
        self.note(&first_line(self.doing, image));
    }

    fn blob(&self, digest: &Digest, size: u64) -> Box<dyn BlobProgress + '_> {
        let bar = self.all.add(ProgressBar::new(size));
        let style = ProgressStyle::with_template(
            "Copying blob {prefix} [{bar:30}] {bytes:>10} / {total_bytes} {bytes_per_sec} {msg}",
        );
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_prefix(short(digest).to_owned());
        Box::new(Bar(bar))
    }

    fn note(&self, text: &str) {
        // When the terminal is gone, nobody is left to be told.
        let _ = self.all.println(text);
    }
}

impl BlobProgress for Bar {
    fn advanced(&self, bytes: u64) {
        self.0.inc(bytes);
    }

    fn ended(&self, end: BlobEnd) {
        let bar = &self.0;
        match end {
            BlobEnd::Done => bar.finish_with_message("done"),
            BlobEnd::Known => bar.finish_with_message("already exists"),
            BlobEnd::Failed => bar.abandon_with_message("failed"),
        }
    }
}
