//! Resource requests and limits, of containers and of whole pods (KEP-2837).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::fault::{Faults as _, NEGATIVE, items};
use super::names;
use super::quantity::{self, Amount};
use super::scope::Subject;
use crate::manifest::source::{At, Findings};

type Quantities = BTreeMap<String, Quantity>;
type Amounts<'a> = BTreeMap<&'a str, Amount>;
type NameCheck = fn(&str, &At<'_>, &mut Findings);

const HUGE_PAGES: &str = "hugepages-";
/// What is counted in whole numbers, the first nine; all are standard resources.
const STANDARD: [&str; 20] = [
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "services.nodeports",
    "services.loadbalancers",
    "cpu",
    "memory",
    "ephemeral-storage",
    "requests.cpu",
    "requests.memory",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "storage",
    "requests.storage",
];
const COUNTED: usize = 9;
const OF_CONTAINERS: [&str; 3] = ["cpu", "memory", "ephemeral-storage"];
const POD_LEVEL: [&str; 3] = ["cpu", HUGE_PAGES, "memory"];

/// Checks the limits and requests of a container.
///
/// A request that breaks a limit is blamed on that request, not on all of them as upstream.
pub(super) fn of_container(
    resources: &ResourceRequirements,
    subject: Subject,
    at: &At<'_>,
    found: &mut Findings,
) {
    requirements(resources, container_name, subject, at, found);
}

/// Checks what a runtime class adds to a pod.
pub(super) fn overhead(overhead: &Quantities, at: &At<'_>, found: &mut Findings) {
    // the server checks it as if it were the limits of a container
    amounts(overhead, container_name, &at.shown_as(".limits", at), found);
}

/// Checks the resources of a whole pod, against those of its containers too.
pub(super) fn of_pod(
    spec: &PodSpec,
    resources: &ResourceRequirements,
    spec_at: &At<'_>,
    found: &mut Findings,
) {
    let (at, containers_at) = (&spec_at.field("resources"), spec_at.field("containers"));
    if resources.claims.is_some() {
        let message = "claims cannot be set for Resources at pod-level";
        found.forbidden(&at.field("claims"), message);
    }
    requirements(resources, pod_level_name, Subject::Template, at, found);
    for (name, request) in peek(&resources.requests) {
        let sum = sum_of_requests(spec, name);
        if sum > request {
            let message =
                format!("must be greater than or equal to aggregate container requests of {sum}");
            let at = at.field("requests");
            found.invalid(&at.key(name), &request.to_string(), &message);
        }
    }
    let most = peek(&resources.limits);
    for (index, container) in spec.containers.iter().enumerate() {
        let (at, list_at) = (at.field("containers"), containers_at.index(index));
        limits_within(container, &most, &at.index(index), &list_at, found);
    }
}

fn limits_within(
    container: &Container,
    most: &Amounts<'_>,
    at: &At<'_>,
    of_container: &At<'_>,
    found: &mut Findings,
) {
    let Some(resources) = &container.resources else {
        return;
    };
    for (name, limit) in peek(&resources.limits) {
        if let Some(most) = most.get(name).filter(|most| limit > **most) {
            let message = format!("must be less than or equal to pod limits of {most}");
            let resources_at = of_container.field("resources");
            let limits_at = resources_at.field("limits");
            let limit_at = limits_at.key(name);
            let shown = format!("[{name}].limits");
            let at = at.shown_as(&shown, &limit_at);
            found.invalid(&at, &limit.to_string(), &message);
        }
    }
}

fn sum_of_requests(spec: &PodSpec, name: &str) -> Amount {
    let request = |container: &Container| {
        let resources = container.resources.as_ref();
        let list = resources.and_then(|resources| resources.requests.as_ref());
        let quantity = list.and_then(|list| list.get(name))?;
        Amount::parse(&quantity.0).ok()
    };
    let is_sidecar = |container: &&Container| container.restart_policy.as_deref() == Some("Always");
    let sidecars = items(&spec.init_containers).iter().filter(is_sidecar);
    spec.containers
        .iter()
        .chain(sidecars)
        .filter_map(request)
        .fold(Amount::ZERO, Amount::plus)
}

fn requirements(
    resources: &ResourceRequirements,
    check_name: NameCheck,
    subject: Subject,
    at: &At<'_>,
    found: &mut Findings,
) {
    let empty = Quantities::new();
    let limits = resources.limits.as_ref().unwrap_or(&empty);
    let mut requests = resources.requests.clone().unwrap_or_default();
    if subject == Subject::Pod {
        // the server fills in what a pod does not request from its limits, and checks both
        for (name, limit) in limits {
            requests
                .entry(name.clone())
                .or_insert_with(|| limit.clone());
        }
    }
    let (requests_at, limits_at) = (at.field("requests"), at.field("limits"));
    let limits = amounts(limits, check_name, &limits_at, found);
    let written = resources.requests.as_ref().unwrap_or(&empty);
    let (own, filled): (Quantities, Quantities) = requests
        .into_iter()
        .partition(|(name, _)| written.contains_key(name));
    let own = amounts(&own, check_name, &requests_at, found);
    // what was filled in stands among the limits
    let filled_at = at.shown_as(".requests", &limits_at);
    let filled = amounts(&filled, check_name, &filled_at, found);
    let requests: Amounts<'_> = own.into_iter().chain(filled).collect();
    for (name, request) in &requests {
        match limits.get(name) {
            Some(limit) => within_limit(name, *request, *limit, &requests_at.key(name), found),
            None if may_overcommit(name) => {}
            None => found.required(
                &at.field("limits"),
                "Limit must be set for non overcommitable resources",
            ),
        }
    }
    let has = |test: fn(&str) -> bool| limits.keys().chain(requests.keys()).any(|name| test(name));
    if has(is_huge_page) && !has(|name| name == "cpu" || name == "memory") {
        found.forbidden(at, "HugePages require cpu or memory");
    }
}

fn within_limit(name: &str, request: Amount, limit: Amount, at: &At<'_>, found: &mut Findings) {
    let message = if request != limit && !may_overcommit(name) {
        format!("must be equal to {name} limit of {limit}")
    } else if request > limit {
        format!("must be less than or equal to {name} limit of {limit}")
    } else {
        return;
    };
    found.invalid(at, &request.to_string(), &message);
}

/// Checks each entry of a list of resources and returns those that are quantities.
fn amounts<'a>(
    list: &'a Quantities,
    check_name: NameCheck,
    at: &At<'_>,
    found: &mut Findings,
) -> Amounts<'a> {
    let mut amounts = Amounts::new();
    for (name, quantity) in list {
        check_name(name, &at.key_alone(name), found);
        let at = at.key(name);
        if let Some(amount) = quantity::read(quantity, &at, found) {
            value(name, amount, &at, found);
            amounts.insert(name, amount);
        }
    }
    amounts
}

