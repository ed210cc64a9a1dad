//! `pull`, and the pulls of a play.

use std::collections::{BTreeMap, BTreeSet};

use super::super::args::{Pull, Registry};
use super::super::error::{Error, outcome, usage};
use super::super::output::warn;
use super::super::progress::{Doing, progress};
use super::Context;
use crate::causes::chain;
use crate::engine::Engine;
use crate::engine::objects::{ObjectKind, Objects};
use crate::image::registry::{Access, AccessOptions, Credentials, RegistryError};
use crate::model::container::PullPolicy;
use crate::model::observed::Observed;
use crate::model::pod::PodSpec;
use crate::names::{ImageRef, ObjectName};
use crate::translate::Application;

/// The key of a pull secret that holds what `auth.json` holds.
const DOCKER_CONFIG: &str = ".dockerconfigjson";
/// The older key, without `auths`.
const DOCKER_CFG: &str = ".dockercfg";

pub(super) fn pull(context: &mut Context<'_>, pull: &Pull) -> Result<(), Error> {
    let access = access(&pull.registry, Vec::new())?;
    let names = pull.images.iter().map(|name| reference(name));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    let mut engine = context.engine("pull")?;
    let progress = progress(Doing::Pull, pull.quiet);
    let mut errors = Vec::new();
    for (name, result) in names
        .iter()
        .zip(engine.pull_images(&access, &names, &*progress)?)
    {
        match result {
            Ok(pulled) => {
                for note in &pulled.notes {
                    warn(note);
                }
                context.output.line(&pulled.image.id)?;
            }
            Err(source) => errors.push(Error::Pull {
                image: name.to_string(),
                source: Box::new(source),
            }),
        }
    }
    context.output.flush()?;
    outcome(errors)
}

/// Reads the name of an image in a registry, which may begin as podman's transports do.
pub(super) fn reference(text: &str) -> Result<ImageRef, Error> {
    let name = text.strip_prefix("docker://").unwrap_or(text);
    ImageRef::parse(name).map_err(|error| usage(error.to_string()))
}

/// Returns how registries are reached, as the flags and this host's files say.
pub(super) fn access(flags: &Registry, secrets: Vec<String>) -> Result<Access, Error> {
    let options = AccessOptions {
        auth_file: flags.authfile.clone(),
        credentials: flags.creds.as_deref().map(Credentials::parse),
        certificates: flags.cert_dir.clone(),
        verify: flags.tls_verify,
        policy: flags.signature_policy.clone(),
        secrets,
    };
    Ok(Access::new(options)?)
}

/// Fetches the images of a play that its pull policies ask for, all at once.
///
/// Returns those that are not here after that, as the pods name them, and why not.
pub(super) fn for_play(
    engine: &mut Engine,
    application: &Application,
    observed: &Observed,
    (flags, quiet): (&Registry, bool),
) -> Result<BTreeMap<String, String>, Error> {
    let wanted = wanted(engine, application)?;
    if wanted.is_empty() {
        return Ok(BTreeMap::new());
    }
    let progress = progress(Doing::Pull, quiet);
    let mut results = Vec::new();
    for (secrets, names) in by_secrets(application, wanted.keys()) {
        let secrets = pull_secrets(engine, application, observed, &secrets)?;
        let pulled = engine.pull_images(&access(flags, secrets)?, &names, &*progress)?;
        results.extend(names.into_iter().zip(pulled));
    }
    let mut missing = BTreeMap::new();
    for (name, result) in results {
        let need = wanted.get(&name).copied().unwrap_or(Need::Required);
        match (result, need) {
            (Ok(pulled), _) => {
                for note in &pulled.notes {
                    warn(format_args!("{name}: {note}"));
                }
            }
            (Err(error), Need::IfPossible) => warn(format_args!(
                "{name}: using the image that is here: {}",
                chain(&error)
            )),
            (Err(error), Need::Required) => {
                missing.insert(name.to_string(), chain(&error));
            }
        }
    }
    Ok(missing)
}

/// Whether a pod starts without the pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    IfPossible,
    Required,
}

/// Returns which images are pulled, by the policies of all containers and volumes that name them.
///
/// What was made on this host is in no registry: `localhost/NAME`, and the built-in image.
fn wanted(
    engine: &mut Engine,
    application: &Application,
) -> Result<BTreeMap<ImageRef, Need>, Error> {
    let mut wanted = BTreeMap::new();
    for (image, policy) in application.pods.iter().flat_map(PodSpec::images) {
        let here = engine.find_image(image)?;
        let own = |name: &ImageRef| name.registry() == Some("localhost");
        let is_own = match (image.registry(), &here) {
            (Some(_), _) => own(image),
            (None, Some(image)) => !image.names.is_empty() && image.names.iter().all(own),
            (None, None) => false,
        };
        let need = match (policy, &here) {
            _ if is_own => None,
            (PullPolicy::Always, _) => Some(Need::Required),
            (PullPolicy::IfNotPresent | PullPolicy::Newer, None) => Some(Need::Required),
            (PullPolicy::Newer, Some(_)) => Some(Need::IfPossible),
            (PullPolicy::Never, _) | (PullPolicy::IfNotPresent, Some(_)) => None,
        };
        if let Some(need) = need {
            let known = wanted.entry(image.clone()).or_insert(need);
            *known = need.max(*known);
        }
    }
    Ok(wanted)
}

/// Returns images by the pull secrets of the pods that name them: no other pod's opens a registry for them.
fn by_secrets<'a>(
    application: &'a Application,
    images: impl Iterator<Item = &'a ImageRef>,
) -> BTreeMap<BTreeSet<&'a ObjectName>, Vec<ImageRef>> {
    let mut groups: BTreeMap<_, Vec<ImageRef>> = BTreeMap::new();
    for image in images {
        let names = |pod: &&PodSpec| pod.images().any(|(one, _)| one == image);
        let pods = application.pods.iter().filter(names);
        let secrets = pods.flat_map(|pod| &pod.image_pull_secrets).collect();
        groups.entry(secrets).or_default().push(image.clone());
    }
    groups
}

/// Returns the texts of pull secrets; one that is not there is passed over, as the
/// kubelet does.
fn pull_secrets(
    engine: &Engine,
    application: &Application,
    observed: &Observed,
    names: &BTreeSet<&ObjectName>,
) -> Result<Vec<String>, Error> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let stored = Objects::load(engine.paths(), &observed.objects)
        .map_err(crate::engine::EngineError::from)?;
    let mut texts = Vec::new();
    for name in names {
        let played = application
            .secrets
            .iter()
            .find(|secret| secret.name == **name);
        let bytes = |key: &str| match played {
            Some(secret) => secret.values.get(key).map(|value| value.reveal().to_vec()),
            None => {
                let values = stored.get(ObjectKind::Secret, name)?;
                values.get(key).cloned()
            }
        };
        let found = [DOCKER_CONFIG, DOCKER_CFG].into_iter().find_map(bytes);
        texts.extend(found.and_then(|bytes| String::from_utf8(bytes).ok()));
    }
    Ok(texts)
}

impl From<RegistryError> for Error {
    fn from(error: RegistryError) -> Self {
        Self::Registry(Box::new(error))
    }
}
