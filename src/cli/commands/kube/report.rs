//! What a play or a take-down did, as text and as JSON.

use std::io::Write;

use serde::Serialize;

use super::super::super::error::Error;
use super::super::super::output::{Format, Output};
use crate::engine::execute::Report;
use crate::names::PodName;
use crate::plan::Plan;

pub(super) fn print_plan<W: Write>(
    plan: &Plan,
    format: Option<&Format>,
    output: &mut Output<W>,
) -> Result<(), Error> {
    match format {
        Some(Format::Json) => Ok(output.json(plan)?),
        _ => {
            for action in &plan.0 {
                output.line(format_args!("{action}"))?;
            }
            Ok(output.flush()?)
        }
    }
}

/// What a play did, with podman's field names as far as it has them.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Played {
    /// What was created.
    pods: Vec<PlayedPod>,
    /// The pods that were as they are wanted.
    kept: Vec<Named>,
    /// The ids of the pods whose place another one took.
    replaced: Vec<String>,
    volumes: Vec<String>,
    secrets: Vec<String>,
    warnings: Vec<String>,
    /// Why nothing was played.
    failed: Vec<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct PlayedPod {
    #[serde(rename = "ID")]
    id: String,
    name: String,
    containers: Vec<String>,
    container_errors: Option<Vec<String>>,
}

#[derive(Serialize)]
struct Named {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Name")]
    name: String,
}

/// Why a play failed; without a name it is about all of it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Failure {
    name: Option<String>,
    message: String,
}

impl Failure {
    pub(super) fn new(pod: Option<PodName>, message: String) -> Self {
        Self {
            name: pod.map(|pod| pod.to_string()),
            message,
        }
    }
}

impl Played {
    fn of(report: &Report) -> Self {
        let pods = report.created.iter().map(|pod| PlayedPod {
            id: pod.record.id.to_string(),
            name: pod.record.spec.name.to_string(),
            containers: pod.containers.iter().map(|c| c.id.to_string()).collect(),
            container_errors: None,
        });
        let kept = report.kept.iter().map(|(id, name)| Named {
            id: id.to_string(),
            name: name.to_string(),
        });
        Self {
            pods: pods.collect(),
            kept: kept.collect(),
            replaced: texts(&report.replaced),
            volumes: texts(&report.volumes),
            secrets: report.secrets.clone(),
            warnings: report.warnings.clone(),
            failed: Vec::new(),
        }
    }
}

pub(super) fn print_failed<W: Write>(
    failure: Failure,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let played = Played {
        failed: vec![failure],
        ..Played::default()
    };
    Ok(output.json(&played)?)
}

pub(super) fn print_played<W: Write>(
    report: &Report,
    format: Option<&Format>,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let played = Played::of(report);
    if format == Some(&Format::Json) {
        return Ok(output.json(&played)?);
    }
    for (heading, names) in [("Volumes:", &played.volumes), ("Secrets:", &played.secrets)] {
        if !names.is_empty() {
            print_list(heading, names, output)?;
        }
    }
    for pod in &played.pods {
        output.line(format_args!("Pod:\n{}", pod.id))?;
        match pod.containers.as_slice() {
            [] => {}
            [one] => output.line(format_args!("Container:\n{one}"))?,
            many => output.line(format_args!("Containers:\n{}", many.join("\n")))?,
        }
        output.line(format_args!(""))?;
    }
    Ok(output.flush()?)
}

/// What a take-down did, with the field names of podman's API.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Downed {
    stop_report: Vec<Removed>,
    rm_report: Vec<Removed>,
    secret_rm_report: Vec<Removed>,
    config_map_rm_report: Vec<Removed>,
    volume_rm_report: Vec<Removed>,
    failed: Vec<Failure>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Removed {
    id: String,
}

pub(super) fn print_downed<W: Write>(
    report: &Report,
    format: Option<&Format>,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let objects = |wanted: &str| -> Vec<String> {
        let objects = report.removed_objects.iter();
        let objects = objects.filter(|(kind, _)| *kind == wanted);
        objects.map(|(_, name)| name.to_string()).collect()
    };
    let pods = texts(&report.removed_pods);
    let (secrets, config_maps) = (objects("Secret"), objects("ConfigMap"));
    let volumes = texts(&report.removed_volumes);
    if format == Some(&Format::Json) {
        let removed = |ids: &[String]| ids.iter().map(|id| Removed { id: id.clone() }).collect();
        let failed = report.not_removed.iter().map(|(pod, error)| Failure {
            name: Some(pod.to_string()),
            message: error.to_string(),
        });
        return Ok(output.json(&Downed {
            stop_report: removed(&pods),
            rm_report: removed(&pods),
            secret_rm_report: removed(&secrets),
            config_map_rm_report: removed(&config_maps),
            volume_rm_report: removed(&volumes),
            failed: failed.collect(),
        })?);
    }
    print_list("Pods stopped:", &pods, output)?;
    print_list("Pods removed:", &pods, output)?;
    print_list("Secrets removed:", &secrets, output)?;
    // podman keeps no ConfigMaps, and scripts expect no word about them where there are none.
    if !config_maps.is_empty() {
        print_list("ConfigMaps removed:", &config_maps, output)?;
    }
    print_list("Volumes removed:", &volumes, output)?;
    Ok(output.flush()?)
}

fn print_list<W: Write>(
    heading: &str,
    names: &[String],
    output: &mut Output<W>,
) -> Result<(), Error> {
    output.line(format_args!("{heading}"))?;
    for name in names {
        output.line(format_args!("{name}"))?;
    }
    Ok(())
}

fn texts<T: ToString>(values: &[T]) -> Vec<String> {
    values.iter().map(ToString::to_string).collect()
}
