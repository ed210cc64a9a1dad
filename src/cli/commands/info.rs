//! `info`: what the engine found on this host.

use std::path::Path;

use serde::Serialize;

use super::super::error::Error;
use super::super::output::{Format, Object};
use super::Context;
use crate::engine::Engine;

/// The host and the store, with podman's field names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    host: Host,
    store: Store,
    version: Version,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Host {
    arch: &'static str,
    cgroup_version: &'static str,
    cgroup_manager: &'static str,
    cpus: usize,
    hostname: String,
    kernel: String,
    log_driver: &'static str,
    network_backend: &'static str,
    oci_runtime: Runtime,
    os: &'static str,
    security: Security,
}

#[derive(Serialize)]
struct Runtime {
    name: String,
    path: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Security {
    rootless: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Store {
    graph_driver_name: &'static str,
    graph_root: String,
    run_root: String,
    image_store: Count,
    container_store: Containers,
    pod_store: Count,
}

#[derive(Serialize)]
struct Count {
    number: usize,
}

#[derive(Serialize)]
struct Containers {
    number: usize,
    running: usize,
    stopped: usize,
}

#[derive(Serialize)]
struct Version {
    version: &'static str,
}

impl Object for Info {
    /// Templates name the fields as podman's Go structs do: `{{.Host.OCIRuntime.Name}}`.
    fn for_templates(&self) -> Option<gotmpl::Value> {
        let json = serde_json::to_value(self).ok()?;
        gotmpl::to_value(&capitalised(json)).ok()
    }
}

fn capitalised(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| (go_name(&name), capitalised(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        other => other,
    }
}

fn go_name(name: &str) -> String {
    match name {
        "ociRuntime" => "OCIRuntime".to_owned(),
        "cpus" => "CPUs".to_owned(),
        "cgroupVersion" => "CgroupsVersion".to_owned(),
        _ => {
            let mut letters = name.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect()
        }
    }
}

/// Prints what the engine found.
pub(super) fn info(context: &mut Context<'_>, format: Option<&Format>) -> Result<(), Error> {
    let engine = context.engine("info")?;
    let info = gather(&engine)?;
    match format {
        Some(format @ Format::Template { .. }) => {
            Ok(context.output.objects(&[info], Some(format))?)
        }
        Some(Format::Json) => Ok(context.output.json(&info)?),
        None | Some(Format::Table) => {
            let value = serde_json::to_value(&info).unwrap_or_default();
            print(context, &value, 0)?;
            Ok(context.output.flush()?)
        }
    }
}

/// Prints fields one a line, as podman's YAML has them.
fn print(context: &mut Context<'_>, value: &serde_json::Value, depth: usize) -> Result<(), Error> {
    let serde_json::Value::Object(fields) = value else {
        return Ok(());
    };
    for (name, value) in fields {
        let indent = "  ".repeat(depth);
        match value {
            serde_json::Value::Object(_) => {
                context.output.line(format_args!("{indent}{name}:"))?;
                print(context, value, depth + 1)?;
            }
            serde_json::Value::String(text) => {
                context
                    .output
                    .line(format_args!("{indent}{name}: {text}"))?;
            }
            other => context
                .output
                .line(format_args!("{indent}{name}: {other}"))?,
        }
    }
    Ok(())
}

fn gather(engine: &Engine) -> Result<Info, Error> {
    let observed = engine.observed()?;
    let containers: Vec<_> = observed
        .pods
        .iter()
        .flat_map(|pod| &pod.containers)
        .collect();
    let running = containers
        .iter()
        .filter(|container| container.state.is_running())
        .count();
    let paths = engine.paths();
    let own = |path: &Path| path.display().to_string();
    let system = nix::sys::utsname::uname().ok();
    let of_system = |field: fn(&nix::sys::utsname::UtsName) -> &std::ffi::OsStr| {
        let found = system.as_ref().map(field);
        found
            .map(|text| text.to_string_lossy().into_owned())
            .unwrap_or_default()
    };
    let unified = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    Ok(Info {
        host: Host {
            arch: super::engine::architecture(),
            cgroup_version: if unified { "v2" } else { "v1" },
            cgroup_manager: "cgroupfs",
            cpus: std::thread::available_parallelism().map_or(1, usize::from),
            hostname: of_system(|system| system.nodename()),
            kernel: of_system(|system| system.release()),
            log_driver: "k8s-file",
            network_backend: "podwright",
            oci_runtime: match &paths.runtime {
                Some(path) => Runtime {
                    name: path
                        .file_name()
                        .map(|name| name.to_string_lossy().into_owned())
                        .unwrap_or_default(),
                    path: own(path),
                },
                None => Runtime {
                    name: "libcontainer".to_owned(),
                    path: String::new(),
                },
            },
            os: std::env::consts::OS,
            security: Security {
                rootless: !nix::unistd::geteuid().is_root(),
            },
        },
        store: Store {
            graph_driver_name: "overlay",
            graph_root: own(&paths.root),
            run_root: own(&paths.runroot),
            image_store: Count {
                number: engine.image_records()?.len(),
            },
            container_store: Containers {
                number: containers.len(),
                running,
                stopped: containers.len() - running,
            },
            pod_store: Count {
                number: observed.pods.len(),
            },
        },
        version: Version {
            version: env!("CARGO_PKG_VERSION"),
        },
    })
}
