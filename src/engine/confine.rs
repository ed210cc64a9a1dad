//! What the processes of a container are kept from, given up by a process that is about to become one.
//!
//! The init and what is run in the container later lose the same in the same order.

mod member;

use std::path::Path;

use oci_spec::runtime::{Capabilities as OciCapabilities, LinuxCapabilities, Spec};

use super::filter::Filter;
use super::stage::{CreateError, Step};
use crate::model::container::CAPABILITIES;
use crate::sys::credentials::{
    Capabilities, CapabilityBits, keep_capabilities, refuse_new_privileges,
};

pub(super) use member::{Identity, become_member, process};

/// What a process keeps, and what it is kept from.
#[derive(Debug, Clone)]
pub(super) struct Confinement {
    pub(super) capabilities: Capabilities,
    filter: Option<Filter>,
    no_new_privileges: bool,
}

impl Confinement {
    /// Returns what a container's spec says, with its [filter](filter_of).
    pub(super) fn of(spec: &Spec, filter: Option<Filter>) -> Result<Self, CreateError> {
        let process = process(spec)?;
        Ok(Self {
            capabilities: process
                .capabilities()
                .as_ref()
                .map(bits)
                .unwrap_or_default(),
            filter,
            no_new_privileges: process.no_new_privileges() == Some(true),
        })
    }

    /// Returns the same for a process that keeps other capabilities.
    pub(super) fn with_capabilities(self, capabilities: Capabilities) -> Self {
        Self {
            capabilities,
            ..self
        }
    }

    /// Gives up what the spec does not leave; the process must have all its capabilities effective.
    ///
    /// A filter needs a capability, but for those who refuse new privileges: then it comes last, so that it need
    /// not let through what comes before (`seccomp(2)`).
    pub(super) fn enter(&self) -> Result<(), CreateError> {
        let failed = |error: &dyn std::error::Error| CreateError::caused(Step::Confine, error);
        let load = || {
            let filter = self.filter.as_ref();
            filter.map_or(Ok(()), |filter| {
                filter.load().map_err(|error| failed(&error))
            })
        };
        let drop = || keep_capabilities(&self.capabilities).map_err(|error| failed(&error));
        if self.no_new_privileges {
            refuse_new_privileges().map_err(|error| failed(&error))?;
            drop()?;
            load()
        } else {
            load()?;
            drop()
        }
    }
}

/// Returns the filter that a container's spec says; compiled ones are kept in a directory.
pub(super) fn filter_of(spec: &Spec, filters: &Path) -> Result<Option<Filter>, CreateError> {
    let linux = spec.linux().as_ref();
    let profile = linux.and_then(|linux| linux.seccomp().as_ref());
    let filter = profile.map(|profile| Filter::of(profile, filters));
    let filter = filter.transpose();
    filter.map_err(|error| CreateError::caused(Step::Confine, &error))
}

fn bits(sets: &LinuxCapabilities) -> Capabilities {
    let of = |set: &Option<OciCapabilities>| {
        let names = set.iter().flatten().map(ToString::to_string);
        let numbers = names.filter_map(|name| CAPABILITIES.iter().position(|known| *known == name));
        CapabilityBits(numbers.fold(0, |bits, number| bits | 1 << number))
    };
    Capabilities {
        bounding: of(sets.bounding()),
        effective: of(sets.effective()),
        permitted: of(sets.permitted()),
        inheritable: of(sets.inheritable()),
        ambient: of(sets.ambient()),
    }
}
