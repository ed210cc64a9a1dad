//! Resource requests and limits, of containers and of whole pods (KEP-2837).

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, PodSpec, ResourceRequirements};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::containers::is_sidecar;
use super::fault::{Faults as _, NEGATIVE, items, or_empty};
use super::names;
use super::quantity::{self, Amount};
use super::scope::{Scope, Subject};
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
    let mut filled = Quantities::new();
    if subject == Subject::Pod {
        // the server fills in what a pod does not request from its limits, and checks both
        let written = or_empty(&resources.requests);
        filled = resources.limits.clone().unwrap_or_default();
        filled.retain(|name, _| !written.contains_key(name));
    }
    requirements(resources, &filled, container_name, at, found);
}

/// Checks what a runtime class adds to a pod.
pub(super) fn overhead(overhead: &Quantities, at: &At<'_>, found: &mut Findings) {
    // the server checks it as if it were the limits of a container
    let limits = amounts(overhead, container_name, &at.shown_as(".limits", at), found);
    small_pages_too(limits.keys(), at, found);
}

/// Checks the resources of a whole pod, against those of its containers too.
pub(super) fn of_pod(
    scope: &Scope<'_>,
    resources: &ResourceRequirements,
    spec_at: &At<'_>,
    found: &mut Findings,
) {
    let spec = scope.spec;
    let (at, containers_at) = (&spec_at.field("resources"), spec_at.field("containers"));
    if resources.claims.is_some() {
        let message = "claims cannot be set for Resources at pod-level";
        found.forbidden(&at.field("claims"), message);
    }
    let wanted = of_containers(spec, scope.subject);
    let filled = filled_in(resources, &wanted, scope.subject);
    requirements(resources, &filled, pod_level_name, at, found);
    let requests = peek(&resources.requests);
    // a request that is absent is filled in, or none at all, which the containers may be above
    let is_bare = peek(&resources.limits).is_empty() && !requests.is_empty();
    for (name, sum) in wanted {
        let request = match requests.get(name) {
            Some(request) => *request,
            None if is_bare => Amount::ZERO,
            None => continue,
        };
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

/// Returns the requests that the server fills in for a whole pod that has limits.
fn filled_in(
    resources: &ResourceRequirements,
    wanted: &Amounts<'_>,
    subject: Subject,
) -> Quantities {
    let mut filled = Quantities::new();
    let limits = resources.limits.iter().flatten();
    let written = or_empty(&resources.requests);
    if subject != Subject::Pod || limits.clone().next().is_none() {
        return filled;
    }
    for (name, sum) in wanted.iter().filter(|(name, _)| may_overcommit(name)) {
        filled.insert((*name).to_owned(), Quantity(sum.to_string()));
    }
    for (name, limit) in limits.filter(|(name, _)| is_pod_level(name)) {
        filled.entry(name.clone()).or_insert_with(|| limit.clone());
    }
    filled.retain(|name, _| !written.contains_key(name));
    filled
}

/// Returns what the containers of a pod request together, of what a whole pod can request.
///
/// Those that run first run one after the other, beside the sidecars that were started before.
fn of_containers(spec: &PodSpec, subject: Subject) -> Amounts<'_> {
    let mut together = Amounts::new();
    for container in &spec.containers {
        add(&mut together, &requested(container, subject));
    }
    let (mut sidecars, mut most) = (Amounts::new(), Amounts::new());
    for container in items(&spec.init_containers) {
        let mut own = requested(container, subject);
        if is_sidecar(container) {
            add(&mut together, &own);
            add(&mut sidecars, &own);
            own = sidecars.clone();
        } else {
            add(&mut own, &sidecars);
        }
        raise(&mut most, &own);
    }
    raise(&mut together, &most);
    together
}

fn add<'s>(sum: &mut Amounts<'s>, more: &Amounts<'s>) {
    for (name, amount) in more {
        let known = sum.get(name).copied().unwrap_or(Amount::ZERO);
        sum.insert(name, known.plus(*amount));
    }
}

fn raise<'s>(most: &mut Amounts<'s>, other: &Amounts<'s>) {
    for (name, amount) in other {
        let known = most.get(name).copied().unwrap_or(Amount::ZERO);
        most.insert(name, known.max(*amount));
    }
}

/// Returns the requests of a container; in a pod, its limits stand in for those it does not have.
fn requested(container: &Container, subject: Subject) -> Amounts<'_> {
    let Some(resources) = &container.resources else {
        return Amounts::new();
    };
    let mut requests = match subject {
        Subject::Pod => peek(&resources.limits),
        Subject::Template => Amounts::new(),
    };
    requests.extend(peek(&resources.requests));
    requests.retain(|name, _| is_pod_level(name));
    requests
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

/// Checks limits and requests, those too that the server has `filled` in.
fn requirements(
    resources: &ResourceRequirements,
    filled: &Quantities,
    check_name: NameCheck,
    at: &At<'_>,
    found: &mut Findings,
) {
    let empty = Quantities::new();
    let limits = resources.limits.as_ref().unwrap_or(&empty);
    let (requests_at, limits_at) = (at.field("requests"), at.field("limits"));
    let limits = amounts(limits, check_name, &limits_at, found);
    let written = resources.requests.as_ref().unwrap_or(&empty);
    let own = amounts(written, check_name, &requests_at, found);
    // what was filled in stands among the limits
    let filled_at = at.shown_as(".requests", &limits_at);
    let filled = amounts(filled, check_name, &filled_at, found);
    let requests: Amounts<'_> = own.into_iter().chain(filled).collect();
    for (name, request) in &requests {
        let at = match written.contains_key(*name) {
            true => &requests_at,
            false => &filled_at,
        };
        match limits.get(name) {
            Some(limit) => within_limit(name, *request, *limit, &at.key(name), found),
            None if may_overcommit(name) => {}
            None => found.required(
                &limits_at,
                "Limit must be set for non overcommitable resources",
            ),
        }
    }
    small_pages_too(limits.keys().chain(requests.keys()), at, found);
}

/// Checks that who asks for huge pages asks for what every pod needs too.
fn small_pages_too<'n>(
    mut names: impl Iterator<Item = &'n &'n str> + Clone,
    at: &At<'_>,
    found: &mut Findings,
) {
    let has_others = names.clone().any(|name| ["cpu", "memory"].contains(name));
    if !has_others && names.any(|name| is_huge_page(name)) {
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
    if resource_name(name, at, found) && !is_pod_level(name) {
        found.unsupported(at, name, &POD_LEVEL);
    }
}

fn is_pod_level(name: &str) -> bool {
    name == "cpu" || name == "memory" || is_huge_page(name)
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
