//! `kube generate`: from pods and named volumes back to YAML.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use super::super::args::{Generate, WorkloadKind};
use super::super::error::{Error, usage};
use super::Context;
use super::find;
use crate::clock::{Clock as _, SystemClock};
use crate::model::observed::Observed;
use crate::model::pod::PodSpec;
use crate::model::volume::NamedVolumeSpec;
use crate::names::VolumeName;
use crate::translate::{Controller, GenerateOptions, documents};

/// Writes manifests of pods and volumes.
pub(super) fn generate(context: &mut Context<'_>, generate: &Generate) -> Result<(), Error> {
    let observed = context.engine("kube generate")?.observed()?;
    let mut pods: Vec<PodSpec> = Vec::new();
    let mut volumes: Vec<NamedVolumeSpec> = Vec::new();
    for name in &generate.names {
        let volume = VolumeName::parse(name).ok();
        match find::pod(&observed, name) {
            Ok(pod) => pods.push(pod.record.spec.clone()),
            Err(Error::NoSuch { .. }) => match volume.and_then(|name| observed.volume(&name)) {
                Some(volume) => volumes.push(volume.spec.clone()),
                None => return Err(no_pod(&observed, name)),
            },
            Err(error) => return Err(error),
        }
    }
    let options = GenerateOptions {
        controller: controller(generate)?,
        service: generate.service,
        created: Some(SystemClock.now()),
    };
    let text = documents(&pods, &volumes, &options)?;
    let Some(path) = &generate.filename else {
        context.output.bytes(text.as_bytes())?;
        return Ok(context.output.flush()?);
    };
    write_new(path, text.as_bytes())
}

/// Writes a file that is not there yet: `O_EXCL` refuses one that is, and follows no link.
fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::File {
        doing: "writing",
        path: path.to_owned(),
        source,
    };
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            return Err(usage(format!("cannot write to {path:?}; file exists")));
        }
        Err(error) => return Err(failed(error)),
    };
    file.write_all(bytes).map_err(|error| {
        // Half a manifest would pass for a whole one.
        let _ = std::fs::remove_file(path);
        failed(error)
    })
}

fn no_pod(observed: &Observed, name: &str) -> Error {
    match find::container(observed, name) {
        Ok(found) => {
            let pod = &found.pod.record.spec.name;
            Error::Usage {
                message: format!("container {name} is associated with pod {pod}"),
                help: Some("`kube generate` writes whole pods: name the pod"),
            }
        }
        Err(_) => usage(format!("name or ID {name:?} not found")),
    }
}

fn controller(generate: &Generate) -> Result<Option<Controller>, Error> {
    let replicas = generate
        .replicas
        .map(|replicas| i32::try_from(replicas).unwrap_or(i32::MAX));
    match (generate.kind, replicas) {
        (WorkloadKind::Deployment, replicas) => Ok(Some(Controller::Deployment { replicas })),
        (_, Some(_)) => Err(Error::Usage {
            message: "--replicas can only be set when --type is set to deployment".to_owned(),
            help: Some("give `--type deployment` with it"),
        }),
        (WorkloadKind::Pod, None) => Ok(None),
        (WorkloadKind::Daemonset, None) => Ok(Some(Controller::DaemonSet)),
        (WorkloadKind::Job, None) => Ok(Some(Controller::Job)),
    }
}
