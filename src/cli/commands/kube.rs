//! `kube play` and `kube down`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::super::CalledAs;
use super::super::args::{Down, Global, Play, Validation};
use super::super::error::Error;
use super::super::output::{Format, Output, tell};
use super::input::sources;
use super::unmet::{self, Pulls};
use super::{lifecycle, open, pull};
use crate::clock::{RandomIds, SystemClock};
use crate::engine::execute::Report;
use crate::engine::objects::{ObjectKind, Values};
use crate::engine::{Engine, sandbox};
use crate::manifest::{self, Located, ReadOptions, Reading, Severity, UnknownFields};
use crate::model::infra::EtcHostname;
use crate::model::network::NetworkSpec;
use crate::model::pod::{ContainerNaming, PodSpec};
use crate::names::{ApplicationName, ImageId, ImageRef, ObjectName};
use crate::plan::{self, Bridge, DownWish, Existing, Host, PlayWish};
use crate::translate::{self, Application, PlayOptions, SecretData, TranslatedReading};

/// Plays manifests.
pub(super) fn play<W: Write>(
    global: &Global,
    arguments: &Play,
    called_as: CalledAs,
    output: &mut Output<W>,
) -> Result<(), Error> {
    if arguments.down {
        let down = Down {
            files: arguments.files.clone(),
            force: arguments.force,
            format: arguments.format.clone(),
        };
        return self::down(global, &down, output);
    }
    refuse_unsupported(arguments)?;
    let options = play_options(arguments)?;
    let unknown_fields = unknown_fields(arguments.validate, called_as);
    let (mut reading, translated) = read_application(&arguments.files, &options, unknown_fields)?;
    refuse_errors(&reading.findings)?;
    let (application, origins) = (translated.application, translated.origins);
    let mut engine = open::settled(global, "kube play")?;
    let observed = engine.observed()?;
    let existing = match arguments.replace {
        true => Existing::Replace,
        false => Existing::Refuse,
    };
    let pulls = match arguments.dry_run {
        true => Pulls::Nothing,
        false => Pulls::ByPolicy,
    };
    let parts = (&application, &origins);
    let there = (&observed, existing);
    unmet::check(Some(&mut engine), &mut reading, parts, there, pulls)?;
    accept(&reading, unknown_fields, &application)?;
    if pulls == Pulls::ByPolicy {
        let flags = (&arguments.registry, arguments.quiet);
        let missing = pull::for_play(&mut engine, &application, &observed, flags)?;
        // The warnings have been shown.
        reading.findings.clear();
        unmet::add_missing(&mut reading, &application, &observed, missing);
        refuse_errors(&reading.findings)?;
    }
    let host = gather(&mut engine, &application)?;
    let wish = PlayWish {
        name: application_name(&arguments.files),
        application,
        start: arguments.start,
        existing,
    };
    let mut observed = observed;
    let report = loop {
        let plan = plan::play(wish.clone(), &observed, &host, &mut RandomIds, &SystemClock)?;
        if arguments.dry_run {
            return print_plan(&plan, arguments.format.as_ref(), output);
        }
        match engine.execute(plan) {
            // Somebody was faster; nothing was done yet, and there are other addresses.
            Err(error) if error.is_taken_address() => observed = engine.observed()?,
            other => break other.map_err(|error| unmet::place(error, &reading, &origins))?,
        }
    };
    for warning in &report.warnings {
        tell(&format!("warning: {warning}\n"));
    }
    print_played(&report, arguments.format.as_ref(), output)
}

/// Takes down what manifests describe.
pub(super) fn down<W: Write>(
    global: &Global,
    arguments: &Down,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let options = PlayOptions::new(working_dir()?);
    let unknown_fields = UnknownFields::Ignore;
    let (reading, translated) = read_application(&arguments.files, &options, unknown_fields)?;
    let application = translated.application;
    accept(&reading, unknown_fields, &application)?;
    let mut engine = open::settled(global, "kube down")?;
    let wish = DownWish {
        pods: application.pods.into_iter().map(|pod| pod.name).collect(),
        secrets: application.secrets.into_iter().map(|s| s.name).collect(),
        config_maps: application
            .config_maps
            .into_iter()
            .map(|map| map.name)
            .collect(),
        volumes: match arguments.force {
            true => application.volumes.into_iter().map(|v| v.name).collect(),
            false => Vec::new(),
        },
    };
    let plan = plan::down(&wish, &engine.observed()?);
    let report = engine.execute(plan)?;
    for warning in &report.warnings {
        tell(&format!("warning: {warning}\n"));
    }
    print_downed(&report, output)?;
    lifecycle::outcome(
        report
            .not_removed
            .into_iter()
            .map(|(pod, error)| lifecycle::about(pod.as_str(), error))
            .collect(),
    )
}

