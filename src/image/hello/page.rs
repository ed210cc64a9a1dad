//! What the server shows: the pod as a process in it sees it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

/// The pod from inside.
#[derive(Debug, Serialize)]
pub(super) struct Page {
    pod: String,
    hostname: String,
    addresses: Vec<Address>,
    user: u32,
    group: u32,
    process: u32,
    pub(super) environment: BTreeMap<String, String>,
    mounts: Vec<Mount>,
}

#[derive(Debug, Serialize)]
struct Address {
    interface: String,
    address: String,
}

#[derive(Debug, Serialize)]
struct Mount {
    path: String,
    kind: String,
    options: String,
}

impl Page {
    /// Looks around.
    pub(super) fn look() -> Self {
        let environment: BTreeMap<String, String> = std::env::vars_os()
            .map(|(name, value)| {
                let text = |os: std::ffi::OsString| os.to_string_lossy().into_owned();
                (text(name), text(value))
            })
            .collect();
        let hostname = nix::unistd::gethostname()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        Self {
            pod: ["POD_NAME", "HOSTNAME"]
                .iter()
                .find_map(|name| environment.get(*name).cloned())
                .unwrap_or_else(|| hostname.clone()),
            hostname,
            addresses: addresses(),
            user: nix::unistd::geteuid().as_raw(),
            group: nix::unistd::getegid().as_raw(),
            process: std::process::id(),
            environment,
            mounts: mounts(),
        }
    }

    /// Returns everything as lines to read.
    pub(super) fn text(&self) -> String {
        let mut text = String::from("Hello from podwright.\n\n");
        let mut line = |name: &str, value: &dyn std::fmt::Display| {
            writeln!(text, "{name:<12}{value}").expect("writing to a string cannot fail");
        };
        line("pod", &self.pod);
        line("hostname", &self.hostname);
        for address in &self.addresses {
            let shown = format!("{} ({})", address.address, address.interface);
            line("address", &shown);
        }
        line("user", &format_args!("{}:{}", self.user, self.group));
        line("process", &self.process);
        text.push_str("\nenvironment\n");
        for entry in self.environment_text().lines() {
            writeln!(text, "  {entry}").expect("writing to a string cannot fail");
        }
        text.push_str("\nmounts\n");
        for mount in &self.mounts {
            writeln!(text, "  {} {} {}", mount.path, mount.kind, mount.options)
                .expect("writing to a string cannot fail");
        }
        text
    }

    /// Returns the environment, a variable a line.
    pub(super) fn environment_text(&self) -> String {
        self.environment
            .iter()
            .map(|(name, value)| format!("{name}={value}\n"))
            .collect()
    }
}

/// Returns a text as a page for a browser.
pub(super) fn html(text: &str) -> String {
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>podwright</title>\n<pre>{escaped}</pre></html>\n"
    )
}

fn addresses() -> Vec<Address> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else {
        return Vec::new();
    };
    interfaces
        .filter_map(|interface| {
            let storage = interface.address?;
            let address = if let Some(v4) = storage.as_sockaddr_in() {
                v4.ip().to_string()
            } else {
                storage.as_sockaddr_in6()?.ip().to_string()
            };
            Some(Address {
                interface: interface.interface_name,
                address,
            })
        })
        .collect()
}

fn mounts() -> Vec<Mount> {
    std::fs::read_to_string("/proc/self/mounts")
        .unwrap_or_default()
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1).map(str::to_owned);
            Some(Mount {
                path: fields.next()?,
                kind: fields.next()?,
                options: fields.next()?,
            })
        })
        .collect()
}
