//! How a pod resolves names.

use k8s_openapi::api::core::v1::PodSpec;

use super::fault::{Faults as _, Shown, items, text, text_or};
use super::{address, names};
use crate::manifest::source::{At, Findings};

const POLICIES: [&str; 4] = ["ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"];
const MOST_SERVERS: usize = 3;
const MOST_SEARCHES: usize = 32;
const LONGEST_SEARCHES: usize = 2048;

/// Checks the pod's DNS policy.
pub(super) fn policy(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    let policy = text_or(&spec.dns_policy, "ClusterFirst");
    found.one_of(&at.field("dnsPolicy"), policy, &POLICIES);
}

/// Checks the pod's own DNS settings.
pub(super) fn config(spec: &PodSpec, at: &At<'_>, found: &mut Findings) {
    let needs_servers = text(&spec.dns_policy) == "None";
    let Some(config) = &spec.dns_config else {
        if needs_servers {
            found.required(at, "must provide `dnsConfig` when `dnsPolicy` is None");
        }
        return;
    };
    let servers = items(&config.nameservers);
    let servers_at = at.field("nameservers");
    if needs_servers && servers.is_empty() {
        let message = "must provide at least one DNS nameserver when `dnsPolicy` is None";
        found.required(&servers_at, message);
        return;
    }
    if servers.len() > MOST_SERVERS {
        let message = format!("must not have more than {MOST_SERVERS} nameservers");
        found.invalid(&servers_at, Shown::json(&servers), &message);
    }
    for (index, server) in servers.iter().enumerate() {
        address::ip(server, &servers_at.index(index), found);
    }
    searches(items(&config.searches), &at.field("searches"), found);
    for (index, option) in items(&config.options).iter().enumerate() {
        if text(&option.name).is_empty() {
            found.required(&at.field("options").index(index), "must not be empty");
        }
    }
}

fn searches(paths: &[String], at: &At<'_>, found: &mut Findings) {
    if paths.len() > MOST_SEARCHES {
        let message = format!("must not have more than {MOST_SEARCHES} search paths");
        found.invalid(at, Shown::json(&paths), &message);
    }
    if paths.join(" ").len() > LONGEST_SEARCHES {
        let message = format!(
            "must not have more than {LONGEST_SEARCHES} characters (including spaces) in the search list"
        );
        found.invalid(at, Shown::json(&paths), &message);
    }
    for (index, path) in paths.iter().enumerate().filter(|(_, path)| *path != ".") {
        let bare = path.strip_suffix('.').unwrap_or(path);
        found.invalid_each(&at.index(index), bare, names::dns_search_path(bare));
    }
}
