//! The commands that are connected: each of their bytes rings, and each is told when something was recorded.

use std::io;

use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedSender;

use super::{Note, Supervisor};
use crate::sys::socket;

impl Supervisor {
    pub(super) fn welcome(&mut self, stream: UnixStream) {
        let Ok(stream) = stream.into_std() else {
            return;
        };
        let allowed = socket::peer_uid(&stream)
            .is_ok_and(|uid| uid == nix::unistd::geteuid().as_raw() || uid == 0);
        let Ok(stream) = UnixStream::from_std(stream) else {
            return;
        };
        if !allowed {
            return;
        }
        let client = self.next_client;
        self.next_client += 1;
        let (reader, writer) = stream.into_split();
        self.clients.insert(client, writer);
        let sender = self.sender.clone();
        tokio::spawn(async move {
            listen(reader, &sender).await;
            let _ = sender.send(Note::ClientGone(client));
        });
    }

    pub(super) fn tell_clients(&mut self) {
        // A client whose buffer is full has news enough to read.
        for writer in self.clients.values() {
            let _ = writer.try_write(b".");
        }
    }
}

/// Turns each byte of a command into a ring, until it goes.
async fn listen(reader: tokio::net::unix::OwnedReadHalf, sender: &UnboundedSender<Note>) {
    let mut buffer = [0u8; 64];
    while reader.readable().await.is_ok() {
        match reader.try_read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {
                let _ = sender.send(Note::Ring);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}
