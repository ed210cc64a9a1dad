//! Gives the model back as Kubernetes objects, and those as YAML.
//!
//! Every struct of the model is taken apart without `..`, so that a new field does not compile until it
//! has its way out. What Kubernetes has no words for is in [`Generated::options`]: a play of the pod with
//! these options is the same pod again (`translate(generate(spec)) == spec`).

mod container;
mod documents;
mod env;
mod pod;
mod probe;
mod security;
mod volume;
mod yaml;

use k8s_openapi::api::core::v1;

use crate::model::pod::PodSpec;

use super::options::PlayOptions;

pub use documents::{Controller, GenerateError, GenerateOptions, documents};

/// A pod in Kubernetes' words, and the choices of a play that go with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Generated {
    pub pod: v1::Pod,
    pub options: PlayOptions,
}

/// Gives back the manifest of a pod.
#[must_use]
pub fn generate(spec: &PodSpec) -> Generated {
    pod::pod(spec)
}

/// Returns a list that is not empty.
fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
    (!list.is_empty()).then_some(list)
}

/// Returns a value that is not the default.
fn unless<T: PartialEq>(value: T, default: &T) -> Option<T> {
    (value != *default).then_some(value)
}

/// Returns a path as text; manifests are text, and so were the paths in them.
fn text(path: &std::path::Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Returns a number of seconds as Kubernetes' type, which has room for more years than there are.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// As [`signed`], for Kubernetes' narrower type.
fn narrow(number: u64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}
