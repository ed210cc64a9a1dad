//! Makes an image of one root file system tar, as `podman import` does.

use std::os::fd::OwnedFd;

use jiff::Timestamp;
use serde_json::json;

use super::ImageError;
use super::archive::{Input, ManifestSource, normalise, store_image};
use super::format::{ConfigFile, ContainerConfig, Dialect, RootFs, architecture};
use super::record::ImageRecord;
use super::store::{ContentLease, ContentStore, Workspace};
use super::unpack::{LayerSource, unpack_all};
use crate::names::{Digest, ImageRef};

/// What an imported image is to be.
#[derive(Debug, Clone)]
pub struct ImportOptions<'a> {
    /// Its name; one without registry is `localhost`'s.
    pub name: Option<&'a str>,
    /// Dockerfile instructions: `CMD /bin/sh`, `ENV=A=b`.
    pub changes: &'a [String],
    /// The comment in its history.
    pub message: &'a str,
    /// When it is made.
    pub created: Timestamp,
}

/// An image that was imported.
#[derive(Debug)]
pub struct Imported {
    /// The image.
    pub image: ImageRecord,
    /// What was left out of the tar, for a warning.
    pub notes: Vec<String>,
}

/// Makes an image whose one layer is the tar.
///
/// # Errors
/// A change or the name is invalid (nothing was read then), or the tar is refused.
pub fn import(
    store: &ContentStore,
    _lease: &ContentLease,
    input: Input<'_>,
    options: &ImportOptions<'_>,
) -> Result<Imported, ImageError> {
    let name = options
        .name
        .map(|name| normalise(name, "localhost"))
        .transpose()?;
    let mut config = ContainerConfig::default();
    for text in options.changes {
        change(&mut config, text)?;
    }
    let workspace = store.workspace()?;
    let layer = LayerSource {
        name: input.name().display().to_string(),
        file: OwnedFd::from(input.open()?),
        length: None,
        blob: None,
        diff_id: None,
    };
    let description = Description {
        names: name.into_iter().collect(),
        config,
        created: options.created,
        comment: options.message,
    };
    image_of_layer(store, &workspace, layer, description)
}

/// An image apart from its one layer.
pub(super) struct Description<'a> {
    pub(super) names: Vec<ImageRef>,
    pub(super) config: ContainerConfig,
    pub(super) created: Timestamp,
    pub(super) comment: &'a str,
}

pub(super) fn image_of_layer(
    store: &ContentStore,
    workspace: &Workspace,
    layer: LayerSource,
    description: Description<'_>,
) -> Result<Imported, ImageError> {
    let unpacked = unpack_all(store, workspace, vec![layer])?;
    let [layer] = unpacked.as_slice() else {
        return Err(ImageError::LayerCount {
            layers: unpacked.len(),
            diff_ids: 1,
        });
    };
    let created = description.created.to_string();
    let file = ConfigFile {
        created: Some(created.clone()),
        author: None,
        architecture: architecture().to_owned(),
        os: "linux".to_owned(),
        config: Some(description.config),
        rootfs: RootFs {
            kind: "layers".to_owned(),
            diff_ids: vec![layer.diff_id.clone()],
        },
        history: vec![history(&created, &layer.diff_id, description.comment)],
    };
    let config = serde_json::to_vec(&file).expect("a configuration of strings is JSON");
    let manifest = ManifestSource::Written(Dialect::Oci);
    let image = store_image(store, workspace, description.names, &config, manifest)?;
    Ok(Imported {
        image,
        notes: layer.notes.clone(),
    })
}

fn history(created: &str, layer: &Digest, comment: &str) -> serde_json::Value {
    let mut step = json!({
        "created": created,
        "created_by": format!("/bin/sh -c #(nop) ADD file:{} in /", layer.hex()),
    });
    if !comment.is_empty() {
        step["comment"] = json!(comment);
    }
    step
}

