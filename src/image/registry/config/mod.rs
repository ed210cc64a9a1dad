//! The files of this host about registries, where podman and its kin read them.

mod login;
mod places;
mod policy;
mod registries;

pub(super) use login::in_text;
pub use login::{Logins, login, logout};
pub use places::Places;
pub(super) use places::wrong;
pub(super) use policy::{Identity, Key, Policy, Requirement};
pub use registries::{Registries, ShortNames};
pub(super) use registries::{Source, Wanted};
