//! The pods behind Services, when both are read together.

use std::collections::HashMap;

use super::outline::{Gives, Labels, Outline};

/// The pods of a reading, found by their labels without a look at each.
pub(super) struct Pods<'r> {
    all: Vec<Pod<'r>>,
    by_label: HashMap<(&'r str, &'r str, &'r str), Vec<usize>>,
}

#[derive(Clone, Copy)]
pub(super) struct Pod<'r> {
    labels: &'r Labels,
    /// The ports that its containers declare.
    pub(super) ports: &'r [(i32, Box<str>)],
}

impl<'r> Pods<'r> {
    pub(super) fn of(outlines: &'r [Outline]) -> Self {
        let mut pods = Self {
            all: Vec::new(),
            by_label: HashMap::new(),
        };
        for outline in outlines {
            if let Gives::Pods { labels, ports } = &outline.gives {
                for (key, value) in labels {
                    let label = (outline.namespace(), &**key, &**value);
                    pods.by_label.entry(label).or_default().push(pods.all.len());
                }
                pods.all.push(Pod { labels, ports });
            }
        }
        pods
    }

    fn with_label<'a>(&'a self, space: &'a str, key: &'a str, value: &'a str) -> &'a [usize] {
        let list = self.by_label.get(&(space, key, value));
        list.map_or(&[][..], Vec::as_slice)
    }

    /// Returns the pods that an object chooses: those of its namespace with all the labels.
    pub(super) fn chosen<'s>(&'s self, outline: &'s Outline) -> impl Iterator<Item = Pod<'r>> + 's {
        let chosen = outline.selector.iter();
        let lists = chosen.map(|(key, value)| self.with_label(outline.namespace(), key, value));
        let fewest = lists.min_by_key(|list| list.len()).unwrap_or_default();
        let candidates = fewest.iter().map(|index| self.all[*index]);
        candidates.filter(|pod| {
            let mut chosen = outline.selector.iter();
            chosen.all(|label| pod.labels.binary_search(label).is_ok())
        })
    }
}