/// Applies one instruction, `KEYWORD VALUE` or `KEYWORD=VALUE`.
fn change(config: &mut ContainerConfig, text: &str) -> Result<(), ImageError> {
    let wrong = |rule| ImageError::Change {
        text: text.to_owned(),
        rule,
    };
    let (keyword, value) = text
        .trim()
        .split_once([' ', '=', '\t'])
        .ok_or_else(|| wrong("it is written `KEYWORD VALUE` or `KEYWORD=VALUE`"))?;
    let value = value.trim();
    match keyword.to_ascii_uppercase().as_str() {
        "CMD" => config.cmd = Some(command(value)),
        "ENTRYPOINT" => config.entrypoint = Some(command(value)),
        "ENV" => {
            let (name, value) = pair(value).ok_or_else(|| wrong("ENV takes NAME=VALUE"))?;
            let env = config.env.get_or_insert_default();
            env.retain(|other| other.split_once('=').is_none_or(|(key, _)| key != name));
            env.push(format!("{name}={value}"));
        }
        "LABEL" => {
            let (name, value) = pair(value).ok_or_else(|| wrong("LABEL takes NAME=VALUE"))?;
            config.labels.get_or_insert_default().insert(name, value);
        }
        "EXPOSE" => {
            let ports = value
                .split_whitespace()
                .map(port)
                .collect::<Option<Vec<_>>>();
            let ports = ports.ok_or_else(|| wrong("EXPOSE takes PORT[/tcp|udp|sctp]"))?;
            let set = config.exposed_ports.get_or_insert_default();
            set.extend(ports.into_iter().map(|port| (port, json!({}))));
        }
        "VOLUME" => {
            let paths = list(value).unwrap_or_else(|| words(value));
            let set = config.volumes.get_or_insert_default();
            set.extend(paths.into_iter().map(|path| (path, json!({}))));
        }
        "USER" => config.user = Some(value.to_owned()),
        "WORKDIR" => config.working_dir = Some(value.to_owned()),
        "STOPSIGNAL" => config.stop_signal = Some(value.to_owned()),
        "ONBUILD" => config
            .on_build
            .get_or_insert_default()
            .push(value.to_owned()),
        _ => {
            return Err(wrong(
                "only CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME and WORKDIR are known",
            ));
        }
    }
    Ok(())
}

/// Returns a command: a JSON list is taken as it is, anything else is for the shell.
fn command(value: &str) -> Vec<String> {
    list(value).unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned(), value.to_owned()])
}

fn list(value: &str) -> Option<Vec<String>> {
    serde_json::from_str(value).ok()
}

fn words(value: &str) -> Vec<String> {
    value.split_whitespace().map(str::to_owned).collect()
}

fn pair(text: &str) -> Option<(String, String)> {
    let (name, value) = text.split_once('=').or_else(|| text.split_once(' '))?;
    let value = value
        .strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'))
        .unwrap_or(value);
    (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
}

fn port(text: &str) -> Option<String> {
    let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    number.parse::<u16>().ok()?;
    matches!(protocol, "tcp" | "udp" | "sctp").then(|| format!("{number}/{protocol}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_read_as_podman_reads_them() {
        let mut config = ContainerConfig::default();
        for text in [
            "CMD=/bin/sh",
            r#"ENTRYPOINT ["/a", "b c"]"#,
            "ENV A=b",
            "ENV A=c=d",
            "EXPOSE 8080/tcp 53/udp 9",
            r#"VOLUME ["/data"]"#,
            "volume /x /y",
            r#"LABEL note="a b""#,
            "USER 1000:1",
            "WORKDIR=/srv",
            "STOPSIGNAL SIGINT",
        ] {
            change(&mut config, text).unwrap();
        }
        assert_eq!(
            serde_json::to_value(&config).unwrap(),
            json!({
                "User": "1000:1",
                "ExposedPorts": {"53/udp": {}, "8080/tcp": {}, "9/tcp": {}},
                "Env": ["A=c=d"],
                "Entrypoint": ["/a", "b c"],
                "Cmd": ["/bin/sh", "-c", "/bin/sh"],
                "Volumes": {"/data": {}, "/x": {}, "/y": {}},
                "WorkingDir": "/srv",
                "Labels": {"note": "a b"},
                "StopSignal": "SIGINT",
            })
        );
    }

    #[test]
    fn a_change_nobody_knows_is_refused() {
        for text in ["RUN ls", "CMD", "EXPOSE a", "ENV X", "EXPOSE 70000"] {
            let mut config = ContainerConfig::default();
            assert!(change(&mut config, text).is_err(), "{text}");
        }
    }
}
