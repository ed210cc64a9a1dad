//! The addresses of a Service inside of the cluster, one of each IP family at most.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use k8s_openapi::api::core::v1::ServiceSpec;

use super::address;
use super::fault::{Faults as _, Shown, items, text};
use super::service::View;
use crate::manifest::source::{At, Findings, Severity};

const FAMILIES: [&str; 2] = ["IPv4", "IPv6"];

const FAMILY_POLICIES: [&str; 3] = ["PreferDualStack", "RequireDualStack", "SingleStack"];

pub(super) fn cluster_ips(spec: &ServiceSpec, view: &View<'_>, at: &At<'_>, found: &mut Findings) {
    let (first, ips) = (text(&spec.cluster_ip), &view.cluster_ips);
    let ips_at = at.field("clusterIPs");
    if first.is_empty() && !ips.is_empty() {
        let message = "must be empty when `clusterIP` is not specified";
        found.invalid(&ips_at, Shown::json(ips), message);
    } else if !first.is_empty() && ips.first() != Some(&first) {
        let message = "first value must match `clusterIP`";
        found.invalid(&ips_at, Shown::json(ips), message);
    }
    families(spec, at, found);
    let before = found.0.len();
    let mut addresses = Vec::new();
    for (index, ip) in ips.iter().enumerate() {
        if index == 0 && *ip == "None" {
            if ips.len() > 1 {
                let message = "'None' must be the first and only value";
                found.invalid(&ips_at, Shown::json(ips), message);
            }
            continue;
        }
        // an address of its own stands in `clusterIP` where `clusterIPs` is absent
        let (item_at, first_at) = (ips_at.index(index), at.field("clusterIP"));
        let at = match &spec.cluster_ips {
            Some(_) => item_at,
            None => at.shown_as(".clusterIPs[0]", &first_at),
        };
        addresses.extend(address::ip(ip, &at, found));
    }
    let mut new = found.0[before..].iter();
    let is_wrong = new.any(|finding| finding.severity == Severity::Error);
    if ips.len() > 2 {
        found.invalid(&ips_at, Shown::json(ips), "may only hold up to 2 values");
    }
    if is_wrong {
        return;
    }
    let are_v6 = addresses.iter().map(|ip| address::is_v6(*ip));
    if ips.len() > 1 && are_v6.collect::<BTreeSet<_>>().len() < 2 {
        let message = "may specify no more than one IP for each IP family";
        found.invalid(&ips_at, Shown::json(ips), message);
    }
    family_of_each(spec, &addresses, at, found);
    one_stack(spec, view, at, found);
}

/// Checks that a Service of one stack asks for one family; where no policy stands the server fills one in.
fn one_stack(spec: &ServiceSpec, view: &View<'_>, at: &At<'_>, found: &mut Findings) {
    let is_led_by_hand = view.cluster_ips.first() == Some(&"None")
        && spec.selector.as_ref().is_none_or(BTreeMap::is_empty);
    let policy = spec.ip_family_policy.as_deref();
    let policy = policy.unwrap_or(if is_led_by_hand {
        "RequireDualStack"
    } else {
        "SingleStack"
    });
    if policy != "SingleStack" {
        return;
    }
    let mut refused = Findings::default();
    for (count, what) in [
        (view.cluster_ips.len(), "cluster IPs"),
        (items(&spec.ip_families).len(), "IP families"),
    ] {
        if count == 2 {
            let message = format!(
                "must be 'RequireDualStack' or 'PreferDualStack' when multiple {what} are specified"
            );
            refused.invalid(&at.field("ipFamilyPolicy"), policy, &message);
        }
    }
    found.soften(refused, "the server cannot allocate it");
}

fn families(spec: &ServiceSpec, at: &At<'_>, found: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, family) in items(&spec.ip_families).iter().enumerate() {
        let at = at.field("ipFamilies");
        let at = at.index(index);
        found.one_of(&at, family, &FAMILIES);
        if !seen.insert(family) {
            found.duplicate(&at, family);
        }
    }
    if let Some(policy) = &spec.ip_family_policy {
        found.one_of(&at.field("ipFamilyPolicy"), policy, &FAMILY_POLICIES);
    }
}

fn family_of_each(spec: &ServiceSpec, ips: &[IpAddr], spec_at: &At<'_>, found: &mut Findings) {
    let at = spec_at.field("clusterIPs");
    let families = items(&spec.ip_families).iter();
    for (index, (ip, family)) in ips.iter().zip(families).enumerate() {
        if FAMILIES.contains(&family.as_str()) && address::is_v6(*ip) != (family == "IPv6") {
            let message =
                format!("expected an {family} value as indicated by `ipFamilies[{index}]`");
            let (item_at, first_at) = (at.index(index), spec_at.field("clusterIP"));
            let at = match &spec.cluster_ips {
                Some(_) => item_at,
                None => spec_at.shown_as(".clusterIPs[0]", &first_at),
            };
            found.invalid(&at, &ip.to_string(), &message);
        }
    }
}
