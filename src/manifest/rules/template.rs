//! Pod templates, as workloads hold them.

use std::borrow::Cow;

use k8s_openapi::api::core::v1::{PodSpec, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::annotations::PodOrTemplate;
use super::fault::or_empty;
use super::scope::{Scope, Subject};
use super::{annotations, metadata, pod};
use crate::manifest::source::{At, Findings};

/// The parts of a template, empty ones where they are absent.
pub(super) struct Template<'t> {
    pub meta: Cow<'t, ObjectMeta>,
    pub spec: Cow<'t, PodSpec>,
}

impl<'t> From<&'t PodTemplateSpec> for Template<'t> {
    fn from(template: &'t PodTemplateSpec) -> Self {
        Self {
            meta: or_empty(&template.metadata),
            spec: or_empty(&template.spec),
        }
    }
}

impl Template<'_> {
    /// Checks the template; `claims` are volumes that each pod gets besides its own.
    ///
    /// The server blames labels and annotations on `template.labels` and `template.annotations`,
    /// fields that do not exist.
    pub(super) fn check(&self, claims: &[&str], at: &At<'_>, found: &mut Findings) {
        let meta_at = at.field("metadata");
        if let Some(labels) = &self.meta.labels {
            let labels_at = meta_at.field("labels");
            metadata::labels(labels, &at.shown_as(".labels", &labels_at), found);
        }
        let annotations_at = meta_at.field("annotations");
        let annotations_at = at.shown_as(".annotations", &annotations_at);
        if let Some(map) = &self.meta.annotations {
            metadata::annotations(map, &annotations_at, found);
        }
        annotations::of_pod(&self.meta, &self.spec, &annotations_at, found);
        let mut scope = Scope::new(&self.spec, Subject::Template);
        scope.add_claims(claims);
        let spec_at = at.field("spec");
        pod::pod_spec(scope, "", &spec_at, found);
        annotations::match_fields(
            (PodOrTemplate::Template, &self.meta, &self.spec),
            &spec_at,
            found,
        );
    }
}
