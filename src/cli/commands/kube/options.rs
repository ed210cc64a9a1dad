//! What the flags of `kube play` come to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::super::CalledAs;
use super::super::super::args::{Play, Validation};
use super::super::super::error::Error;
use super::super::super::output::warn;
use super::super::inputs::sources;
use super::reading::refuse_errors;
use crate::manifest::{self, ReadOptions, UnknownFields};
use crate::model::infra::EtcHostname;
use crate::model::observed::LogDriver;
use crate::model::pod::ContainerNaming;
use crate::translate::{self, PlayOptions};

pub(super) fn refuse_unsupported(arguments: &Play) -> Result<(), Error> {
    if arguments.userns.is_some() {
        return Err(Error::Usage {
            message: "--userns is not supported yet: pods share the host's user namespace"
                .to_owned(),
            help: None,
        });
    }
    Ok(())
}

pub(super) fn unknown_fields(asked: Option<Validation>, called_as: CalledAs) -> UnknownFields {
    match (asked, called_as) {
        (Some(Validation::Ignore), _) | (None, CalledAs::Podman) => UnknownFields::Ignore,
        (Some(Validation::Warn), _) | (None, CalledAs::Podwright) => UnknownFields::Warn,
        (Some(Validation::Strict), _) => UnknownFields::Refuse,
    }
}

pub(in crate::cli) fn working_dir() -> Result<PathBuf, Error> {
    std::env::current_dir().map_err(|source| Error::File {
        doing: "finding the working directory",
        path: PathBuf::from("."),
        source,
    })
}

pub(super) fn play_options(arguments: &Play) -> Result<PlayOptions, Error> {
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

/// Returns where the containers' output goes.
pub(super) fn log_driver(arguments: &Play) -> Result<LogDriver, Error> {
    if !arguments.log_opt.is_empty() {
        warn("--log-opt has no effect: logs rotate at 10 MiB and five files are kept");
    }
    match arguments.log_driver.as_deref() {
        None | Some("k8s-file" | "json-file") => Ok(LogDriver::File),
        Some("none") => Ok(LogDriver::None),
        Some(other) => Err(Error::Usage {
            message: format!("there is no log driver {other:?}: output is kept in files"),
            help: Some("--log-driver takes k8s-file and none"),
        }),
    }
}
