//! Whole pods, played by the program itself on a host of their own. Needs root.

mod bad_input;
mod behaviours;
mod check;
mod completion;
mod corpus;
mod faults;
mod flags;
mod foreground;
mod generate;
mod host;
mod image;
mod kills;
mod lifecycle;
mod pausing;
mod played;
mod podman;
mod probes;
mod replace;
mod settings;
mod sources;
mod targets;
mod together;
mod traces;
mod volumes;
mod watching;
