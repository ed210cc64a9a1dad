//! `inspect` of a container, with podman's fields.

mod capabilities;
mod config;
mod environment;
mod host_config;
mod mounts;
mod network;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use super::Scene;
use super::container::effective_command;
use crate::cli::output::Object;
use crate::engine::paths::{Paths, PodPaths};
use crate::image::ImageRecord;
use crate::model::container::{Capability, ContainerSpec, Role};
use crate::model::observed::{ContainerRecord, Observed, ObservedPod};

use capabilities::{bounding, effective};
use config::{Config, config};
use host_config::{HostConfig, host_config};
use mounts::{MountInspect, mounts};
use network::{NetworkSettings, network_settings};
use state::{State, state};

pub(super) use host_config::{cpu_period, cpu_quota, extra_hosts, restart_policy};
pub(super) use network::{HostPort, port_bindings};

/// All that is known of a container.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cli) struct ContainerInspect {
    id: String,
    created: String,
    path: String,
    args: Vec<String>,
    state: State,
    image: String,
    image_digest: String,
    image_name: String,
    pod: String,
    pub(in crate::cli) name: String,
    restart_count: u32,
    resolv_conf_path: String,
    hostname_path: String,
    hosts_path: String,
    #[serde(rename = "OCIConfigPath")]
    oci_config_path: String,
    #[serde(rename = "OCIRuntime")]
    oci_runtime: String,
    driver: &'static str,
    /// Nothing here gives SELinux labels.
    mount_label: &'static str,
    process_label: &'static str,
    app_armor_profile: &'static str,
    namespace: &'static str,
    effective_caps: Vec<String>,
    bounding_caps: Vec<String>,
    graph_driver: GraphDriver,
    dependencies: Vec<String>,
    mounts: Vec<MountInspect>,
    network_settings: NetworkSettings,
    is_infra: bool,
    is_service: bool,
    role: Role,
    config: Config,
    host_config: HostConfig,
}

impl Object for ContainerInspect {
    fn for_templates(&self) -> Option<Value> {
        let mounts = self.mounts.iter().map(MountInspect::for_templates);
        Some(json!({"Mounts": mounts.collect::<Vec<_>>()}))
    }
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct GraphDriver {
    name: &'static str,
    data: BTreeMap<&'static str, String>,
}

/// What a container has from its host, not from its specification.
pub(in crate::cli) struct Host<'a> {
    pub(in crate::cli) paths: &'a Paths,
    /// The capabilities there are to give.
    pub(in crate::cli) capabilities: BTreeSet<Capability>,
}

/// The container that is asked about, and what is looked at for it.
struct Subject<'a> {
    observed: &'a Observed,
    pod: &'a ObservedPod,
    record: &'a ContainerRecord,
    spec: &'a ContainerSpec,
    image: Option<&'a ImageRecord>,
    host: &'a Host<'a>,
}

impl Subject<'_> {
    /// Returns the directories of its pod.
    fn own(&self) -> PodPaths {
        self.host.paths.pod(&self.pod.record.id)
    }
}

/// Returns all that is known of a container.
pub(in crate::cli) fn inspect_container(
    scene: &Scene<'_>,
    pod: &ObservedPod,
    container: &ContainerRecord,
    host: &Host<'_>,
) -> Option<ContainerInspect> {
    Some(inspect(&Subject {
        observed: scene.observed,
        pod,
        record: container,
        spec: pod.spec_of(container)?,
        image: scene.images.get(&container.image).copied(),
        host,
    }))
}

fn inspect(subject: &Subject<'_>) -> ContainerInspect {
    let Subject {
        pod,
        record,
        spec,
        image,
        ..
    } = *subject;
    let own = subject.own();
    let text = |path: &Path| path.display().to_string();
    let runtime = subject.host.paths.runtime.as_deref();
    let (entrypoint, cmd) = effective_command(spec, image);
    let mut words = entrypoint.into_iter().chain(cmd);
    ContainerInspect {
        id: record.id.to_string(),
        created: record.created.to_string(),
        path: words.next().unwrap_or_default(),
        args: words.collect(),
        state: state(subject),
        image: record.image.to_string(),
        image_digest: image
            .map(|image| image.digest.to_string())
            .unwrap_or_default(),
        image_name: spec.image.qualified().to_string(),
        pod: pod.record.id.to_string(),
        name: pod.record.spec.full_name(&record.name),
        restart_count: record.restarts,
        resolv_conf_path: text(&own.etc("resolv.conf")),
        hostname_path: text(&own.etc("hostname")),
        hosts_path: text(&own.etc("hosts")),
        oci_config_path: text(&own.bundle(&record.name).join("config.json")),
        oci_runtime: runtime.map_or_else(|| "podwright".to_owned(), text),
        driver: "overlay",
        mount_label: "",
        process_label: "",
        app_armor_profile: "",
        namespace: "",
        effective_caps: effective(subject),
        bounding_caps: bounding(subject),
        graph_driver: GraphDriver {
            name: "overlay",
            data: BTreeMap::from([("UpperDir", text(&own.layer(&record.name).join("upper")))]),
        },
        dependencies: vec![pod.record.infra.to_string()],
        mounts: mounts(subject),
        network_settings: network_settings(subject),
        is_infra: false,
        is_service: false,
        role: spec.role,
        config: config(subject),
        host_config: host_config(subject),
    }
}

#[cfg(test)]
mod tests;
