//! Opens the installation that the global flags name.

use std::path::PathBuf;

use super::super::args::Global;
use super::super::error::Error;
use super::super::output::tell;
use crate::engine::Engine;
use crate::engine::paths::Paths;
use crate::state::Blocked;

/// Returns where everything lies: what the flags say, else the places for this user.
pub(super) fn paths(global: &Global) -> Paths {
    let root_user = nix::unistd::geteuid().is_root();
    let of_user = |variable: &str, fallback: &str| -> PathBuf {
        std::env::var_os(variable)
            .filter(|value| !value.is_empty())
            .map_or_else(
                || {
                    let home = std::env::var_os("HOME").unwrap_or_default();
                    PathBuf::from(home).join(fallback)
                },
                PathBuf::from,
            )
            .join("podwright")
    };
    let default_root = || match root_user {
        true => PathBuf::from(Paths::DEFAULT_ROOT),
        false => of_user("XDG_DATA_HOME", ".local/share"),
    };
    let default_runroot = || match root_user {
        true => PathBuf::from(Paths::DEFAULT_RUNROOT),
        false => of_user("XDG_RUNTIME_DIR", ".local/run"),
    };
    let root = global.root.clone().unwrap_or_else(default_root);
    let cgroup = global.cgroup_parent.as_ref();
    Paths {
        cgroup_parent: cgroup.map_or_else(
            || Paths::cgroup_parent_of(&root),
            |path| path.to_string_lossy().into_owned(),
        ),
        root,
        runroot: global.runroot.clone().unwrap_or_else(default_runroot),
        runtime: global.runtime.clone(),
    }
}

/// Opens the installation for a command that changes something: what others died in the middle of is ended first.
pub(super) fn settled(global: &Global, command: &str) -> Result<Engine, Error> {
    let mut engine = unsettled(global, command)?;
    for recovered in engine.recover()? {
        if let Some(failure) = recovered.failure {
            let by = recovered.by;
            tell(&format!(
                "warning: what `{by}` was doing when it was killed could not be ended: {failure}\n"
            ));
        }
    }
    Ok(engine)
}

/// Opens the installation for a command that others may have to wait for.
pub(super) fn engine(global: &Global, command: &str) -> Result<Engine, Error> {
    let engine = unsettled(global, command)?;
    // Who only reads tells what is there; that the repair cannot begin is no fault of the answer.
    let _ = engine.recover_soon();
    Ok(engine)
}

/// Opens the installation and nothing more.
pub(super) fn unsettled(global: &Global, command: &str) -> Result<Engine, Error> {
    let paths = paths(global);
    let absolute = |path: &PathBuf| {
        std::path::absolute(path).map_err(|source| Error::File {
            doing: "finding",
            path: path.clone(),
            source,
        })
    };
    let paths = Paths {
        root: absolute(&paths.root)?,
        runroot: absolute(&paths.runroot)?,
        ..paths
    };
    let mut engine = Engine::open(paths, command, std::sync::Arc::new(report_wait))?;
    engine.act_on_at_once(global.parallel);
    Ok(engine)
}

/// Tells who holds what this command waits for.
fn report_wait(blocked: &Blocked) {
    tell(&format!("{blocked}\n"));
}
