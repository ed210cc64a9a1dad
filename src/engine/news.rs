//! News of a pod: its supervisor tells everyone who listens when it has recorded something.

use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::installation::Engine;
use super::paths::Paths;
use super::protocol;
use crate::names::PodId;

/// How long a silent supervisor is believed before whoever listens looks for himself.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How often somebody looks where nobody tells anything: a pod that has no supervisor may get one.
const LOOK: Duration = Duration::from_millis(100);

/// Whoever waits for something to happen to a pod.
#[derive(Debug)]
pub struct News<'a> {
    paths: &'a Paths,
    pod: PodId,
    line: Option<UnixStream>,
}

impl Engine {
    /// Begins to listen for news of a pod: what is recorded from now on is not missed.
    #[must_use]
    pub fn news_of(&self, pod: &PodId) -> News<'_> {
        let mut news = News {
            paths: &self.paths,
            pod: pod.clone(),
            line: None,
        };
        news.connect();
        news
    }
}

impl News<'_> {
    /// Waits until there may be something new to see.
    pub fn wait(&mut self) {
        self.wait_or(None);
    }

    /// Waits until there may be something new to see, or something else can be read; tells whether that can.
    pub fn wait_or(&mut self, other: Option<BorrowedFd<'_>>) -> bool {
        let patience = if self.line.is_some() {
            LOOK_AGAIN
        } else {
            LOOK
        };
        let line = self.line.as_ref().map(UnixStream::as_fd);
        let sources = other.into_iter().chain(line);
        let mut sources: Vec<_> = sources
            .map(|source| PollFd::new(source, PollFlags::POLLIN))
            .collect();
        // An interrupted wait looks again, as one that took long does.
        let _ = poll(
            &mut sources,
            PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX),
        );
        let called = other.is_some() && sources[0].any().unwrap_or(true);
        let mut line = self.line.as_mut();
        if !line
            .as_mut()
            .is_some_and(|line| protocol::has_news(line, Duration::ZERO))
        {
            self.connect();
        }
        called
    }

    fn connect(&mut self) {
        self.line = protocol::connect(self.paths, &self.pod).ok();
    }
}
