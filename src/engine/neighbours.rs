//! The names that pods of one network have for each other: lines of their `/etc/hosts`.
//!
//! They follow from what is recorded alone, so that whoever is the last to write them writes what is
//! true: a pod's supervisor when it sets the pod up, and a command when pods have come, gone or changed
//! places. What stands above the mark is the pod's own and stays as it is.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::net::IpAddr;
use std::path::Path;

use super::installation::{Engine, EngineError};
use super::paths::Paths;
use crate::model::network::Attachment;
use crate::model::observed::{Observed, ObservedPod, PodRecord};
use crate::names::NetworkName;
use crate::sys::mount;

/// The line that the lines of neighbours follow.
const MARK: &str = "# Pods on the same networks:\n";

/// A file longer than this is not ours any more.
const LONGEST: u64 = 1 << 20;

/// Keeps others from writing names until it is dropped: a lock of the directory that the files are below.
pub(super) fn hold(paths: &Paths) -> Result<File, EngineError> {
    let directory = paths.runroot.join("pods");
    let lock = || {
        mount::ensure_dir(&directory, 0o700)?;
        let held = File::open(&directory)?;
        held.lock()?;
        Ok(held)
    };
    lock().map_err(EngineError::io(&directory))
}

/// Returns whether a pod is on a network that may have names: such a one is recorded.
pub(super) fn may_have(pod: &PodRecord) -> bool {
    let mut attachments = pod.spec.infra.network.attachments().iter();
    attachments.any(|attached| !attached.network.is_default())
}

/// Returns the lines of a pod's neighbours, under their mark; nothing if it can have none.
pub(super) fn lines(observed: &Observed, pod: &PodRecord) -> String {
    let networks: BTreeSet<&NetworkName> = observed
        .networks
        .iter()
        .filter(|network| network.has_names() && pod.spec.infra.network.joins(&network.name))
        .map(|network| &network.name)
        .collect();
    if networks.is_empty() {
        return String::new();
    }
    let mut text = MARK.to_owned();
    let others = observed.pods.iter().filter(|other| {
        other.record.id != pod.id
            && other.record.spec.name != pod.spec.name
            && other.record.standing.is_serving()
    });
    for other in others {
        for (attached, address) in places(&other.record) {
            if networks.contains(&attached.network) {
                let names = names(other, attached).join(" ");
                writeln!(text, "{address}\t{names}").expect("writing to a string never fails");
            }
        }
    }
    text
}

fn places(pod: &PodRecord) -> impl Iterator<Item = (&Attachment, IpAddr)> {
    let addresses = pod.addresses.iter().map(|assigned| assigned.address);
    let attachments = pod.spec.infra.network.attachments().iter();
    attachments.zip(addresses)
}

/// Returns what a pod is called: its own name, those of its containers in and out of it, and what it asked for.
fn names(pod: &ObservedPod, attached: &Attachment) -> Vec<String> {
    let spec = &pod.record.spec;
    let mut names = vec![spec.name.to_string()];
    for container in &spec.containers {
        names.push(spec.full_name(&container.name));
        names.push(container.name.to_string());
    }
    names.extend(attached.aliases.iter().map(ToString::to_string));
    let mut known = BTreeSet::new();
    names.retain(|name| known.insert(name.clone()));
    names
}

impl Engine {
    /// Tells the pods that are set up what their neighbours are called by now.
    pub(super) fn tell_neighbours(&self) -> Result<(), EngineError> {
        if self.store.networks()?.is_empty() {
            return Ok(());
        }
        let _turn = hold(&self.paths)?;
        let observed = self.store.observed()?;
        for pod in &observed.pods {
            let lines = lines(&observed, &pod.record);
            let path = self.paths.pod(&pod.record.id).etc("hosts");
            if !lines.is_empty() {
                rewrite(&path, &lines).map_err(EngineError::io(&path))?;
            }
        }
        Ok(())
    }
}

/// Puts lines in the place of those under the mark. The file stays the same one: containers have it mounted.
fn rewrite(path: &Path, lines: &str) -> io::Result<()> {
    let mut file = match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => file,
        // The pod is not set up, or its image has a file of its own.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let mut text = Vec::new();
    io::Read::take(&file, LONGEST).read_to_end(&mut text)?;
    let place = text
        .windows(MARK.len())
        .position(|window| window == MARK.as_bytes());
    // Somebody in the pod has made it their own.
    let Some(place) = place else {
        return Ok(());
    };
    if &text[place..] == lines.as_bytes() {
        return Ok(());
    }
    file.seek(io::SeekFrom::Start(place as u64))?;
    file.write_all(lines.as_bytes())?;
    file.set_len((place + lines.len()) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_above_the_mark_stays() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("hosts");
        let own = "127.0.0.1\tlocalhost\n";
        std::fs::write(&path, format!("{own}{MARK}10.0.0.2\tone\n10.0.0.3\ttwo\n")).unwrap();
        rewrite(&path, &format!("{MARK}10.0.0.4\tthree\n")).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text, format!("{own}{MARK}10.0.0.4\tthree\n"));
        std::fs::write(&path, own).unwrap();
        rewrite(&path, MARK).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), own);
        rewrite(&directory.path().join("none"), MARK).unwrap();
    }
}