fn refuse_unsupported(arguments: &Play) -> Result<(), Error> {
    if arguments.userns.is_some() {
        return Err(Error::Usage {
            message: "--userns is not supported yet: pods share the host's user namespace"
                .to_owned(),
            help: None,
        });
    }
    Ok(())
}

fn unknown_fields(asked: Option<Validation>, called_as: CalledAs) -> UnknownFields {
    match (asked, called_as) {
        (Some(Validation::Ignore), _) | (None, CalledAs::Podman) => UnknownFields::Ignore,
        (Some(Validation::Warn), _) | (None, CalledAs::Podwright) => UnknownFields::Warn,
        (Some(Validation::Strict), _) => UnknownFields::Refuse,
    }
}

pub(super) fn working_dir() -> Result<PathBuf, Error> {
    std::env::current_dir().map_err(|source| Error::File {
        doing: "finding the working directory",
        path: PathBuf::from("."),
        source,
    })
}

fn play_options(arguments: &Play) -> Result<PlayOptions, Error> {
    let usage = |message: String| Error::Usage {
        message,
        help: None,
    };
    let mut annotations = BTreeMap::new();
    for text in &arguments.annotation {
        let (key, value) = text
            .split_once('=')
            .ok_or_else(|| usage(format!("annotation {text:?} must include an '=' sign")))?;
        annotations.insert(key.to_owned(), value.to_owned());
    }
    let publish = arguments
        .publish
        .iter()
        .map(|text| translate::parse_publish(text).map_err(|error| usage(error.to_string())))
        .collect::<Result<_, _>>()?;
    Ok(PlayOptions {
        network: translate::parse_network(&arguments.network)
            .map_err(|error| usage(error.to_string()))?,
        addresses: arguments.ip.clone(),
        macs: arguments.mac_address.clone(),
        publish,
        publish_all: arguments.publish_all,
        annotations,
        naming: match arguments.no_pod_prefix {
            true => ContainerNaming::Bare,
            false => ContainerNaming::PodPrefix,
        },
        no_hosts: arguments.no_hosts,
        etc_hostname: match arguments.no_hostname {
            true => EtcHostname::Image,
            false => EtcHostname::Pod,
        },
        config_maps: read_config_maps(&arguments.configmap)?,
        ..PlayOptions::new(working_dir()?)
    })
}

fn read_config_maps(
    files: &[PathBuf],
) -> Result<Vec<k8s_openapi::api::core::v1::ConfigMap>, Error> {
    let mut maps = Vec::new();
    if files.is_empty() {
        return Ok(maps);
    }
    let reading = manifest::read(&sources(files)?, &ReadOptions::default());
    refuse_errors(&reading.findings)?;
    for read in reading.objects {
        match read.object {
            Some(manifest::Object::ConfigMap(map)) => maps.push(*map),
            _ => {
                return Err(Error::Usage {
                    message: format!(
                        "invalid YAML kind: --configmap takes ConfigMaps, not {}",
                        read.document.kind()
                    ),
                    help: None,
                });
            }
        }
    }
    Ok(maps)
}

/// Reads, checks and translates manifests; what was found is yet to be shown.
fn read_application(
    files: &[PathBuf],
    options: &PlayOptions,
    unknown_fields: UnknownFields,
) -> Result<(Reading, TranslatedReading), Error> {
    let read_options = ReadOptions {
        unknown_fields,
        ..ReadOptions::default()
    };
    let mut reading = manifest::read(&sources(files)?, &read_options);
    manifest::rules::check_all(&mut reading);
    let translated = translate::translate_reading(&mut reading, options);
    if let Some(finding) = translated.option_findings.0.first() {
        let text = format!(
            "error: --configmap: {}: {}\n",
            finding.path, finding.message
        );
        return Err(Error::Manifest(text));
    }
    Ok((reading, translated))
}

/// Shows every finding; an error ends it.
fn accept(
    reading: &Reading,
    unknown_fields: UnknownFields,
    application: &Application,
) -> Result<(), Error> {
    let mut shown = reading.findings.clone();
    if unknown_fields == UnknownFields::Ignore {
        // Called as podman, what is only a warning is not told: its tests want a clean stderr.
        shown.retain(|located| located.finding.severity == Severity::Error);
    }
    let report = manifest::Report(&shown).to_string();
    if shown
        .iter()
        .any(|located| located.finding.severity == Severity::Error)
    {
        return Err(Error::Manifest(report));
    }
    tell(&report);
    if application.pods.is_empty()
        && application.volumes.is_empty()
        && application.secrets.is_empty()
    {
        return Err(Error::Manifest(
            "error: YAML document does not contain any supported kube kind\n  help: Pod, Deployment, DaemonSet, Job, PersistentVolumeClaim and Secret are played\n".to_owned(),
        ));
    }
    Ok(())
}

