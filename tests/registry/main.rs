//! Images from and to Debian's `docker-registry`, by the program.

#[expect(dead_code, reason = "each test binary needs a part of it")]
#[path = "../support/network.rs"]
mod network;
#[path = "../support/run.rs"]
mod run;

mod access;
mod care;
mod gateway;
mod hostile;
mod image;
mod kills;
mod play;
mod policy;
mod pull;
mod push;
mod site;
