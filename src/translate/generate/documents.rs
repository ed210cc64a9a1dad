//! The documents of `kube generate`: pods, what runs them, their Services, and named volumes.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::api::apps::v1::{DaemonSet, DaemonSetSpec, Deployment, DeploymentSpec};
use k8s_openapi::api::batch::v1::{Job, JobSpec};
use k8s_openapi::api::core::v1;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, Time};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde::Serialize;

use crate::model::pod::{PodSpec, RestartPolicy};
use crate::model::volume::{Backing, NamedVolumeSpec, Owner};

use super::super::config::claims;
use super::yaml;

/// What `kube generate` writes besides the pods themselves.
#[derive(Debug, Clone, Default)]
pub struct GenerateOptions {
    /// `--type`: what runs the pods; nothing does if they stand alone.
    pub controller: Option<Controller>,
    /// `--service`: a Service before each pod.
    pub service: bool,
    /// The `creationTimestamp` of every document.
    pub created: Option<Timestamp>,
}

/// What runs pods from a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Controller {
    Deployment { replicas: Option<i32> },
    DaemonSet,
    Job,
}

/// Why a pod has no such manifest.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    #[error("pod `{0}` only has an infra container")]
    OnlyInfra(String),
    #[error("pod `{pod}`: k8s {controller} can only have restartPolicy set to Always")]
    MustAlways {
        pod: String,
        controller: &'static str,
    },
    #[error(
        "pod `{0}`: k8s Jobs can not have restartPolicy set to Always; only Never and OnFailure policies allowed"
    )]
    NeverAlways(String),
    #[error("writing the manifest")]
    Json(#[from] serde_json::Error),
}

/// Writes pods and named volumes as one YAML stream, podman's comment at its head.
///
/// # Errors
/// A pod that the kind asked for cannot run, or one without containers.
pub fn documents(
    pods: &[PodSpec],
    volumes: &[NamedVolumeSpec],
    options: &GenerateOptions,
) -> Result<String, GenerateError> {
    let mut stream = Stream::default();
    for volume in volumes {
        stream.add(&claim(volume, options))?;
    }
    for spec in pods {
        one_pod(spec, options, &mut stream)?;
    }
    Ok(stream.finish())
}

#[derive(Default)]
struct Stream {
    documents: Vec<String>,
}

impl Stream {
    fn add<T: Serialize>(&mut self, object: &T) -> Result<(), GenerateError> {
        self.documents.push(yaml::document(object)?);
        Ok(())
    }

    fn finish(self) -> String {
        let head = concat!(
            "# Save the output in a file and use `kubectl create -f` to bring\n",
            "# it to Kubernetes.\n",
            "#\n",
            "# Created with podwright-",
            env!("CARGO_PKG_VERSION"),
            "\n",
        );
        format!("{head}{}", self.documents.join("---\n"))
    }
}

fn one_pod(
    spec: &PodSpec,
    options: &GenerateOptions,
    stream: &mut Stream,
) -> Result<(), GenerateError> {
    if spec.containers.is_empty() {
        return Err(GenerateError::OnlyInfra(spec.name.to_string()));
    }
    let mut pod = super::generate(spec).pod;
    // Kubernetes' names have no underscores.
    let name = spec.name.as_str().replace('_', "");
    pod.metadata.name = Some(name.clone());
    pod.metadata.creation_timestamp = options.created.map(Time);
    let containers = pod.spec.iter_mut().flat_map(|spec| {
        let inits = spec.init_containers.iter_mut().flatten();
        inits.chain(&mut spec.containers)
    });
    for container in containers {
        container.name = container.name.replace('_', "");
    }
    if options.service || options.controller.is_some() {
        let labels = pod.metadata.labels.get_or_insert_default();
        labels
            .entry("app".to_owned())
            .or_insert_with(|| name.clone());
    }
    if options.service {
        stream.add(&service(&pod, options))?;
        // Who asks the Service does not ask the host.
        let containers = pod.spec.iter_mut().flat_map(|spec| &mut spec.containers);
        for port in containers.flat_map(|container| container.ports.iter_mut().flatten()) {
            port.host_port = None;
            port.host_ip = None;
        }
    }
    match options.controller {
        None => stream.add(&pod),
        Some(controller) => run(spec, pod, controller, options, stream),
    }
}

