//! The rows of `images`, and `image inspect`.

use gotmpl::ToValue as _;
use jiff::Timestamp;
use serde::Serialize;

use super::super::output::{Column, Object, Row, moment};
use super::{Width, words};
use crate::image::{ImageDetails, ImageRecord};
use crate::names::ImageRef;

/// A name of an image in a list, with podman's fields; an image without a name has one row too.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cli) struct ImageRow {
    pub(in crate::cli) id: String,
    parent_id: &'static str,
    repo_tags: Vec<String>,
    repo_digests: Vec<String>,
    pub(in crate::cli) size: u64,
    shared_size: u64,
    virtual_size: u64,
    pub(in crate::cli) labels: std::collections::BTreeMap<String, String>,
    containers: usize,
    names: Vec<String>,
    digest: String,
    history: Vec<String>,
    pub(in crate::cli) created: i64,
    created_at: String,
    #[serde(skip)]
    pub(in crate::cli) repository: String,
    #[serde(skip)]
    pub(in crate::cli) tag: String,
    #[serde(skip)]
    shown_id: String,
    #[serde(skip)]
    created_since: String,
    #[serde(skip)]
    moment: Timestamp,
}

impl ImageRow {
    pub(in crate::cli) const SHOWN: [&'static str; 5] =
        ["Repository", "Tag", "ID", "Created", "Size"];
    pub(in crate::cli) const WITH_DIGESTS: [&'static str; 6] =
        ["Repository", "Tag", "Digest", "ID", "Created", "Size"];
}

impl Row for ImageRow {
    fn columns() -> &'static [Column<Self>] {
        const COLUMNS: &[Column<ImageRow>] = &[
            Column::new("Repository", "REPOSITORY", |row| row.repository.to_value()),
            Column::new("Tag", "TAG", |row| row.tag.to_value()),
            Column::new("Digest", "DIGEST", |row| row.digest.to_value()),
            Column::new("ID", "IMAGE ID", |row| row.shown_id.to_value()),
            Column::new("Id", "ID", |row| row.id.to_value()),
            Column::new("CreatedAt", "CREATED AT", |row| {
                moment(row.moment).to_value()
            }),
            Column::new("CreatedTime", "CREATED TIME", |row| {
                moment(row.moment).to_value()
            }),
            Column::new("Dangling", "DANGLING", |row| {
                row.names.is_empty().to_value()
            }),
            Column::new("ReadOnly", "READ ONLY", |_| false.to_value()),
            Column::new("History", "HISTORY", |row| {
                row.history.join(", ").to_value()
            }),
            Column::new("Created", "CREATED", |row| row.created_since.to_value()),
            Column::new("CreatedSince", "CREATED", |row| {
                row.created_since.to_value()
            }),
            Column::new("Size", "SIZE", |row| words::size(row.size).to_value()),
        ];
        COLUMNS
    }
}

/// Returns a row for every name of every image, the youngest image first.
pub(in crate::cli) fn images(
    records: &[ImageRecord],
    in_use: impl Fn(&ImageRecord) -> usize,
    now: Timestamp,
    width: Width,
) -> Vec<ImageRow> {
    let mut sorted: Vec<&ImageRecord> = records.iter().collect();
    sorted.sort_by_key(|image| std::cmp::Reverse(image.created));
    sorted
        .into_iter()
        .flat_map(|image| {
            let names: Vec<Option<&ImageRef>> = match image.names.as_slice() {
                [] => vec![None],
                names => names.iter().map(Some).collect(),
            };
            let containers = in_use(image);
            names.into_iter().map(move |name| (image, name, containers))
        })
        .map(|(image, name, containers)| row(image, name, containers, now, width))
        .collect()
}

fn row(
    image: &ImageRecord,
    name: Option<&ImageRef>,
    containers: usize,
    now: Timestamp,
    width: Width,
) -> ImageRow {
    let names = repo_tags(image);
    let none = || "<none>".to_owned();
    ImageRow {
        id: image.id.to_string(),
        parent_id: "",
        repo_tags: names.clone(),
        repo_digests: repo_digests(image),
        size: image.size,
        shared_size: 0,
        virtual_size: image.size,
        labels: image.config.labels.clone(),
        containers,
        history: names.clone(),
        names,
        digest: image.digest.to_string(),
        created: image.created.as_second(),
        created_at: image.created.to_string(),
        repository: name.map_or_else(none, ImageRef::name),
        tag: name
            .and_then(|name| name.tag().map(str::to_owned))
            .unwrap_or_else(none),
        shown_id: match width {
            Width::Cut => image.id.short().to_owned(),
            Width::Full => format!("sha256:{}", image.id),
        },
        created_since: words::ago(now, image.created),
        moment: image.created,
    }
}

/// Returns the names with tags; one that is a digest stands among the digests.
fn repo_tags(image: &ImageRecord) -> Vec<String> {
    let tagged = image.names.iter().filter(|name| name.digest().is_none());
    tagged.map(ToString::to_string).collect()
}

fn repo_digests(image: &ImageRecord) -> Vec<String> {
    let mut digests = Vec::new();
    for name in &image.names {
        let digest = name.digest().unwrap_or(&image.digest);
        let text = format!("{}@{digest}", name.name());
        if !digests.contains(&text) {
            digests.push(text);
        }
    }
    digests
}

/// All that is known of an image, with podman's fields.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::cli) struct ImageInspect {
    id: String,
    digest: String,
    repo_tags: Vec<String>,
    repo_digests: Vec<String>,
    comment: String,
    created: String,
    config: Config,
    author: String,
    architecture: String,
    os: String,
    size: u64,
    virtual_size: u64,
    #[serde(rename = "RootFS")]
    root_fs: RootFs,
    labels: std::collections::BTreeMap<String, String>,
    manifest_type: String,
    user: String,
    history: Vec<serde_json::Value>,
    names_history: Vec<String>,
}

