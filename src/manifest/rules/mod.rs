//! The API server's own validation, one file a subject.
//!
//! Every rule is a function of a value, where that value stands, and the findings so far. Values
//! are read with the server's defaults in place of what is absent, as the server fills them in
//! before it validates. The rules, their order and their messages are those of Kubernetes 1.34.1
//! with its default feature gates; a field behind a gate that is off there is dropped unread by
//! that server, so what is wrong with it is a warning here.
//!
//! Paths are the server's, also where it spells a field otherwise than the manifest does
//! (`spec.template.labels`, `spec.resources[storage]`), except that they go on to the item or key
//! where the server stops at the list or map: labels, annotations, node selectors, owner
//! references, access modes, `envFrom`, mounts, `httpHeaders`, items of the downward API, resize
//! policies, and the limits that a request breaks. A ConfigMap that is too big is blamed on its
//! `data`, and a quantity that is none has a path, where the server has only a decoding error.
//! `docs/validation.md` has the list.

mod across;
mod address;
mod annotations;
mod asks;
mod behind;
mod block;
mod check;
mod claim;
mod claims;
mod cluster;
mod config;
mod containers;
mod cron;
mod dns;
mod drivers;
mod env;
mod facts;
mod fault;
mod ingress;
mod job;
mod job_policy;
mod metadata;
mod mounts;
mod names;
mod networkpolicy;
mod overlaps;
mod own_ports;
mod paths;
mod persistent;
mod placement;
mod pod;
mod podman;
mod ports;
mod present;
mod probe;
mod projected;
mod quantity;
mod references;
mod resources;
mod scheduling;
mod scope;
mod security;
mod selector;
mod service;
mod service_ips;
mod specs;
mod spot;
mod stateful;
mod storage;
mod template;
mod timezone;
mod tls;
mod told;
mod trust;
mod unplayed;
mod volume;
mod warnings;
mod windows;
mod workload;

pub(super) use across::check_across;
pub(super) use asks::note;
pub(super) use check::check_each;
pub use check::{check, check_all};
pub use claim::persistent_volume_claim;
pub(super) use cluster::custom_metadata;
pub use cluster::{namespace, service_account};
pub use config::{config_map, secret};
pub(super) use facts::{Facts, PieceFacts};
pub use ingress::ingress;
pub use job::{cron_job, job};
pub use networkpolicy::network_policy;
pub use pod::pod;
pub use podman::forgive_podman;
pub use present::{Present, check_present};
pub use service::service;
pub use spot::Spot;
pub use stateful::{daemon_set, stateful_set};
pub use storage::persistent_volume;
pub use unplayed::check_unplayed;
pub use workload::{deployment, replica_set, replication_controller};