/// Checks how much of a resource is asked for.
pub(super) fn value(name: &str, amount: Amount, at: &At<'_>, found: &mut Findings) {
    let shown = amount.to_string();
    if amount < Amount::ZERO {
        found.invalid(at, &shown, NEGATIVE);
    }
    if is_counted(name) && !amount.is_whole() {
        found.invalid(at, &shown, "must be an integer");
    }
    if let Some(size) = name.strip_prefix(HUGE_PAGES) {
        let is_fitting = Amount::parse(size).is_ok_and(|page| amount.is_multiple_of(page));
        if !is_fitting {
            let message = format!("{amount} is not positive integer multiple of {name}");
            found.invalid(at, &shown, &message);
        }
    }
}

fn peek(list: &Option<Quantities>) -> Amounts<'_> {
    let list = list.iter().flatten();
    list.filter_map(|(name, quantity)| Some((name.as_str(), Amount::parse(&quantity.0).ok()?)))
        .collect()
}

fn resource_name(name: &str, at: &At<'_>, found: &mut Findings) -> bool {
    let wrong = names::qualified_name(name);
    let mut is_right = wrong.is_empty();
    found.invalid_each(at, name, wrong);
    if is_right && !name.contains('/') && !STANDARD.contains(&name) && !is_huge_page(name) {
        let message = "must be a standard resource type or fully qualified";
        found.invalid(at, name, message);
        is_right = false;
    }
    is_right
}

fn container_name(name: &str, at: &At<'_>, found: &mut Findings) {
    resource_name(name, at, found);
    if !name.contains('/') {
        if !OF_CONTAINERS.contains(&name) && !is_huge_page(name) {
            found.invalid(at, name, "must be a standard resource for containers");
        }
    } else if !is_native(name) && !is_extended(name) {
        found.invalid(at, name, "doesn't follow extended resource name standard");
    }
}

fn pod_level_name(name: &str, at: &At<'_>, found: &mut Findings) {
    let is_supported = name == "cpu" || name == "memory" || is_huge_page(name);
    if resource_name(name, at, found) && !is_supported {
        found.unsupported(at, name, &POD_LEVEL);
    }
}

fn is_huge_page(name: &str) -> bool {
    name.starts_with(HUGE_PAGES)
}

fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

fn is_extended(name: &str) -> bool {
    let in_a_quota = format!("requests.{name}");
    !is_native(name)
        && !name.starts_with("requests.")
        && names::qualified_name(&in_a_quota).is_empty()
}

fn is_counted(name: &str) -> bool {
    STANDARD[..COUNTED].contains(&name) || is_extended(name)
}

fn may_overcommit(name: &str) -> bool {
    is_native(name) && !is_huge_page(name)
}
