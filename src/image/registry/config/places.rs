//! Where the files are: the environment's word, the user's own, the system's.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::image::registry::RegistryError;

/// Where this user's files are looked for.
#[derive(Debug, Clone, Default)]
pub struct Places {
    home: Option<PathBuf>,
    config: Option<PathBuf>,
    runtime: Option<PathBuf>,
    registries_conf: Option<PathBuf>,
    docker_config: Option<PathBuf>,
    system: PathBuf,
}

impl Places {
    /// Takes the places from the environment of this process.
    #[must_use]
    pub fn of_environment() -> Self {
        let get = |name: &str| {
            let set = std::env::var_os(name).filter(|value: &OsString| !value.is_empty());
            set.map(PathBuf::from)
        };
        let home = get("HOME");
        let uid = nix::unistd::geteuid();
        Self {
            config: get("XDG_CONFIG_HOME").or_else(|| Some(home.as_ref()?.join(".config"))),
            runtime: get("XDG_RUNTIME_DIR")
                .or_else(|| Some(PathBuf::from(format!("/run/containers/{uid}")))),
            registries_conf: get("CONTAINERS_REGISTRIES_CONF"),
            docker_config: get("DOCKER_CONFIG").or_else(|| Some(home.as_ref()?.join(".docker"))),
            system: PathBuf::from("/etc/containers"),
            home,
        }
    }

    /// Returns the files of `registries.conf(5)`: what a later one says counts.
    pub(super) fn registries(&self) -> Vec<PathBuf> {
        let own = self.config.as_ref().map(|config| config.join("containers"));
        if let Some(named) = &self.registries_conf {
            return vec![named.clone()];
        }
        let main = own
            .iter()
            .map(|own| own.join("registries.conf"))
            .find(|path| path.exists());
        let mut files = vec![main.unwrap_or_else(|| self.system.join("registries.conf"))];
        files.extend(drop_ins(&self.system.join("registries.conf.d")));
        files.extend(
            own.iter()
                .flat_map(|own| drop_ins(&own.join("registries.conf.d"))),
        );
        files
    }

    /// Returns the file that `login` writes: `containers-auth.json(5)`.
    pub(super) fn logins_to_write(&self) -> PathBuf {
        let runtime = self
            .runtime
            .clone()
            .unwrap_or_else(|| PathBuf::from("/run/containers/0"));
        // Root's is below `/run/containers/0` already; an XDG directory is shared with others.
        match runtime.starts_with("/run/containers") {
            true => runtime.join("auth.json"),
            false => runtime.join("containers/auth.json"),
        }
    }

    /// Returns the files that may know a password, in the order they are asked.
    pub(super) fn logins(&self) -> Vec<PathBuf> {
        let mut files = vec![self.logins_to_write()];
        files.extend(
            self.config
                .iter()
                .map(|config| config.join("containers/auth.json")),
        );
        files.extend(
            self.docker_config
                .iter()
                .map(|docker| docker.join("config.json")),
        );
        files.extend(self.home.iter().map(|home| home.join(".dockercfg")));
        files
    }

    /// Returns the directories that may have certificates for a registry.
    pub(in crate::image::registry) fn certificates(&self, host: &str) -> Vec<PathBuf> {
        let own = self
            .config
            .iter()
            .map(|config| config.join("containers/certs.d"));
        own.chain([
            self.system.join("certs.d"),
            PathBuf::from("/etc/docker/certs.d"),
        ])
        .map(|parent| parent.join(host))
        .collect()
    }

    /// Returns the file of the policy for images: the user's own, or the system's.
    pub(in crate::image::registry) fn policy(&self) -> PathBuf {
        let own = self
            .config
            .iter()
            .map(|config| config.join("containers/policy.json"));
        own.chain([self.system.join("policy.json")])
            .find(|path| path.exists())
            .unwrap_or_else(|| self.system.join("policy.json"))
    }
}

fn drop_ins(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "conf")
        })
        .collect();
    files.sort();
    files
}

/// Returns the text of a file, or none if there is no such file.
pub(in crate::image::registry) fn read(path: &Path) -> Result<Option<String>, RegistryError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(wrong(path, &error)),
    }
}

/// Says what is wrong with a file.
pub(in crate::image::registry) fn wrong(
    path: &Path,
    message: &dyn std::fmt::Display,
) -> RegistryError {
    RegistryError::Settings {
        path: path.to_owned(),
        message: message.to_string().trim_end().to_owned(),
    }
}
