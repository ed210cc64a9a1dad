//! `version`.

use std::io::Write;

use serde::Serialize;

use super::super::error::Error;
use super::super::output::{Format, Output};

/// The version, with podman's field names.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    client: Client,
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

/// Prints the version.
pub(super) fn version<W: Write>(
    format: Option<&Format>,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
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