/// The label by which a Service or a controller knows its pods.
fn selector(pod: &v1::Pod) -> BTreeMap<String, String> {
    let labels = pod.metadata.labels.iter().flatten();
    labels
        .filter(|(key, _)| *key == "app")
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

fn run(
    spec: &PodSpec,
    pod: v1::Pod,
    controller: Controller,
    options: &GenerateOptions,
    stream: &mut Stream,
) -> Result<(), GenerateError> {
    let selector = LabelSelector {
        match_labels: Some(selector(&pod)),
        match_expressions: None,
    };
    let name = pod.metadata.name.clone().unwrap_or_default();
    let metadata = |suffix: &str| ObjectMeta {
        name: Some(format!("{name}-{suffix}")),
        namespace: pod.metadata.namespace.clone(),
        labels: pod.metadata.labels.clone(),
        creation_timestamp: options.created.map(Time),
        ..ObjectMeta::default()
    };
    let template = v1::PodTemplateSpec {
        metadata: Some(ObjectMeta {
            // A controller names its pods, in its own namespace.
            name: None,
            namespace: None,
            ..pod.metadata.clone()
        }),
        spec: pod.spec.clone(),
    };
    let always = |controller| match spec.restart_policy {
        RestartPolicy::Always => Ok(()),
        RestartPolicy::OnFailure | RestartPolicy::Never => Err(GenerateError::MustAlways {
            pod: spec.name.to_string(),
            controller,
        }),
    };
    match controller {
        Controller::Deployment { replicas } => {
            always("Deployments")?;
            stream.add(&Deployment {
                metadata: metadata("deployment"),
                spec: DeploymentSpec {
                    replicas,
                    selector,
                    template,
                    ..DeploymentSpec::default()
                },
                status: None,
            })
        }
        Controller::DaemonSet => {
            always("DaemonSets")?;
            stream.add(&DaemonSet {
                metadata: metadata("daemonset"),
                spec: DaemonSetSpec {
                    selector,
                    template,
                    ..DaemonSetSpec::default()
                },
                status: None,
            })
        }
        Controller::Job if spec.restart_policy == RestartPolicy::Always => {
            Err(GenerateError::NeverAlways(spec.name.to_string()))
        }
        Controller::Job => stream.add(&Job {
            metadata: metadata("job"),
            spec: Some(JobSpec {
                parallelism: Some(1),
                completions: Some(1),
                template,
                ..JobSpec::default()
            }),
            status: None,
        }),
    }
}

/// A Service for a pod: its ports by number, or, without ports, its name alone.
fn service(pod: &v1::Pod, options: &GenerateOptions) -> v1::Service {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let ports: Vec<v1::ServicePort> = containers
        .flat_map(|container| container.ports.iter().flatten())
        .map(|port| v1::ServicePort {
            name: Some(service_port_name(port)),
            port: port.container_port,
            protocol: port.protocol.clone(),
            target_port: Some(IntOrString::Int(port.container_port)),
            ..v1::ServicePort::default()
        })
        .collect();
    let has_ports = !ports.is_empty();
    v1::Service {
        metadata: ObjectMeta {
            name: pod.metadata.name.clone(),
            namespace: pod.metadata.namespace.clone(),
            labels: pod.metadata.labels.clone(),
            creation_timestamp: options.created.map(Time),
            ..ObjectMeta::default()
        },
        spec: Some(v1::ServiceSpec {
            ports: has_ports.then_some(ports),
            selector: Some(selector(pod)),
            type_: has_ports.then(|| "NodePort".to_owned()),
            cluster_ip: (!has_ports).then(|| "None".to_owned()),
            ..v1::ServiceSpec::default()
        }),
        status: None,
    }
}

fn service_port_name(port: &v1::ContainerPort) -> String {
    match &port.protocol {
        Some(protocol) => format!("{}-{}", port.container_port, protocol.to_ascii_lowercase()),
        None => port.container_port.to_string(),
    }
}

/// A claim for a named volume; Kubernetes wants a size, and podman says 1Gi.
fn claim(volume: &NamedVolumeSpec, options: &GenerateOptions) -> v1::PersistentVolumeClaim {
    let NamedVolumeSpec {
        name,
        labels,
        annotations,
        size,
        backing:
            Backing {
                kind,
                device,
                options: mount_options,
            },
        owner: Owner { user, group },
        import,
    } = volume;
    let mut annotations = annotations.clone();
    let settings = [
        (claims::TYPE, kind.clone()),
        (claims::DEVICE, device.clone()),
        (claims::OPTIONS, mount_options.clone()),
        (claims::USER, user.map(|id| id.to_string())),
        (claims::GROUP, group.map(|id| id.to_string())),
        (claims::IMPORT, import.as_deref().map(super::text)),
    ];
    for (name, value) in settings {
        if let Some(value) = value {
            annotations.insert(format!("{}{name}", claims::PREFIX), value);
        }
    }
    let size = size.map_or_else(|| "1Gi".to_owned(), |size| size.to_string());
    let filled = |map: &BTreeMap<String, String>| (!map.is_empty()).then(|| map.clone());
    v1::PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(name.to_string()),
            labels: filled(labels),
            annotations: filled(&annotations),
            creation_timestamp: options.created.map(Time),
            ..ObjectMeta::default()
        },
        spec: Some(v1::PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            resources: Some(v1::VolumeResourceRequirements {
                limits: None,
                requests: Some(BTreeMap::from([("storage".to_owned(), Quantity(size))])),
            }),
            ..v1::PersistentVolumeClaimSpec::default()
        }),
        status: None,
    }
}
