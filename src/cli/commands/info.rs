//! `info`: what the engine found on this host.

use std::path::Path;

use serde::Serialize;

use super::super::error::Error;
use super::super::output::{Format, Object};
use super::Context;
use crate::engine::Engine;
use crate::engine::launch::capabilities;
use crate::engine::launch::host::own_capabilities;
use crate::model::container::Privileges;

/// The host and the store, with podman's field names.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    host: Host,
    store: Store,
    plugins: Plugins,
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
    distribution: Distribution,
    mem_total: u64,
    mem_free: u64,
    swap_total: u64,
    swap_free: u64,
    uptime: String,
    service_is_remote: bool,
    security: Security,
}

#[derive(Serialize)]
struct Distribution {
    distribution: String,
    version: String,
    codename: String,
}

/// What there is to choose from, in podman's words.
#[derive(Serialize)]
struct Plugins {
    volume: [&'static str; 1],
    network: [&'static str; 1],
    log: [&'static str; 1],
}

#[derive(Serialize)]
struct Runtime {
    name: String,
    path: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Security {
    apparmor_enabled: bool,
    capabilities: String,
    rootless: bool,
    seccomp_enabled: bool,
    selinux_enabled: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Store {
    graph_driver_name: &'static str,
    graph_options: std::collections::BTreeMap<String, String>,
    graph_root: String,
    run_root: String,
    volume_path: String,
    graph_root_allocated: u64,
    graph_root_used: u64,
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
    paused: usize,
    running: usize,
    stopped: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Version {
    version: &'static str,
    os: &'static str,
    os_arch: String,
}

impl Object for Info {
    /// Templates name the fields as podman's Go structs do: `{{.Host.OCIRuntime.Name}}`.
    fn for_templates(&self) -> Option<serde_json::Value> {
        serde_json::to_value(self).ok().map(capitalised)
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
        "os" => "OS".to_owned(),
        "apparmorEnabled" => "AppArmorEnabled".to_owned(),
        "capabilities" => "DefaultCapabilities".to_owned(),
        "seccompEnabled" => "SECCOMPEnabled".to_owned(),
        "selinuxEnabled" => "SELinuxEnabled".to_owned(),
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
    let (allocated, used) = disk(&paths.root);
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
                    name: "podwright".to_owned(),
                    path: String::new(),
                },
            },
            os: std::env::consts::OS,
            distribution: distribution(
                &std::fs::read_to_string("/etc/os-release").unwrap_or_default(),
            ),
            mem_total: memory("MemTotal"),
            mem_free: memory("MemFree"),
            swap_total: memory("SwapTotal"),
            swap_free: memory("SwapFree"),
            uptime: uptime(),
            service_is_remote: false,
            security: Security {
                apparmor_enabled: false,
                capabilities: default_capabilities(),
                rootless: !nix::unistd::geteuid().is_root(),
                seccomp_enabled: true,
                selinux_enabled: false,
            },
        },
        store: Store {
            graph_driver_name: "overlay",
            graph_options: std::collections::BTreeMap::new(),
            graph_root: own(&paths.root),
            run_root: own(&paths.runroot),
            volume_path: own(&paths.volumes()),
            graph_root_allocated: allocated,
            graph_root_used: used,
            image_store: Count {
                number: engine.image_records()?.len(),
            },
            container_store: Containers {
                number: containers.len(),
                paused: 0,
                running,
                stopped: containers.len() - running,
            },
            pod_store: Count {
                number: observed.pods.len(),
            },
        },
        plugins: Plugins {
            volume: ["local"],
            network: ["bridge"],
            log: ["k8s-file"],
        },
        version: Version {
            version: env!("CARGO_PKG_VERSION"),
            os: std::env::consts::OS,
            os_arch: format!("{}/{}", std::env::consts::OS, super::engine::architecture()),
        },
    })
}

/// Returns how large the file system of the root is, and how much of it is used.
fn disk(root: &Path) -> (u64, u64) {
    match nix::sys::statvfs::statvfs(root) {
        Ok(disk) => {
            let total = disk.blocks().saturating_mul(disk.fragment_size());
            let free = disk.blocks_free().saturating_mul(disk.fragment_size());
            (total, total.saturating_sub(free))
        }
        Err(_) => (0, 0),
    }
}

/// Returns an amount of `/proc/meminfo`, which counts in KiB.
fn memory(field: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    lines
        .find(|(name, _)| *name == field)
        .and_then(|(_, value)| value.split_whitespace().next()?.parse::<u64>().ok())
        .map_or(0, |kibibytes| kibibytes.saturating_mul(1024))
}

/// Returns how long the host is up, in podman's words.
fn uptime() -> String {
    let text = std::fs::read_to_string("/proc/uptime").unwrap_or_default();
    let whole = text.split('.').next().unwrap_or_default();
    let seconds: u64 = whole.parse().unwrap_or_default();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let days = (hours * 100 + 12) / 24;
    let short = format!("{hours}h {minutes}m {}.00s", seconds % 60);
    match hours {
        0 => short,
        _ => format!(
            "{short} (Approximately {}.{:02} days)",
            days / 100,
            days % 100
        ),
    }
}

/// Returns the distribution that an os-release(5) names, in podman's words.
fn distribution(os_release: &str) -> Distribution {
    let field = |name: &str| {
        let mut lines = os_release.lines().filter_map(|line| line.split_once('='));
        lines
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.trim_matches('"').to_owned())
    };
    let known = |name| field(name).unwrap_or_else(|| "unknown".to_owned());
    Distribution {
        distribution: known("ID"),
        version: known("VERSION_ID"),
        codename: field("VERSION_CODENAME").unwrap_or_default(),
    }
}

/// Returns what a container may do that asks for nothing.
fn default_capabilities() -> String {
    let host = own_capabilities().unwrap_or_default();
    let set = capabilities::bounding(&Privileges::default(), &host).unwrap_or_default();
    let names: Vec<String> = set
        .iter()
        .map(|one| format!("CAP_{}", one.as_str()))
        .collect();
    names.join(",")
}

#[cfg(test)]
mod tests {
    use super::distribution;

    #[test]
    fn a_distribution_without_versions_is_of_an_unknown_one() {
        let told = |text| {
            let told = distribution(text);
            [told.distribution, told.version, told.codename]
        };
        let stable = "ID=debian\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";
        assert_eq!(told(stable), ["debian", "12", "bookworm"]);
        assert_eq!(
            told("ID=debian\nVERSION_CODENAME=forky\n"),
            ["debian", "unknown", "forky"]
        );
        assert_eq!(told(""), ["unknown", "unknown", ""]);
    }
}
