//! What the flags of `kube play` come to.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::super::super::CalledAs;
use super::super::super::args::{Play, Validation};
use super::super::super::error::{Error, usage};
use super::super::inputs::sources;
use super::reading::refuse_errors;
use crate::manifest::{self, ReadOptions, UnknownFields};
use crate::model::infra::EtcHostname;
use crate::model::observed::{LogDriver, Rotation};
use crate::model::pod::ContainerNaming;
use crate::model::quantity::Bytes;
use crate::translate::{self, PlayOptions};

pub(super) fn refuse_unsupported(arguments: &Play) -> Result<(), Error> {
    if arguments.userns.is_some() {
        return Err(usage(
            "--userns is not supported yet: pods share the host's user namespace",
        ));
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
    let macs = arguments
        .mac_address
        .iter()
        .map(|text| translate::parse_mac(text).map_err(|error| usage(error.to_string())))
        .collect::<Result<_, _>>()?;
    Ok(PlayOptions {
        network: translate::parse_network(&arguments.network)
            .map_err(|error| usage(error.to_string()))?,
        addresses: arguments.ip.clone(),
        macs,
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
                return Err(usage(format!(
                    "invalid YAML kind: --configmap takes ConfigMaps, not {}",
                    read.document.kind()
                )));
            }
        }
    }
    Ok(maps)
}

/// Returns where the containers' output goes.
pub(super) fn log_driver(arguments: &Play) -> Result<LogDriver, Error> {
    let usage = |message: String, help| Error::Usage { message, help };
    match arguments.log_driver.as_deref() {
        None | Some("k8s-file" | "json-file") => Ok(LogDriver::File(rotation(&arguments.log_opt)?)),
        Some("none") => Ok(LogDriver::None),
        Some("journald") => Err(usage(
            "log driver \"journald\": output is kept in files, which `logs` reads also when no journal runs"
                .to_owned(),
            Some("--log-driver takes k8s-file and none"),
        )),
        Some(other) => Err(usage(
            format!("there is no log driver {other:?}: output is kept in files"),
            Some("--log-driver takes k8s-file and none"),
        )),
    }
}

/// Reads `--log-opt`: Docker's and podman's options of files.
fn rotation(options: &[String]) -> Result<Rotation, Error> {
    let mut rotation = Rotation::default();
    for option in options {
        let wrong = |why: &str| Error::Usage {
            message: format!("log option `{option}`: {why}"),
            help: Some("--log-opt takes max-size=SIZE and max-file=NUMBER"),
        };
        match option.split_once('=').unwrap_or((option, "")) {
            ("max-size", size) => {
                let size = bytes(size).filter(|size| *size > 0);
                rotation.size = Bytes(size.ok_or_else(|| wrong("it is no size such as 10mb"))?);
            }
            ("max-file", files) => {
                let files = files.parse().ok().filter(|files| *files > 0);
                rotation.files = files.ok_or_else(|| wrong("it is no number above 0"))?;
            }
            ("path", _) => {
                return Err(wrong(
                    "logs lie among the files of their pod and go with it",
                ));
            }
            ("tag", _) => return Err(wrong("a tag is for a journal")),
            _ => return Err(wrong("there is no such option")),
        }
    }
    Ok(rotation)
}

/// Reads a size as podman does: `b`, `k`, `m`, `g` or `t`, with or without `b` behind, in powers of 1024.
fn bytes(text: &str) -> Option<u64> {
    let text = text.to_ascii_lowercase();
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let power = match text[digits.len()..]
        .trim_end_matches('b')
        .trim_end_matches('i')
    {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << (10 * power))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_logs_are_read_as_podman_reads_them() {
        let read = |options: &[&str]| {
            let options: Vec<String> = options.iter().map(|one| (*one).to_owned()).collect();
            rotation(&options).map_err(|error| error.to_string())
        };
        for (text, size) in [
            ("max-size=1000", 1000),
            ("max-size=10k", 10 << 10),
            ("max-size=10MB", 10 << 20),
            ("max-size=2gb", 2 << 30),
        ] {
            assert_eq!(read(&[text]).unwrap().size, Bytes(size), "{text}");
        }
        assert_eq!(read(&["max-size=1m", "max-file=2"]).unwrap().files, 2);
        assert_eq!(read(&[]).unwrap(), Rotation::default());
        for (text, why) in [
            ("max-size=0", "it is no size"),
            ("max-size=10x", "it is no size"),
            ("max-size=99999999t", "it is no size"),
            ("max-file=0", "it is no number above 0"),
            ("path=/x", "logs lie among the files of their pod"),
            ("tag=x", "a tag is for a journal"),
            ("mode=x", "there is no such option"),
        ] {
            let error = read(&[text]).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
