//! `kube validate`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::manifest::{KindPattern, KubernetesVersion};

/// Arguments of `kube validate`.
#[derive(Debug, Args)]
pub struct Validate {
    /// Files, directories and all below them, patterns, addresses, or `-` for standard input
    ///
    /// In directories, files that git would ignore are passed over, and those that a .podwrightignore names.
    #[arg(required = true, value_name = "FILE|DIR|PATTERN|URL|-")]
    pub files: Vec<PathBuf>,
    /// Version of Kubernetes whose kinds and fields there are, 1.25 to 1.37
    #[arg(long, value_name = "VERSION", value_parser = KubernetesVersion::parse, default_value_t = KubernetesVersion::RULES)]
    pub kubernetes_version: KubernetesVersion,
    /// What the manifests are meant for
    #[arg(long, value_enum, default_value_t = Target::Cluster, value_name = "TARGET")]
    pub target: Target,
    /// Count warnings as errors
    #[arg(long)]
    pub strict: bool,
    /// Read CustomResourceDefinitions from a file or directory; those among the manifests are known anyway
    #[arg(long, value_name = "FILE|DIR")]
    pub crd: Vec<PathBuf>,
    /// Leave kinds unchecked that are neither built in nor defined
    #[arg(long)]
    pub ignore_missing_schemas: bool,
    /// Take no notice of objects of this kind: `KIND` or `API-VERSION/KIND`
    #[arg(long, value_name = "KIND", value_parser = KindPattern::parse, value_delimiter = ',')]
    pub skip: Vec<KindPattern>,
    /// Refuse objects of this kind
    #[arg(long, value_name = "KIND", value_parser = KindPattern::parse, value_delimiter = ',')]
    pub reject: Vec<KindPattern>,
    /// Take what the manifests name and do not hold for applied elsewhere, and do not warn of it
    #[arg(long)]
    pub partial: bool,
    /// Form of the output
    #[arg(short, long, value_enum, default_value_t = ReportForm::Text, value_name = "FORM")]
    pub output: ReportForm,
    /// Tell how many objects are valid, on standard error if the output is for a program
    #[arg(long)]
    pub summary: bool,
}

/// What manifests are meant for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// Any Kubernetes: the API server's verdict
    Cluster,
    /// `kube play` on this host: also what it does not honour, and what this host lacks
    Host,
}

/// The form of a list of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportForm {
    /// For a person: the line, and what to do
    Text,
    /// A list with a row for each finding
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit's XML, a case for each object
    Junit,
    /// Annotations of a GitHub workflow
    Github,
}
