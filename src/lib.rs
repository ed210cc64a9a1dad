//! Plays Kubernetes YAML on a single Linux host and generates it back.
//!
//! The crate is one walk of the data, each arrow one function:
//!
//! ```text
//! in.yaml ──read──▶ Document ──decode──▶ Object ──rules──▶ Findings
//!                                          │ ok
//!                                          ▼
//!                 translate ──▶ PodSpec{infra, containers, volumes} ◀── generate ──▶ out.yaml
//!                                          │
//!      Store ──snapshot──▶ Observed ──▶ plan ──▶ Plan[Action…]
//!                                          ▼
//!             engine::execute ──▶ sys; a supervisor per pod ──▶ Store{spec, state}
//! ```
//!
//! The modules stand in layer order: a module names only those above it in this list.

// 0 vocabulary
pub mod causes;
pub mod clock;
pub mod fault;
pub mod names;
pub mod subnet;
// 1 model: what a pod is
pub mod model;
// 2 manifest: YAML to trusted Kubernetes objects
pub mod manifest;
// 2 translate: Kubernetes objects to the model and back
pub mod translate;
// 3 plan: wanted and observed to actions
pub mod plan;
// 3 sys: the kernel, typed; the only unsafe code
pub mod sys;
// 3 state: the database and the locks
pub mod state;
// 4 image: the content store
pub mod image;
// 4 engine: carries a plan out
pub mod engine;
// 5 supervisor: one process a pod
pub mod supervisor;
// 6 cli
pub mod cli;