#[derive(Debug, Serialize)]
struct RootFs {
    #[serde(rename = "Type")]
    kind: &'static str,
    #[serde(rename = "Layers")]
    layers: Vec<String>,
}

/// The image's configuration as OCI writes it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Config {
    user: String,
    exposed_ports: serde_json::Map<String, serde_json::Value>,
    env: Vec<String>,
    entrypoint: Vec<String>,
    cmd: Vec<String>,
    volumes: serde_json::Map<String, serde_json::Value>,
    working_dir: String,
    labels: std::collections::BTreeMap<String, String>,
    stop_signal: String,
}

impl Object for ImageInspect {
    /// Fields of podman that say nothing of any image here.
    fn for_templates(&self) -> Option<serde_json::Value> {
        Some(serde_json::json!({
            "Parent": "",
            "Version": "",
            "HealthCheck": null,
            "Annotations": {},
            "GraphDriver": {"Name": "overlay", "Data": {}},
        }))
    }
}

impl ImageInspect {
    /// Puts together what is known of an image.
    pub(in crate::cli) fn new(image: ImageRecord, details: ImageDetails) -> Self {
        let names: Vec<String> = image.names.iter().map(ToString::to_string).collect();
        let set = |words: std::collections::BTreeSet<String>| {
            let entries = words.into_iter().map(|word| (word, serde_json::json!({})));
            entries.collect::<serde_json::Map<_, _>>()
        };
        Self {
            repo_digests: repo_digests(&image),
            repo_tags: names.clone(),
            names_history: names,
            id: image.id.to_string(),
            digest: image.digest.to_string(),
            comment: details.comment().to_owned(),
            created: image.created.to_string(),
            author: details.author,
            architecture: image.architecture,
            os: image.os,
            size: image.size,
            virtual_size: image.size,
            root_fs: RootFs {
                kind: "layers",
                layers: image.layers.iter().map(ToString::to_string).collect(),
            },
            labels: image.config.labels.clone(),
            manifest_type: details.manifest_type,
            user: image.config.user.clone(),
            history: details.history,
            config: Config {
                user: image.config.user,
                exposed_ports: set(image.config.exposed_ports),
                env: image.config.env,
                entrypoint: image.config.entrypoint,
                cmd: image.config.cmd,
                volumes: set(image.config.volumes),
                working_dir: image.config.working_dir,
                labels: image.config.labels,
                stop_signal: image.config.stop_signal.unwrap_or_default(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture;
    use super::*;
    use crate::cli::output::{Format, Headings, Output};

    #[test]
    fn a_list_says_what_podman_says() {
        let mut nameless = fixture::image();
        nameless.names.clear();
        let rows = images(
            &[fixture::image(), nameless],
            |_| 0,
            fixture::at(fixture::NOW),
            Width::Cut,
        );
        let mut bytes = Vec::new();
        Output::new(&mut bytes)
            .rows(&rows, &Format::Table, &ImageRow::SHOWN, Headings::Shown)
            .unwrap();
        assert_eq!(
            String::from_utf8(bytes).unwrap(),
            "\
REPOSITORY    TAG     IMAGE ID      CREATED      SIZE
localhost/bb  latest  eeeeeeeeeeee  4 weeks ago  2 MB
<none>        <none>  eeeeeeeeeeee  4 weeks ago  2 MB
"
        );
    }
}
