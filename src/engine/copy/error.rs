//! Why something was not copied.

use std::io;
use std::path::PathBuf;

/// What went wrong with a copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error("{doing} `{}`", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("`{}` is a {what}: only directories, files and links are copied", path.display())]
    Kind { path: PathBuf, what: &'static str },
    #[error("`{}` is on a file system of the kernel's own, which is not copied", path.display())]
    Pseudo { path: PathBuf },
    #[error("`{}` is a directory, and what is to take its place is none (--overwrite allows it)", path.display())]
    IsDirectory { path: PathBuf },
    #[error("`{}` is no directory, and what is to take its place is one (--overwrite allows it)", path.display())]
    IsNoDirectory { path: PathBuf },
    #[error("`{}` does not exist", path.display())]
    Missing { path: PathBuf },
    #[error("the archive has a member outside of its top: `{}`", path.display())]
    Outside { path: PathBuf },
    #[error("directories lie deeper than {0} levels")]
    TooDeep(usize),
    #[error("the container ended meanwhile")]
    Ended,
    #[error(
        "container `{0}` waits to be started anew, on an empty layer: nothing can be copied now"
    )]
    Waiting(String),
    #[error(transparent)]
    User(#[from] crate::image::user::UserError),
    #[error(transparent)]
    Engine(#[from] crate::engine::EngineError),
}

impl CopyError {
    /// Wraps an error of the file system.
    pub(super) fn io<P: Into<PathBuf>>(
        doing: &'static str,
        path: P,
    ) -> impl FnOnce(io::Error) -> Self + use<P> {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::NotFound => Self::Missing { path },
            _ => Self::Io {
                doing,
                path,
                source,
            },
        }
    }
}
