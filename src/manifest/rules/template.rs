//! Pod templates, as workloads hold them.

use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::scope::{Scope, Subject};
use super::{annotations, metadata, pod};
use crate::manifest::source::{At, Findings};

/// The parts of a template, empty ones where they are absent.
pub(super) struct Template {
    pub meta: ObjectMeta,
    pub spec: PodSpec,
}

impl From<&PodTemplateSpec> for Template {
    fn from(template: &PodTemplateSpec) -> Self {
        Self {
            meta: template.metadata.clone().unwrap_or_default(),
            spec: template.spec.clone().unwrap_or_default(),
        }
    }
}

impl Template {
    /// Checks the template; `claims` are volumes that each pod gets besides its own.
    ///
    /// The server blames labels and annotations on `template.labels` and `template.annotations`,
    /// fields that do not exist; here the paths go through `metadata`.
    pub(super) fn check(&self, claims: &[&str], at: &At<'_>, found: &mut Findings) {
        let meta_at = at.field("metadata");
        if let Some(labels) = &self.meta.labels {
            metadata::labels(labels, &meta_at.field("labels"), found);
        }
        let annotations_at = meta_at.field("annotations");
        if let Some(map) = &self.meta.annotations {
            metadata::annotations(map, &annotations_at, found);
        }
        annotations::of_pod(&self.meta, &self.spec, &annotations_at, found);
        let mut scope = Scope::new(&self.spec, Subject::Template);
        scope.add_claims(claims);
        let spec_at = at.field("spec");
        pod::pod_spec(scope, "", &spec_at, found);
        annotations::match_fields(&self.meta, &self.spec, &spec_at, found);
    }
}
