//! Limits and requests, and the devices that hide among them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Amount;

use crate::manifest::source::At;
use crate::model::container::{Device, Limits};
use crate::model::quantity::{Bytes, MilliCpu, Quantity, QuantityError};

use super::notes::Notes;

/// podman's resource name of a host's device: `podman.io/device=PATH`.
pub(super) const HOST_DEVICE: &str = "podman.io/device=";

type Amounts = BTreeMap<String, Amount>;

/// Translates limits and requests; `at` is the resource requirements.
pub(super) fn limits(
    resources: Option<&v1::ResourceRequirements>,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Limits {
    let Some(resources) = resources else {
        return Limits::default();
    };
    let v1::ResourceRequirements {
        claims,
        limits,
        requests,
    } = resources;
    notes.not_yet_if(&at.field("claims"), claims.as_ref());
    let limits_at = at.field("limits");
    let requests_at = at.field("requests");
    other_resources(limits.as_ref(), &limits_at, Side::Limits, notes);
    other_resources(requests.as_ref(), &requests_at, Side::Requests, notes);
    Limits {
        cpu: cpu(limits.as_ref(), &limits_at, notes),
        memory: memory(limits.as_ref(), &limits_at, notes),
        cpu_request: cpu(requests.as_ref(), &requests_at, notes),
        memory_request: memory(requests.as_ref(), &requests_at, notes),
        pids: None,
    }
}

fn cpu(amounts: Option<&Amounts>, at: &At<'_>, notes: &mut Notes<'_>) -> Option<MilliCpu> {
    let amount = amounts?.get("cpu")?;
    quantity(amount, &at.key("cpu"), Quantity::milli_cpu, notes)
}

fn memory(amounts: Option<&Amounts>, at: &At<'_>, notes: &mut Notes<'_>) -> Option<Bytes> {
    let amount = amounts?.get("memory")?;
    quantity(amount, &at.key("memory"), Quantity::bytes, notes)
}

/// Reads an amount into its unit.
pub(super) fn quantity<T>(
    Amount(text): &Amount,
    at: &At<'_>,
    unit: fn(&Quantity) -> Result<T, QuantityError>,
    notes: &mut Notes<'_>,
) -> Option<T> {
    notes.parse(at, text, |text| unit(&Quantity::parse(text)?))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Limits,
    Requests,
}

/// Says what happens to resources that are neither processor time nor memory.
///
/// What is only requested is a word to a scheduler; a device is translated by [`devices`].
fn other_resources(amounts: Option<&Amounts>, at: &At<'_>, side: Side, notes: &mut Notes<'_>) {
    for name in amounts.into_iter().flatten().map(|(name, _)| name) {
        match name.as_str() {
            "cpu" | "memory" => {}
            _ if name.starts_with(HOST_DEVICE) => {}
            "ephemeral-storage" | "storage" if side == Side::Requests => {}
            "ephemeral-storage" | "storage" => notes.not_yet(&at.key(name)),
            _ if name.starts_with("hugepages-") || name.contains('/') => {
                if side == Side::Limits {
                    notes.not_yet(&at.key(name));
                }
            }
            _ => notes.invalid(
                &at.key_alone(name),
                name,
                "must be a standard resource for containers",
            ),
        }
    }
}

/// Returns the host's devices that a container asks for by podman's resource name.
pub(super) fn devices(
    resources: Option<&v1::ResourceRequirements>,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Vec<Device> {
    let limits_at = at.field("limits");
    let mut devices = Vec::new();
    let limits = resources.and_then(|resources| resources.limits.as_ref());
    for (name, _) in limits.into_iter().flatten() {
        let Some(path) = name.strip_prefix(HOST_DEVICE) else {
            continue;
        };
        let at = limits_at.key(name);
        if path.starts_with('/') {
            devices.push(Device::Host(PathBuf::from(path)));
        } else {
            notes.invalid(&at, name, "a device of the host has an absolute path");
        }
    }
    devices
}

/// Reads podman's limit on the number of processes; -1 is none.
pub(super) fn pids(text: Option<String>, at: &At<'_>, notes: &mut Notes<'_>) -> Option<u64> {
    let text = text.filter(|text| text != "-1")?;
    let pids = notes.parse(at, &text, str::parse::<u64>)?;
    Some(pids)
}
