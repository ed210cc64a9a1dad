//! What of a pod belongs to the owner of its namespaces.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1;

use crate::manifest::source::At;
use crate::model::container::{Limits, ProcessSpec};
use crate::model::infra::{
    FsGroupChange, HostsFile, InfraSpec, IpcNamespace, PidNamespace, SharedNamespaces,
    UserNamespace,
};
use crate::model::network::NetworkSpec;
use crate::names::{ContainerName, Hostname};

use super::annotations::{Annotations, INFRA_NAME, PIDS_LIMIT};
use super::network;
use super::notes::{Notes, items};
use super::options::PlayOptions;
use super::resources;
use super::security::{self, Fields};

/// The fields of a Kubernetes pod spec that make up its infra container.
pub(super) struct InfraFields<'a> {
    pub dns_config: Option<&'a v1::PodDNSConfig>,
    pub dns_policy: Option<&'a String>,
    pub host_aliases: Option<&'a Vec<v1::HostAlias>>,
    pub host_ipc: bool,
    pub host_network: bool,
    pub host_pid: bool,
    pub host_users: bool,
    pub hostname: Option<&'a String>,
    pub resources: Option<&'a v1::ResourceRequirements>,
    pub security_context: Option<&'a v1::PodSecurityContext>,
    pub share_process_namespace: bool,
    pub subdomain: Option<&'a String>,
}

/// Translates the infra container; `at` is the pod's spec.
pub(super) fn infra(
    fields: &InfraFields<'_>,
    at: &At<'_>,
    annotations: &mut Annotations<'_>,
    options: &PlayOptions,
    notes: &mut Notes<'_>,
) -> InfraSpec {
    let annotations_at = annotations.at();
    let name = annotations.take(INFRA_NAME);
    let network = network::network(fields.host_network, options);
    let security_at = at.field("securityContext");
    let default = v1::PodSecurityContext::default();
    let v1::PodSecurityContext {
        fs_group,
        fs_group_change_policy,
        run_as_group,
        run_as_non_root,
        run_as_user,
        seccomp_profile,
        supplemental_groups,
        supplemental_groups_policy,
        sysctls,
        app_armor_profile,
        se_linux_change_policy,
        se_linux_options,
        windows_options,
    } = fields.security_context.unwrap_or(&default);
    let not_yet = [
        (
            "supplementalGroupsPolicy",
            supplemental_groups_policy.is_some(),
        ),
        ("seLinuxChangePolicy", se_linux_change_policy.is_some()),
    ];
    notes.not_yet_of(&security_at, &not_yet);
    let fields_of_process = Fields {
        run_as_user: *run_as_user,
        run_as_group: *run_as_group,
        run_as_non_root: *run_as_non_root,
        seccomp: seccomp_profile.as_ref(),
        old_seccomp: annotations.take_seccomp(),
        app_armor: app_armor_profile.as_ref(),
        se_linux: se_linux_options.as_ref(),
        windows: windows_options.as_ref(),
    };
    let settings = security::settings(&fields_of_process, &security_at, notes);
    let pids = annotations.take(PIDS_LIMIT);
    let limits = Limits {
        pids: resources::pids(pids, &annotations_at.key(PIDS_LIMIT), notes),
        ..resources::limits(fields.resources, &at.field("resources"), notes)
    };
    InfraSpec {
        process: ProcessSpec {
            limits,
            security: settings,
        },
        name: notes.parse_some(
            &annotations_at.key(INFRA_NAME),
            name.as_ref(),
            ContainerName::parse,
        ),
        hostname: notes.parse_some(&at.field("hostname"), fields.hostname, Hostname::parse),
        subdomain: notes.parse_some(&at.field("subdomain"), fields.subdomain, Hostname::parse),
        dns: network::dns(fields.dns_policy, fields.dns_config, at, notes),
        hosts: hosts(fields, at, options, notes),
        etc_hostname: options.etc_hostname,
        shared: shared(fields),
        user_namespace: users(fields.host_users, &at.field("hostUsers"), notes),
        sysctls: kernel_settings(
            items(sysctls.as_ref()),
            &network,
            &security_at.field("sysctls"),
            notes,
        ),
        supplemental_groups: groups(
            items(supplemental_groups.as_ref()),
            &security_at.field("supplementalGroups"),
            notes,
        ),
        fs_group: fs_group.and_then(|group| {
            let at = security_at.field("fsGroup");
            notes.number(&at, group)
        }),
        fs_group_change: notes.choose(
            &security_at.field("fsGroupChangePolicy"),
            fs_group_change_policy.as_ref(),
            FsGroupChange::Always,
            &[
                ("Always", FsGroupChange::Always),
                ("OnRootMismatch", FsGroupChange::OnRootMismatch),
            ],
        ),
        network,
    }
}

fn hosts(
    fields: &InfraFields<'_>,
    at: &At<'_>,
    options: &PlayOptions,
    notes: &mut Notes<'_>,
) -> HostsFile {
    let at = at.field("hostAliases");
    let aliases = network::aliases(items(fields.host_aliases), &at, notes);
    if !options.no_hosts {
        return HostsFile::Pod { aliases };
    }
    if !aliases.is_empty() {
        notes.unsupported(
            &at,
            "HostAliases in yaml file will not work with --no-hosts",
        );
    }
    HostsFile::Image
}

fn shared(fields: &InfraFields<'_>) -> SharedNamespaces {
    let pid = match (fields.host_pid, fields.share_process_namespace) {
        (true, _) => PidNamespace::Host,
        (false, true) => PidNamespace::Pod,
        (false, false) => PidNamespace::Container,
    };
    let ipc = if fields.host_ipc {
        IpcNamespace::Host
    } else {
        IpcNamespace::Pod
    };
    SharedNamespaces { pid, ipc }
}

fn users(host_users: bool, at: &At<'_>, notes: &mut Notes<'_>) -> UserNamespace {
    if host_users {
        return UserNamespace::Host;
    }
    notes.not_yet(at);
    UserNamespace::Pod
}

fn groups(list: &[i64], at: &At<'_>, notes: &mut Notes<'_>) -> Vec<u32> {
    let mut groups = Vec::new();
    for (index, group) in list.iter().enumerate() {
        groups.extend(notes.number::<u32>(&at.index(index), *group));
    }
    groups
}

/// Network settings belong to the network namespace, and the host's is not the pod's to change.
fn kernel_settings(
    list: &[v1::Sysctl],
    network: &NetworkSpec,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::new();
    for (index, v1::Sysctl { name, value }) in list.iter().enumerate() {
        if name.starts_with("net.") && *network == NetworkSpec::Host {
            let why = format!(
                "sysctl {name}={value} can't be set since Network Namespace set to host: invalid argument"
            );
            notes.unsupported(&at.index(index).field("name"), why);
        }
        settings.insert(name.clone(), value.clone());
    }
    settings
}
