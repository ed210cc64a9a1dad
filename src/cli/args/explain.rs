//! `kube explain`.

use clap::{Args, ValueEnum};

use crate::manifest::KubernetesVersion;

/// Arguments of `kube explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// Kind, or a field of one: `pod.spec.containers.image`
    #[arg(required = true, value_name = "KIND[.FIELD...]")]
    pub name: String,
    /// Version of Kubernetes, 1.25 to 1.37
    #[arg(long, value_name = "VERSION", value_parser = KubernetesVersion::parse, default_value_t = KubernetesVersion::RULES)]
    pub kubernetes_version: KubernetesVersion,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = ExplainForm::Text, value_name = "FORM")]
    pub output: ExplainForm,
}

/// The form of an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExplainForm {
    Text,
    Json,
}
