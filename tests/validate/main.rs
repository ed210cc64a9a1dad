//! `kube validate` as a whole: the program is run on files and its output is read as its readers would.

mod across;
mod custom;
mod explain;
mod host;
mod inputs;
mod outputs;
mod selection;
mod support;
mod suppression;
mod versions;
