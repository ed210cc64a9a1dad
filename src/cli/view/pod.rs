//! The rows of `pod ps`.

use gotmpl::ToValue as _;
use serde::Serialize;

use super::super::output::{Column, Row};
use super::container::networks;
use super::words;
use super::{Scene, Width};
use crate::model::observed::ObservedPod;

/// A pod in a list, with podman's fields.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cli) struct PodRow {
    pub(in crate::cli) containers: Vec<Member>,
    pub(in crate::cli) created: String,
    pub(in crate::cli) id: String,
    infra_id: String,
    pub(in crate::cli) name: String,
    namespace: String,
    pub(in crate::cli) networks: Vec<String>,
    pub(in crate::cli) status: String,
    pub(in crate::cli) labels: std::collections::BTreeMap<String, String>,
    application: String,
    #[serde(skip)]
    shown: Shown,
}

/// A container of a pod in a list.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cli) struct Member {
    pub(in crate::cli) id: String,
    pub(in crate::cli) names: String,
    pub(in crate::cli) status: &'static str,
    restart_count: u32,
}

/// What only tables and templates show.
#[derive(Debug, Clone)]
struct Shown {
    id: String,
    infra: String,
    members: String,
    created: String,
}

impl PodRow {
    /// The columns of `pod ps` before and after those that depend on flags.
    pub(in crate::cli) const SHOWN: [&'static str; 5] =
        ["ID", "Name", "Status", "Created", "InfraID"];
}

impl Row for PodRow {
    fn columns() -> &'static [Column<Self>] {
        const COLUMNS: &[Column<PodRow>] = &[
            Column::new("ID", "POD ID", |row| row.shown.id.to_value()),
            Column::new("Id", "POD ID", |row| row.shown.id.to_value()),
            Column::new("Name", "NAME", |row| row.name.to_value()),
            Column::new("Status", "STATUS", |row| row.status.to_value()),
            Column::new("Created", "CREATED", |row| row.shown.created.to_value()),
            Column::new("InfraID", "INFRA ID", |row| row.shown.infra.to_value()),
            Column::new("InfraId", "INFRA ID", |row| row.shown.infra.to_value()),
            Column::new("NumberOfContainers", "# OF CONTAINERS", |row| {
                row.containers.len().to_value()
            }),
            Column::new("ContainerIds", "IDS", |row| row.shown.members.to_value()),
            Column::new("ContainerNames", "NAMES", |row| {
                row.joined(|member| &member.names)
            }),
            Column::new("ContainerStatuses", "STATUS", |row| {
                row.joined(|member| member.status)
            }),
            Column::new("Restarts", "RESTARTS", |row| {
                row.containers
                    .iter()
                    .map(|member| i64::from(member.restart_count))
                    .sum::<i64>()
                    .to_value()
            }),
            Column::new("Networks", "NETWORKS", |row| {
                row.networks.join(",").to_value()
            }),
        ];
        COLUMNS
    }
}

impl PodRow {
    fn joined<'a>(&'a self, field: impl Fn(&'a Member) -> &'a str) -> gotmpl::Value {
        let fields: Vec<&str> = self.containers.iter().map(field).collect();
        fields.join(",").to_value()
    }
}

/// Returns the rows of all pods, the youngest first as podman has them.
pub(in crate::cli) fn pods(scene: &Scene<'_>, width: Width) -> Vec<PodRow> {
    let pods = scene.observed.pods.iter().rev();
    pods.map(|pod| row(scene, pod, width)).collect()
}

fn row(scene: &Scene<'_>, pod: &ObservedPod, width: Width) -> PodRow {
    let record = &pod.record;
    let cut = |id: &str, short: &str| match width {
        Width::Cut => short.to_owned(),
        Width::Full => id.to_owned(),
    };
    let ids = pod
        .containers
        .iter()
        .map(|container| cut(container.id.as_str(), container.id.short()));
    PodRow {
        containers: pod
            .containers
            .iter()
            .map(|container| Member {
                id: container.id.to_string(),
                names: record.spec.full_name(&container.name),
                status: container.state.word(),
                restart_count: container.restarts,
            })
            .collect(),
        created: record.created.to_string(),
        id: record.id.to_string(),
        infra_id: record.infra.to_string(),
        name: record.spec.name.to_string(),
        namespace: String::new(),
        networks: networks(pod),
        status: pod.state().to_string(),
        labels: record.spec.labels.clone(),
        application: record.application.to_string(),
        shown: Shown {
            id: cut(record.id.as_str(), record.id.short()),
            infra: cut(record.infra.as_str(), record.infra.short()),
            members: ids.collect::<Vec<_>>().join(","),
            created: words::ago(scene.now, record.created),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::cli::output::{Format, Headings, Output};

    fn printed(format: &str, columns: &[&str]) -> String {
        let observed = fixture::observed();
        let scene = Scene::new(&observed, &[], fixture::at(fixture::NOW));
        let mut bytes = Vec::new();
        Output::new(&mut bytes)
            .rows(
                &pods(&scene, Width::Cut),
                &Format::parse(format).unwrap(),
                columns,
                Headings::Shown,
            )
            .unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_list_says_what_podman_says() {
        let columns = [PodRow::SHOWN.as_slice(), &["NumberOfContainers"]].concat();
        assert_eq!(
            printed("table", &columns),
            "\
POD ID        NAME  STATUS    CREATED            INFRA ID      # OF CONTAINERS
111111111111  web   Degraded  About an hour ago  ffffffffffff  4
"
        );
        assert_eq!(
            printed(
                "{{.Id}} {{.Name}} {{.NumberOfContainers}} {{.ContainerNames}} {{.ContainerStatuses}}",
                &[]
            ),
            "111111111111 web 4 web-a,web-b,web-c,web-d running,exited,exited,created\n"
        );
    }

    #[test]
    fn json_has_the_containers() {
        let value: serde_json::Value = serde_json::from_str(&printed("json", &[])).unwrap();
        assert_eq!(value[0]["Containers"][3]["Names"], "web-d");
        assert_eq!(value[0]["Created"], "2024-05-01T11:00:00Z");
    }
}
