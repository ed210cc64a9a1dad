//! Resource claims of a pod and the containers that use them (KEP-4381).

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{PodResourceClaim, ResourceClaim};

use super::fault::{Faults as _, Shown};
use super::names;
use super::scope::Scope;
use crate::manifest::source::{At, FindingType, Findings};

/// As many names are shown where one is missing.
const MOST_SHOWN: usize = 20;

/// Checks the claims of a pod.
pub(super) fn of_pod(claims: &[PodResourceClaim], at: &At<'_>, found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, claim) in claims.iter().enumerate() {
        let at = at.index(index);
        let name_at = at.field("name");
        if claim.name.is_empty() {
            found.required(&name_at, "");
        } else if !seen.insert(&claim.name) {
            found.duplicate(&name_at, &claim.name);
        } else {
            found.invalid_each(&name_at, &claim.name, names::dns_label(&claim.name));
        }
        source(claim, &at, found);
    }
}

fn source(claim: &PodResourceClaim, at: &At<'_>, found: &mut Findings) {
    match (
        &claim.resource_claim_name,
        &claim.resource_claim_template_name,
    ) {
        (Some(_), Some(_)) => found.invalid(
            at,
            Shown::json(claim),
            "at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified",
        ),
        (None, None) => found.invalid(
            at,
            Shown::json(claim),
            "must specify one of: `resourceClaimName`, `resourceClaimTemplateName`",
        ),
        _ => {}
    }
    if let Some(name) = &claim.resource_claim_name {
        let at = at.field("resourceClaimName");
        found.invalid_each(&at, name, names::dns_subdomain(name));
    }
    if let Some(name) = &claim.resource_claim_template_name {
        let at = at.field("resourceClaimTemplateName");
        found.invalid_each(&at, name, names::dns_subdomain(name));
    }
}

/// Checks that a container uses claims of its pod, each once.
pub(super) fn of_container(
    claims: &[ResourceClaim],
    scope: &Scope<'_>,
    at: &At<'_>,
    found: &mut Findings,
) {
    let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (index, claim) in claims.iter().enumerate() {
        let at = at.index(index);
        let name = claim.name.as_str();
        if name.is_empty() {
            found.required(&at, "");
            continue;
        }
        let request = claim.request.as_deref().unwrap_or_default();
        if !request.is_empty() {
            let wrong = names::dns_label(request);
            found.invalid_each(&at.field("request"), request, wrong);
        }
        // without a request, a claim stands for all its requests
        let requests = seen.entry(name).or_default();
        let is_whole = request.is_empty() && !requests.is_empty();
        if is_whole || requests.contains("") || requests.contains(request) {
            found.duplicate(&at, name);
        }
        requests.insert(request);
        if !scope.claims.contains(name) {
            let name_at = at.field("name");
            let at = at.shown_as("", &name_at);
            found.error(FindingType::NotFound, &at, unknown(name, scope));
        }
    }
}

fn unknown(name: &str, scope: &Scope<'_>) -> String {
    let known: Vec<&str> = scope.claims.iter().copied().take(MOST_SHOWN).collect();
    let known = if known.is_empty() {
        " which is empty".to_owned()
    } else {
        format!(": {}", known.join(", "))
    };
    format!("Not found: {name:?}: must be one of the names in pod.spec.resourceClaims{known}")
}
