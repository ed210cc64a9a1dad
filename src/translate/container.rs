//! One container of a pod, of whatever role.

use std::path::PathBuf;

use k8s_openapi::api::core::v1;

use crate::manifest::source::At;
use crate::model::container::{
    ContainerSpec, Device, Limits, Probes, ProcessSpec, PullPolicy, Terminal, TerminationMessage,
    TerminationMessagePolicy,
};
use crate::names::{ContainerName, ImageRef, VolumeName};

use super::annotations::{Annotations, PIDS_LIMIT};
use super::notes::{Notes, filled, items};
use super::security::{Fields, PrivilegeFields};
use super::{env, mount, network, probe, resources, security};

/// Which list of the pod a container stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Init,
    App,
}

/// Translates one container; none if it has no name or no image to speak of.
pub(super) fn container(
    container: &v1::Container,
    kind: Kind,
    at: &At<'_>,
    annotations: &mut Annotations<'_>,
    notes: &mut Notes<'_>,
) -> Option<ContainerSpec> {
    let v1::Container {
        args,
        command,
        env,
        env_from,
        image,
        image_pull_policy,
        lifecycle,
        liveness_probe,
        name,
        ports,
        readiness_probe,
        resources,
        restart_policy,
        restart_policy_rules,
        security_context,
        startup_probe,
        stdin,
        stdin_once,
        termination_message_path,
        termination_message_policy,
        tty,
        volume_devices,
        volume_mounts,
        working_dir,
        // Says what an update in place would do.
        resize_policy: _,
    } = container;
    notes.not_yet_if(
        &at.field("restartPolicyRules"),
        restart_policy_rules.as_ref(),
    );
    let parsed_name = notes.parse(&at.field("name"), name, ContainerName::parse);
    let image = image_of(image.as_ref(), name, &at.field("image"), notes);
    let default = v1::SecurityContext::default();
    let context = security_context.as_ref().unwrap_or(&default);
    let old_seccomp = annotations.take_seccomp_of(name);
    let (security, privileges) =
        context_of(context, old_seccomp, &at.field("securityContext"), notes);
    let resources_at = at.field("resources");
    let limits = Limits {
        pids: resources::pids(annotations.take_of(PIDS_LIMIT, name), &resources_at, notes),
        ..resources::limits(resources.as_ref(), &resources_at, notes)
    };
    let mut devices = claims(
        items(volume_devices.as_ref()),
        &at.field("volumeDevices"),
        notes,
    );
    devices.extend(resources::devices(resources.as_ref(), &resources_at, notes));
    let always = restarts_always(
        restart_policy.as_ref(),
        kind,
        &at.field("restartPolicy"),
        notes,
    );
    let pull_at = at.field("imagePullPolicy");
    let pull = pull_policy(image_pull_policy.as_ref(), image.as_ref(), &pull_at, notes);
    Some(ContainerSpec {
        role: kind.role(always),
        command: command.clone().filter(|words| !words.is_empty()),
        args: args.clone().filter(|words| !words.is_empty()),
        working_dir: filled(working_dir.as_ref()).map(PathBuf::from),
        env_from: env::env_from(items(env_from.as_ref()), &at.field("envFrom"), notes),
        env: env::env(items(env.as_ref()), &at.field("env"), notes),
        ports: network::ports(items(ports.as_ref()), &at.field("ports"), notes),
        mounts: mount::mounts(
            items(volume_mounts.as_ref()),
            &at.field("volumeMounts"),
            notes,
        ),
        devices,
        process: ProcessSpec { limits, security },
        privileges,
        probes: Probes {
            startup: probe::probe(startup_probe.as_ref(), &at.field("startupProbe"), notes),
            liveness: probe::probe(liveness_probe.as_ref(), &at.field("livenessProbe"), notes),
            readiness: probe::probe(readiness_probe.as_ref(), &at.field("readinessProbe"), notes),
        },
        lifecycle: probe::lifecycle(lifecycle.as_ref(), &at.field("lifecycle"), notes),
        terminal: Terminal {
            tty: terminal(*tty, &at.field("tty"), notes),
            stdin: stdin.unwrap_or(false),
            stdin_once: stdin_once.unwrap_or(false),
        },
        termination_message: last_words(
            termination_message_path.as_ref(),
            termination_message_policy.as_ref(),
            at,
            notes,
        ),
        name: parsed_name?,
        image: image?,
        pull,
    })
}

