//! `kube generate`: from pods and named volumes back to YAML.

use std::fs::OpenOptions;
use std::io::Write as _;

use super::super::args::{Generate, WorkloadKind};
use super::super::error::Error;
use super::Context;
use super::find;
use crate::clock::{Clock as _, SystemClock};
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
            Err(error) => match volume.and_then(|name| observed.volume(&name)) {
                Some(volume) => volumes.push(volume.spec.clone()),
                None => return Err(error),
            },
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
    // A file that is there is not written over, and a link is not followed: `O_EXCL` refuses both.
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|source| Error::File {
        doing: "writing",
        path: path.clone(),
        source,
    })
}

fn controller(generate: &Generate) -> Result<Option<Controller>, Error> {
    let replicas = generate
        .replicas
        .map(|replicas| i32::try_from(replicas).unwrap_or(i32::MAX));
    match (generate.kind, replicas) {
        (WorkloadKind::Deployment, replicas) => Ok(Some(Controller::Deployment { replicas })),
        (_, Some(_)) => Err(Error::Usage {
            message: "--replicas is for a Deployment only".to_owned(),
            help: Some("give `--type deployment` with it"),
        }),
        (WorkloadKind::Pod, None) => Ok(None),
        (WorkloadKind::Daemonset, None) => Ok(Some(Controller::DaemonSet)),
        (WorkloadKind::Job, None) => Ok(Some(Controller::Job)),
    }
}
