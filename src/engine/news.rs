//! News of a pod: its supervisor tells everyone who listens when it has recorded something.

use std::os::unix::net::UnixStream;
use std::time::Duration;

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
        match &mut self.line {
            Some(line) => {
                if !protocol::has_news(line, LOOK_AGAIN) {
                    self.connect();
                }
            }
            None => {
                std::thread::sleep(LOOK);
                self.connect();
            }
        }
    }

    fn connect(&mut self) {
        self.line = protocol::connect(self.paths, &self.pod).ok();
    }
}