fn refuse_errors(findings: &[Located]) -> Result<(), Error> {
    let is_error = |located: &Located| located.finding.severity == Severity::Error;
    match findings.iter().any(is_error) {
        true => Err(Error::Manifest(manifest::Report(findings).to_string())),
        false => Ok(()),
    }
}

/// Names what is played together after its first file.
fn application_name(files: &[PathBuf]) -> ApplicationName {
    let stem = files
        .first()
        .and_then(|file| file.file_stem())
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    ObjectName::parse(&stem)
        .unwrap_or_else(|_| ObjectName::parse("stdin").expect("the constant is a name"))
}

/// Learns what the plan has to know of the host.
fn gather(engine: &mut Engine, application: &Application) -> Result<Host, Error> {
    let mut images = BTreeMap::new();
    for pod in &application.pods {
        for container in pod.all_containers() {
            if !images.contains_key(&container.image) {
                let id = find_image(engine, pod, &container.image)?;
                images.insert(container.image.clone(), id);
            }
        }
    }
    let needs_bridge = |pod: &PodSpec| matches!(pod.infra.network, NetworkSpec::Bridge { .. });
    let bridge = match application.pods.iter().any(needs_bridge) {
        true => {
            let subnet = sandbox::host_network(engine.paths())
                .subnet()
                .map_err(crate::engine::EngineError::from)?;
            Some(Bridge {
                network: subnet.network(),
                prefix: subnet.prefix(),
                gateway: subnet.gateway(),
            })
        }
        false => None,
    };
    Ok(Host {
        images,
        bridge,
        same_secrets: same_secrets(engine, &application.secrets)?,
    })
}

/// Returns which Secrets rest here already, with the same values.
fn same_secrets(engine: &Engine, secrets: &[SecretData]) -> Result<BTreeSet<ObjectName>, Error> {
    let mut same = BTreeSet::new();
    if secrets.is_empty() {
        return Ok(same);
    }
    let objects = engine.objects()?;
    for secret in secrets {
        let is_same = |rests: &Values| {
            rests.len() == secret.values.len()
                && secret
                    .values
                    .iter()
                    .all(|(key, value)| rests.get(key).is_some_and(|rests| rests == value.reveal()))
        };
        if objects
            .get(ObjectKind::Secret, &secret.name)
            .is_some_and(is_same)
        {
            same.insert(secret.name.clone());
        }
    }
    Ok(same)
}

fn find_image(engine: &mut Engine, pod: &PodSpec, reference: &ImageRef) -> Result<ImageId, Error> {
    match engine.find_image(reference)? {
        Some(image) => Ok(image.id),
        None => Err(plan::PlanError::NoImage {
            pod: pod.name.clone(),
            image: reference.clone(),
        }
        .into()),
    }
}

fn print_plan<W: Write>(
    plan: &plan::Plan,
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

/// What a play did, with podman's field names.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Played {
    pods: Vec<PlayedPod>,
    volumes: Vec<String>,
    secrets: Vec<String>,
}

#[derive(Serialize)]
struct PlayedPod {
    #[serde(rename = "ID")]
    id: String,
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "Containers")]
    containers: Vec<String>,
}

fn print_played<W: Write>(
    report: &Report,
    format: Option<&Format>,
    output: &mut Output<W>,
) -> Result<(), Error> {
    let played = Played {
        pods: report
            .created
            .iter()
            .map(|pod| PlayedPod {
                id: pod.record.id.to_string(),
                name: pod.record.spec.name.to_string(),
                containers: pod.containers.iter().map(|c| c.id.to_string()).collect(),
            })
            .collect(),
        volumes: report.volumes.iter().map(ToString::to_string).collect(),
        secrets: report.secrets.clone(),
    };
    if format == Some(&Format::Json) {
        return Ok(output.json(&played)?);
    }
    for (heading, names) in [("Volumes:", &played.volumes), ("Secrets:", &played.secrets)] {
        if !names.is_empty() {
            output.line(format_args!("{heading}"))?;
            for name in names {
                output.line(format_args!("{name}"))?;
            }
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

fn print_downed<W: Write>(report: &Report, output: &mut Output<W>) -> Result<(), Error> {
    let pods: Vec<String> = report
        .removed_pods
        .iter()
        .map(ToString::to_string)
        .collect();
    let secrets: Vec<String> = report
        .removed_objects
        .iter()
        .filter(|(kind, _)| *kind == "Secret")
        .map(|(_, name)| name.to_string())
        .collect();
    let volumes: Vec<String> = report
        .removed_volumes
        .iter()
        .map(ToString::to_string)
        .collect();
    for (heading, names) in [
        ("Pods stopped:", &pods),
        ("Pods removed:", &pods),
        ("Secrets removed:", &secrets),
        ("Volumes removed:", &volumes),
    ] {
        output.line(format_args!("{heading}"))?;
        for name in names {
            output.line(format_args!("{name}"))?;
        }
    }
    Ok(output.flush()?)
}
