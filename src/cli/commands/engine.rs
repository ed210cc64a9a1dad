//! `version` and `system locks`.

use std::io::Write;

use gotmpl::ToValue as _;
use serde::Serialize;

use super::super::error::Error;
use super::super::output::{Column, Format, Headings, Object, Output, Row};
use super::Context;
use crate::state::Holder;

/// The version, with podman's field names.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    client: Client,
}

impl Object for Version {
    fn for_templates(&self) -> Option<serde_json::Value> {
        // There is no service that could have a version of its own.
        Some(serde_json::json!({"Server": null}))
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Client {
    version: &'static str,
    os: &'static str,
    arch: &'static str,
    os_arch: String,
    kubernetes_version: &'static str,
}

/// The Kubernetes version whose types the manifests are read into.
const KUBERNETES: &str = "1.37";

/// Returns the machine's architecture in Go's words.
pub(super) fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Prints the version.
pub(super) fn version<W: Write>(
    format: Option<&Format>,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let arch = architecture();
    let version = Version {
        client: Client {
            version: env!("CARGO_PKG_VERSION"),
            os: std::env::consts::OS,
            arch,
            os_arch: format!("{}/{arch}", std::env::consts::OS),
            kubernetes_version: KUBERNETES,
        },
    };
    match format {
        None | Some(Format::Table) => {
            output.line(format_args!(
                "Version:             {}",
                version.client.version
            ))?;
            output.line(format_args!(
                "Kubernetes Version:  {}",
                version.client.kubernetes_version
            ))?;
            output.line(format_args!(
                "OS/Arch:             {}",
                version.client.os_arch
            ))?;
            Ok(output.flush()?)
        }
        Some(Format::Json) => Ok(output.json(&version)?),
        Some(format @ Format::Template { .. }) => Ok(output.objects(&[version], Some(format))?),
    }
}

/// A lock that is held or waited for.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct LockRow {
    lock: String,
    exclusive: bool,
    holders: Vec<String>,
    waiting: Vec<String>,
}

impl Row for LockRow {
    fn columns() -> &'static [Column<Self>] {
        const COLUMNS: &[Column<LockRow>] = &[
            Column {
                name: "Lock",
                heading: "LOCK",
                value: |row| row.lock.to_value(),
            },
            Column {
                name: "Holders",
                heading: "HELD BY",
                value: |row| row.holders.join(", ").to_value(),
            },
            Column {
                name: "Waiting",
                heading: "WAITING",
                value: |row| row.waiting.join(", ").to_value(),
            },
        ];
        COLUMNS
    }
}

/// Prints who holds which lock, and who waits.
pub(super) fn locks(context: &mut Context<'_>, format: Option<&Format>) -> Result<(), Error> {
    let word = |holder: &Option<Holder>| {
        holder
            .as_ref()
            .map_or_else(|| "unknown".to_owned(), ToString::to_string)
    };
    let states = context.engine("system locks")?.lock_holders()?;
    let rows: Vec<LockRow> = states
        .iter()
        .map(|state| LockRow {
            lock: state.lock.to_string(),
            exclusive: state.exclusive,
            holders: state.holders.iter().map(word).collect(),
            waiting: state.queue.iter().map(word).collect(),
        })
        .collect();
    let format = format.unwrap_or(&Format::Table);
    let columns = ["Lock", "Holders", "Waiting"];
    Ok(context
        .output
        .rows(&rows, format, &columns, Headings::Shown)?)
}
