//! The names there are, for completion.

use super::super::args::Global;
use super::super::complete::Names;
use super::{find, open};

/// Returns the names of these kinds; none if there is no installation, or it cannot be read.
pub(in crate::cli) fn live(global: &Global, kinds: &[Names]) -> Vec<String> {
    if !open::paths(global).root.join("db.sqlite").exists() {
        return Vec::new();
    }
    let Ok(engine) = open::engine(global, "completion") else {
        return Vec::new();
    };
    let observed = engine.observed().unwrap_or_default();
    let of = |kind: &Names| -> Vec<String> {
        match kind {
            Names::Containers => find::all_containers(&observed)
                .map(|found| found.name())
                .collect(),
            Names::Pods => {
                let pods = observed.pods.iter();
                pods.map(|pod| pod.record.spec.name.to_string()).collect()
            }
            Names::Networks => {
                let networks = engine.networks(&observed).unwrap_or_default();
                let names = networks.iter().map(|network| network.name.to_string());
                names.collect()
            }
            Names::Volumes => {
                let volumes = observed.volumes.iter();
                volumes.map(|volume| volume.spec.name.to_string()).collect()
            }
            Names::Images => {
                let images = engine.image_records().unwrap_or_default();
                let names = images.iter().flat_map(|image| &image.names);
                names.map(ToString::to_string).collect()
            }
        }
    };
    let mut names: Vec<String> = kinds.iter().flat_map(of).collect();
    names.sort();
    names.dedup();
    names
}