fn image_of(
    image: Option<&String>,
    container: &str,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> Option<ImageRef> {
    let Some(image) = filled(image) else {
        let message = format!("container {container:?} is missing the required 'image' field");
        notes.required(at, message);
        return None;
    };
    notes.parse(at, image.trim(), ImageRef::parse)
}

/// Reads a pull policy: Kubernetes' words and podman's, in any case.
pub(super) fn pull_policy(
    word: Option<&String>,
    image: Option<&ImageRef>,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> PullPolicy {
    let default = image.map_or(PullPolicy::IfNotPresent, default_pull);
    let Some(word) = filled(word) else {
        return default;
    };
    match word.to_ascii_lowercase().as_str() {
        "always" => PullPolicy::Always,
        "ifnotpresent" | "missing" => PullPolicy::IfNotPresent,
        "never" => PullPolicy::Never,
        "newer" => PullPolicy::Newer,
        _ => {
            let message = format!(
                "Unsupported value: {word:?}: supported values: \"Always\", \"IfNotPresent\", \"Never\""
            );
            notes.unsupported(at, message);
            default
        }
    }
}

/// Returns the pull policy of an image without one: `latest` moves, so it is fetched each time.
///
/// Not so from `localhost/`, the registry of images that were made here.
pub(super) fn default_pull(image: &ImageRef) -> PullPolicy {
    if image.tag() == Some("latest") && image.registry() != Some("localhost") {
        PullPolicy::Always
    } else {
        PullPolicy::IfNotPresent
    }
}

fn restarts_always(word: Option<&String>, kind: Kind, at: &At<'_>, notes: &mut Notes<'_>) -> bool {
    match (kind, filled(word).map(String::as_str)) {
        (_, None) => false,
        (Kind::Init, Some("Always")) => true,
        (_, Some(_)) => {
            notes.not_yet(at);
            false
        }
    }
}

fn context_of(
    context: &v1::SecurityContext,
    old_seccomp: Option<String>,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> (
    crate::model::container::SecuritySettings,
    crate::model::container::Privileges,
) {
    let v1::SecurityContext {
        allow_privilege_escalation,
        app_armor_profile,
        capabilities,
        privileged,
        proc_mount,
        read_only_root_filesystem,
        run_as_group,
        run_as_non_root,
        run_as_user,
        se_linux_options,
        seccomp_profile,
        windows_options,
    } = context;
    let settings = Fields {
        run_as_user: *run_as_user,
        run_as_group: *run_as_group,
        run_as_non_root: *run_as_non_root,
        seccomp: seccomp_profile.as_ref(),
        old_seccomp,
        app_armor: app_armor_profile.as_ref(),
        se_linux: se_linux_options.as_ref(),
        windows: windows_options.as_ref(),
    };
    let privileges = PrivilegeFields {
        allow_privilege_escalation: *allow_privilege_escalation,
        capabilities: capabilities.as_ref(),
        privileged: *privileged,
        proc_mount: proc_mount.as_ref(),
        read_only_root_filesystem: *read_only_root_filesystem,
    };
    (
        security::settings(&settings, at, notes),
        security::privileges(&privileges, at, notes),
    )
}

fn claims(list: &[v1::VolumeDevice], at: &At<'_>, notes: &mut Notes<'_>) -> Vec<Device> {
    if !list.is_empty() {
        notes.not_yet(at);
    }
    let mut devices = Vec::new();
    for (index, v1::VolumeDevice { device_path, name }) in list.iter().enumerate() {
        let volume = notes.parse(&at.index(index).field("name"), name, VolumeName::parse);
        devices.extend(volume.map(|volume| Device::Claim {
            volume,
            path: PathBuf::from(device_path),
        }));
    }
    devices
}

fn terminal(wanted: Option<bool>, at: &At<'_>, notes: &mut Notes<'_>) -> bool {
    let wanted = wanted.unwrap_or(false);
    if wanted {
        notes.not_yet(at);
    }
    wanted
}

fn last_words(
    path: Option<&String>,
    policy: Option<&String>,
    at: &At<'_>,
    notes: &mut Notes<'_>,
) -> TerminationMessage {
    let default = TerminationMessage::default();
    let path = filled(path).map_or(default.path.clone(), PathBuf::from);
    let words = [
        ("File", TerminationMessagePolicy::File),
        (
            "FallbackToLogsOnError",
            TerminationMessagePolicy::FallbackToLogsOnError,
        ),
    ];
    let at = at.field("terminationMessagePolicy");
    let policy = notes.choose(&at, policy, default.policy, &words);
    TerminationMessage { path, policy }
}
