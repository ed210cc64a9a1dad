//! Whole pods, played by the program itself on a host of their own. Needs root.

#[expect(dead_code, reason = "each test binary needs a part of it")]
#[path = "../support/network.rs"]
mod network;
#[expect(dead_code, reason = "each test binary needs a part of it")]
#[path = "../support/run.rs"]
mod run;

mod bad_input;
mod behaviours;
mod check;
mod completion;
mod copying;
mod corpus;
mod events;
mod faults;
mod flags;
mod foreground;
mod generate;
mod host;
mod image;
mod kills;
mod lifecycle;
mod networks;
mod pausing;
mod played;
mod podman;
mod probes;
mod replace;
mod secrets;
mod settings;
mod sources;
mod targets;
mod together;
mod traces;
mod volumes;
mod watching;
