//! What can go wrong in a command.

use super::output::OutputError;

/// An error of a command: shown once, by [`super::report`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was typed is no command.
    #[error(transparent)]
    Arguments(#[from] clap::Error),
    /// What was typed is a command that makes no sense.
    #[error("{message}")]
    Usage {
        message: String,
        help: Option<&'static str>,
    },
    /// There is nothing of this name or id.
    #[error("no such {what}: `{name}`")]
    NoSuch { what: &'static str, name: String },
    /// The beginning of an id stands for more than one.
    #[error("`{prefix}` is the beginning of more than one {what} id: {}", .ids.join(", "))]
    Ambiguous {
        what: &'static str,
        prefix: String,
        ids: Vec<String>,
    },
    /// There is no volume of this name to remove: a code of its own, as podman has it.
    #[error("no such volume: `{name}`")]
    NoVolume { name: String },
    #[error("volume `{name}` is in use by pod `{}`", .pods.join("`, `"))]
    VolumeInUse { name: String, pods: Vec<String> },
    /// As for volumes; the words are podman's.
    #[error("unable to find network with name or ID {name}: network not found")]
    NoNetwork { name: String },
    #[error(
        "{name:?} has associated containers with it. Use -f to forcibly delete containers and pods: network is being used"
    )]
    NetworkInUse { name: String, pods: Vec<String> },
    #[error(transparent)]
    Networks(Box<crate::engine::networks::NetworksError>),
    /// What was found in manifests, already shown with its places.
    #[error("{0}")]
    Manifest(String),
    /// What was noted of manifests is lost.
    #[error(transparent)]
    Lost(#[from] crate::manifest::Lost),
    /// A manifest that did not come.
    #[error(transparent)]
    Fetch(crate::image::registry::FetchError),
    /// The host refuses what the command line, and no manifest, asks for.
    #[error("{0}")]
    Unmet(String),
    /// A command on one of several things.
    #[error("`{name}`: {source}")]
    About {
        name: String,
        source: Box<crate::engine::EngineError>,
    },
    /// A program that could not be run in a container.
    #[error(transparent)]
    Exec(#[from] crate::engine::stage::CreateError),
    #[error(transparent)]
    Plan(#[from] crate::plan::PlanError),
    #[error(transparent)]
    Engine(Box<crate::engine::EngineError>),
    #[error(transparent)]
    Catalog(Box<crate::engine::catalog::CatalogError>),
    /// An image that did not come.
    #[error("pulling `{image}`")]
    Pull {
        image: String,
        source: Box<crate::image::ImageError>,
    },
    /// An image that did not go.
    #[error("pushing `{image}`")]
    Push {
        image: String,
        source: Box<crate::image::ImageError>,
    },
    /// What this host says of registries cannot be used, or a registry cannot.
    #[error(transparent)]
    Registry(Box<crate::image::registry::RegistryError>),
    #[error(transparent)]
    Generate(#[from] crate::translate::GenerateError),
    #[error(transparent)]
    Output(#[from] OutputError),
    /// Files that could not be copied.
    #[error(transparent)]
    Copy(#[from] crate::engine::copy::CopyError),
    /// A file or directory could not be used.
    #[error("{doing} {}", .path.display())]
    File {
        doing: &'static str,
        path: std::path::PathBuf,
        source: std::io::Error,
    },
    /// Some of several things failed; the others were done.
    #[error("{} of them failed", .0.len())]
    Several(Vec<Error>),
    /// Nothing to say but an exit code, as `exists` answers.
    #[error("exit code {0}")]
    Code(u8),
}

impl From<crate::engine::EngineError> for Error {
    fn from(error: crate::engine::EngineError) -> Self {
        Self::Engine(Box::new(error))
    }
}

impl From<crate::engine::networks::NetworksError> for Error {
    fn from(error: crate::engine::networks::NetworksError) -> Self {
        Self::Networks(Box::new(error))
    }
}

impl From<crate::engine::catalog::CatalogError> for Error {
    fn from(error: crate::engine::catalog::CatalogError) -> Self {
        Self::Catalog(Box::new(error))
    }
}

/// Returns the error of a command on one of several things.
pub(super) fn about(word: &str, error: crate::engine::EngineError) -> Error {
    Error::About {
        name: word.to_owned(),
        source: Box::new(error),
    }
}

/// Returns success if nothing failed.
pub(super) fn outcome(mut failures: Vec<Error>) -> Result<(), Error> {
    match failures.len() {
        0 => Ok(()),
        1 => Err(failures.remove(0)),
        _ => Err(Error::Several(failures)),
    }
}

/// Answers `exists` by the exit code: 1 if there is no such thing.
pub(super) fn exists<T>(found: Result<T, Error>) -> Result<(), Error> {
    match found {
        Ok(_) => Ok(()),
        Err(Error::NoSuch { .. } | Error::NoNetwork { .. }) => Err(Error::Code(1)),
        Err(error) => Err(error),
    }
}

/// Returns the error of a command line that makes no sense.
pub(super) fn usage(message: impl Into<String>) -> Error {
    Error::Usage {
        message: message.into(),
        help: None,
    }
}
