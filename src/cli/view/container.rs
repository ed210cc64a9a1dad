//! The rows of `ps`.

use gotmpl::{ToValue as _, Value};
use serde::Serialize;

use super::super::output::{Column, Row, moment};
use super::Scene;
use super::words::{self, NEVER_SECONDS};
use crate::image::ImageRecord;
use crate::model::container::ContainerSpec;
use crate::model::network::PublishedPort;
use crate::model::observed::{ContainerRecord, ObservedPod};

/// A container in a list, with podman's fields.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cli) struct ContainerRow {
    auto_remove: bool,
    command: Vec<String>,
    created_at: String,
    pub(in crate::cli) exited: bool,
    exited_at: i64,
    pub(in crate::cli) exit_code: i32,
    pub(in crate::cli) id: String,
    pub(in crate::cli) image: String,
    #[serde(rename = "ImageID")]
    image_id: String,
    is_infra: bool,
    pub(in crate::cli) labels: std::collections::BTreeMap<String, String>,
    mounts: Vec<String>,
    pub(in crate::cli) names: Vec<String>,
    networks: Vec<String>,
    pid: i32,
    pub(in crate::cli) pod: String,
    pub(in crate::cli) pod_name: String,
    ports: Vec<PortRow>,
    restarts: u32,
    ready: bool,
    started_at: i64,
    pub(in crate::cli) state: &'static str,
    pub(in crate::cli) status: String,
    pub(in crate::cli) created: i64,
    #[serde(skip)]
    shown: Shown,
}

/// What only tables and templates show.
#[derive(Debug, Clone)]
struct Shown {
    id: String,
    pod_id: String,
    image_id: String,
    command: String,
    ports: String,
    created: String,
}

#[derive(Debug, Clone, Serialize)]
struct PortRow {
    host_ip: String,
    container_port: u16,
    host_port: u16,
    range: u16,
    protocol: String,
}

/// Whether ids and commands are cut to what a table has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Width {
    Cut,
    Full,
}

impl ContainerRow {
    /// The columns of `ps`; `--pod` adds two.
    pub(in crate::cli) const SHOWN: [&'static str; 7] = [
        "ID",
        "Image",
        "Command",
        "CreatedHuman",
        "Status",
        "Ports",
        "Names",
    ];
    pub(in crate::cli) const POD: [&'static str; 2] = ["Pod", "PodName"];

    /// Returns the command as a list shows it.
    pub(in crate::cli) fn command(&self) -> &[String] {
        &self.command
    }
}

impl Row for ContainerRow {
    fn columns() -> &'static [Column<Self>] {
        const COLUMNS: &[Column<ContainerRow>] = &[
            Column::new("ID", "CONTAINER ID", |row| row.shown.id.to_value()),
            Column::new("Id", "CONTAINER ID", |row| row.shown.id.to_value()),
            Column::new("Image", "IMAGE", |row| row.image.to_value()),
            Column::new("ImageID", "IMAGE ID", |row| row.shown.image_id.to_value()),
            Column::new("Command", "COMMAND", |row| row.shown.command.to_value()),
            Column::new("CreatedHuman", "CREATED", |row| row.created_at.to_value()),
            Column::new("Created", "CREATED", |row| row.shown.created.to_value()),
            Column::new("CreatedAt", "CREATED AT", |row| {
                row.shown.created.to_value()
            }),
            Column::new("RunningFor", "CREATED", |row| row.created_at.to_value()),
            Column::new("Status", "STATUS", |row| row.status.to_value()),
            // podman's template shows the status here, too; the word is in JSON.
            Column::new("State", "STATE", |row| row.status.to_value()),
            Column::new("Ports", "PORTS", |row| row.shown.ports.to_value()),
            Column::new("Names", "NAMES", |row| row.names.join(",").to_value()),
            Column::new("Pod", "POD ID", |row| row.shown.pod_id.to_value()),
            Column::new("PodName", "PODNAME", |row| row.pod_name.to_value()),
            Column::new("Mounts", "MOUNTS", |row| row.mounts.to_value()),
            Column::new("Networks", "NETWORKS", |row| {
                row.networks.join(",").to_value()
            }),
            Column::new("Pid", "PID", |row| i64::from(row.pid).to_value()),
            Column::new("Restarts", "RESTARTS", |row| {
                i64::from(row.restarts).to_value()
            }),
            Column::new("Size", "SIZE", |_| Value::String("".into())),
        ];
        COLUMNS
    }
}

/// Returns the rows of all containers, in the order they were made.
pub(in crate::cli) fn containers(scene: &Scene<'_>, width: Width) -> Vec<ContainerRow> {
    scene
        .observed
        .pods
        .iter()
        .flat_map(|pod| pod.containers.iter().map(move |container| (pod, container)))
        .filter_map(|(pod, container)| row(scene, pod, container, width))
        .collect()
}

