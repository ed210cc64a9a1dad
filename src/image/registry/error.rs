//! What can go wrong between this host and a registry.

use std::io;
use std::path::PathBuf;

use crate::names::NameError;

/// A registry that cannot be used, or will not give what is asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// No connection, or one that broke.
    #[error("asking registry `{host}`")]
    Connection {
        /// The registry.
        host: String,
        /// What happened to the connection.
        source: Box<ureq::Error>,
    },
    /// It speaks plain HTTP, and nobody allowed that.
    #[error("registry `{host}` does not speak HTTPS")]
    PlainHttp {
        /// The registry.
        host: String,
    },
    /// Nothing of that name and tag is there.
    #[error("registry `{host}` has no {what}")]
    NotFound {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
    },
    /// It wants to know who asks, or that one may not.
    #[error("registry `{host}` refuses access to {what}: {message}")]
    Denied {
        /// The registry.
        host: String,
        /// What was asked for.
        what: String,
        /// Its words.
        message: String,
    },
    /// Any other answer that is no success.
    #[error("registry `{host}` answers {status} for {what}: {message}")]
    Answer {
        /// The registry.
        host: String,
        /// The status of HTTP.
        status: u16,
        /// What was asked for.
        what: String,
        /// Its words.
        message: String,
    },
    /// An answer that is against the protocol.
    #[error("registry `{host}` answers something that is no {what}")]
    Protocol {
        /// The registry.
        host: String,
        /// What was expected.
        what: String,
    },
    /// A transfer that broke more often than is tried again.
    #[error("fetching {what} from registry `{host}`")]
    Transfer {
        /// The registry.
        host: String,
        /// What was fetched.
        what: String,
        /// What happened last.
        source: io::Error,
    },
    /// The configuration of this host forbids it.
    #[error("registry `{registry}` is blocked by `{}`", file.display())]
    Blocked {
        /// The registry or prefix.
        registry: String,
        /// Which file says so.
        file: PathBuf,
    },
    /// More than one registry could be meant.
    #[error("`{name}` may mean any of {}", choices.join(", "))]
    ShortName {
        /// What was asked for.
        name: String,
        /// The whole names it could stand for.
        choices: Vec<String>,
    },
    /// A file of settings that is not what it should be.
    #[error("reading `{}`: {message}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A program that should know a password.
    #[error("credential helper `{program}`: {message}")]
    Helper {
        /// Its name.
        program: String,
        /// What it said.
        message: String,
    },
    /// The policy for images lets it not in.
    #[error("the policy in `{}` refuses `{image}`: {message}", policy.display())]
    Policy {
        /// The image.
        image: String,
        /// The file of the policy.
        policy: PathBuf,
        /// Why.
        message: String,
    },
    /// A name that is none.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl RegistryError {
    /// Returns whether the same may go well if it is tried again.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Connection { source, .. } => {
                matches!(
                    **source,
                    ureq::Error::Io(_)
                        | ureq::Error::Timeout(_)
                        | ureq::Error::ConnectionFailed
                        | ureq::Error::Protocol(_)
                ) && !is_certificate(source)
            }
            Self::Answer { status, .. } => matches!(status, 408 | 429 | 500 | 502 | 503 | 504),
            Self::Transfer { .. } => true,
            _ => false,
        }
    }
}

/// Returns whether the other side is not who it should be, or speaks no TLS.
pub(super) fn is_certificate(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Rustls(_) | ureq::Error::Tls(_) => true,
        ureq::Error::Io(error) => error
            .get_ref()
            .is_some_and(|inner| inner.is::<rustls::Error>()),
        _ => false,
    }
}
