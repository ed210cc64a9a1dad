//! Reads Kubernetes YAML and JSON into trusted objects, each problem with its position.
//!
//! [`read`] is the way in: sources to documents to objects, with what is wrong about syntax and structure.
//! A text is read as kubectl and the API server read it (go-yaml's YAML 1.1: `yes` is a boolean, `0644` is
//! octal), however hostile it is. [`Report`] shows findings with their source lines.
//!
//! ```
//! use podwright::manifest::{Object, ReadOptions, Report, Source, read};
//!
//! let text = "\
//! apiVersion: v1
//! kind: Pod
//! metadata:
//!   name: web
//! spec:
//!   containers:
//!   - name: web
//!     image: nginx
//!     env:
//!     - name: DEBUG
//!       value: yes
//! ";
//! let reading = read(&[Source::new("web.yaml", text)], &ReadOptions::default());
//! assert!(reading.has_errors());
//! assert_eq!(
//!     Report(&reading.findings).to_string(),
//!     "\
//! error: pod `web`: spec.containers[0].env[0].value: json: cannot unmarshal bool into Go struct field \
//! EnvVar.spec.containers.env.value of type string
//!   --> web.yaml:11:14  (spec.containers[0].env[0].value)
//!    |
//! 11 |       value: yes
//!    |              ^^^
//!   help: quote it: `\"yes\"`; without quotes YAML 1.1 reads `yes` as true
//! "
//! );
//!
//! let text = text.replace("yes", "\"yes\"");
//! let reading = read(&[Source::new("web.yaml", text)], &ReadOptions::default());
//! assert!(matches!(reading.objects[0].object, Some(Object::Pod(_))));
//! ```
//!
//! [`validate`] is the whole check, for one version of Kubernetes: structure, the API server's rules, custom kinds
//! with their definitions, and the documents against each other. [`report`] has its findings in the forms that
//! tools read.
//!
//! ```
//! use podwright::manifest::report::Row;
//! use podwright::manifest::{KubernetesVersion, Source, ValidateOptions, validate};
//!
//! let text = "apiVersion: batch/v1beta1\nkind: CronJob\nmetadata: {name: nightly}\n";
//! let options = ValidateOptions {
//!     kubernetes: KubernetesVersion::parse("1.34")?,
//!     ..ValidateOptions::default()
//! };
//! let verdict = validate(&[Source::new("cron.yaml", text)], &options);
//! let rows: Vec<Row<'_>> = verdict.findings.iter().map(Row::of).collect();
//! assert_eq!((rows[0].line, rows[0].column, rows[0].r#type), (1, 13, "UnknownKind"));
//! assert_eq!(rows[0].help, Some("write `apiVersion: batch/v1`"));
//! # Ok::<(), podwright::manifest::UnknownVersion>(())
//! ```
#![forbid(unsafe_code)]

pub(crate) mod base64;
mod checked;
mod crd;
pub mod decode;
pub mod document;
mod excerpt;
mod fault;
mod input;
mod packed;
mod pieces;
mod read;
pub mod report;
pub mod rules;
pub mod schema;
mod selection;
mod sorted;
pub mod source;
mod suggest;
pub mod suppress;
pub mod text;
mod validate;
mod verdict;
pub mod yaml;

pub use crd::CustomKinds;
pub use decode::{KINDS, Object};
pub use document::Document;
pub use excerpt::Excerpt;
pub use input::Input;
pub use read::{Kinds, Read, ReadOptions, Reading, UnknownFields, read};
pub use report::Report;
pub use schema::{ExplainError, Explained, KubernetesVersion, Subfield, UnknownVersion, explain};
pub use selection::KindPattern;
pub use sorted::Lost;
pub use source::{At, FieldPath, Finding, FindingType, Findings, Located, Severity, Span, Step};
pub use text::Source;
pub use validate::{Extent, MissingSchemas, Objects, ValidateOptions, Validation, validate};
pub use verdict::{Named, Names, Verdict};