fn row(
    scene: &Scene<'_>,
    pod: &ObservedPod,
    container: &ContainerRecord,
    width: Width,
) -> Option<ContainerRow> {
    let spec = pod.spec_of(container)?;
    let image = scene.images.get(&container.image).copied();
    let ports: Vec<PublishedPort> = pod.record.spec.published_ports().collect();
    let command = command(spec, image);
    let joined = command.join(" ");
    let id = container.id.to_string();
    let seconds =
        |moment: Option<jiff::Timestamp>| moment.map_or(NEVER_SECONDS, |at| at.as_second());
    let ended = words::ended(container);
    Some(ContainerRow {
        auto_remove: false,
        created_at: words::ago(scene.now, container.created),
        exited: ended.is_some(),
        exited_at: seconds(ended),
        exit_code: words::exit_code(container),
        image: spec.image.qualified().to_string(),
        image_id: container.image.to_string(),
        is_infra: false,
        labels: pod.record.spec.labels.clone(),
        mounts: spec
            .mounts
            .iter()
            .map(|mount| mount.path.display().to_string())
            .collect(),
        names: vec![pod.record.spec.full_name(&container.name)],
        networks: networks(pod),
        pid: container.state.process().map_or(0, |process| process.pid),
        pod: pod.record.id.to_string(),
        pod_name: pod.record.spec.name.to_string(),
        restarts: container.restarts,
        ready: container.ready,
        started_at: seconds(container.started),
        state: container.state.word(),
        status: words::status(container, scene.now),
        created: container.created.as_second(),
        shown: Shown {
            id: match width {
                Width::Cut => container.id.short().to_owned(),
                Width::Full => id.clone(),
            },
            pod_id: match width {
                Width::Cut => pod.record.id.short().to_owned(),
                Width::Full => pod.record.id.to_string(),
            },
            command: match width {
                Width::Cut => words::cut(&joined, 20),
                Width::Full => joined,
            },
            ports: ports.iter().map(words::port).collect::<Vec<_>>().join(", "),
            created: moment(container.created),
            image_id: match width {
                Width::Cut => container.image.short().to_owned(),
                Width::Full => container.image.to_string(),
            },
        },
        ports: ports.iter().map(port_row).collect(),
        command,
        id,
    })
}

fn port_row(port: &PublishedPort) -> PortRow {
    PortRow {
        host_ip: port.host_ip.map(|ip| ip.to_string()).unwrap_or_default(),
        container_port: port.container_port,
        host_port: port.host_port,
        range: 1,
        protocol: port.protocol.to_string(),
    }
}

/// Returns the command as a list shows it: what the manifest or the image says, as far as it was said.
fn command(spec: &ContainerSpec, image: Option<&ImageRecord>) -> Vec<String> {
    let (program, arguments) = effective_command(spec, image);
    program.into_iter().chain(arguments).collect()
}

/// Returns the entrypoint and the arguments of a container: a manifest's `command` puts the image's
/// arguments out of force, its `args` only replace them.
pub(super) fn effective_command(
    spec: &ContainerSpec,
    image: Option<&ImageRecord>,
) -> (Vec<String>, Vec<String>) {
    let image = image.map(|image| &image.config);
    let program = spec
        .command
        .clone()
        .or_else(|| image.map(|config| config.entrypoint.clone()));
    let arguments = match (&spec.args, &spec.command) {
        (Some(arguments), _) => Some(arguments.clone()),
        (None, Some(_)) => None,
        (None, None) => image.map(|config| config.cmd.clone()),
    };
    (program.unwrap_or_default(), arguments.unwrap_or_default())
}

/// Returns the names of the networks that a pod is on.
pub(super) fn networks(pod: &ObservedPod) -> Vec<String> {
    let addresses = pod.record.addresses.iter();
    addresses
        .map(|assigned| assigned.network.to_string())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::cli::output::{Format, Headings, Output};

    fn printed(format: &str, width: Width) -> String {
        let observed = fixture::observed();
        let images = [fixture::image()];
        let scene = Scene::new(&observed, &images, fixture::at(fixture::NOW));
        let mut bytes = Vec::new();
        Output::new(&mut bytes)
            .rows(
                &containers(&scene, width),
                &Format::parse(format).unwrap(),
                &ContainerRow::SHOWN,
                Headings::Shown,
            )
            .unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_list_says_what_podman_says() {
        assert_eq!(
            printed("table", Width::Cut),
            "\
CONTAINER ID  IMAGE                COMMAND     CREATED            STATUS                             PORTS                 NAMES
aaaaaaaaaaaa  localhost/bb:latest  sleep 1000  About an hour ago  Up 3 minutes                       0.0.0.0:8080->80/tcp  web-a
bbbbbbbbbbbb  localhost/bb:latest  sh          About an hour ago  Exited (0) 2 seconds ago           0.0.0.0:8080->80/tcp  web-b
cccccccccccc  localhost/bb:latest  sh          About an hour ago  CrashLoopBackOff (3) About a minute ago  0.0.0.0:8080->80/tcp  web-c
dddddddddddd  localhost/bb:latest  sh          About an hour ago  Created                            0.0.0.0:8080->80/tcp  web-d
"
            .replace("STATUS                             PORTS", "STATUS                                   PORTS")
            .replace("Up 3 minutes                       ", "Up 3 minutes                             ")
            .replace("Exited (0) 2 seconds ago           ", "Exited (0) 2 seconds ago                 ")
            .replace("Created                            ", "Created                                  ")
        );
    }

    #[test]
    fn templates_have_podmans_fields() {
        assert_eq!(
            printed("{{.ID}} {{.Names}} {{.Status}} {{.ExitCode}} {{.Pid}} {{.Pod}} {{.PodName}} {{.Labels}}", Width::Cut)
                .lines()
                .next(),
            Some("aaaaaaaaaaaa web-a Up 3 minutes 0 4711 111111111111 web map[app:x]")
        );
        assert_eq!(
            printed("{{len .ID}}", Width::Full).lines().next(),
            Some("64")
        );
    }

    #[test]
    fn json_has_full_ids_and_lists() {
        let value: serde_json::Value = serde_json::from_str(&printed("json", Width::Cut)).unwrap();
        assert_eq!(value[0]["Id"], "a".repeat(64));
        assert_eq!(value[0]["Names"], serde_json::json!(["web-a"]));
        assert_eq!(value[0]["Command"], serde_json::json!(["sleep", "1000"]));
        assert_eq!(value[0]["Ports"][0]["host_port"], 8080);
        assert_eq!(value[2]["ExitCode"], 3);
        assert_eq!(value[3]["StartedAt"], NEVER_SECONDS);
    }
}
