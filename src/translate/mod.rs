//! Turns Kubernetes objects into the model: the one layer that names both.
//!
//! Every Kubernetes struct is taken apart field by field, without `..`: a field that a new API
//! version brings does not compile until somebody decided whether it is translated, means nothing
//! on a single host, or is *not honoured yet*, which is a warning at its place and never silence.
//! Nothing here touches the host or reads a clock: what the command line adds is in [`PlayOptions`].
#![forbid(unsafe_code)]

mod annotations;
mod application;
mod config;
mod container;
mod env;
mod generate;
mod infra;
mod metadata;
mod mount;
mod network;
mod notes;
mod options;
mod played;
mod pod;
mod probe;
mod projection;
mod reading;
mod resources;
mod security;
mod volume;
mod workload;

pub use application::{Application, Translated, Translation, translate};
pub use config::{ConfigMapData, SecretData, SecretValue};
pub use generate::{Controller, GenerateError, GenerateOptions, Generated, documents, generate};
pub use options::{
    NetworkChoice, OptionError, PlayOptions, parse_mac, parse_network, parse_publish,
};
pub use played::{Played, played};
pub use reading::{Origins, TranslatedReading, translate_reading};
