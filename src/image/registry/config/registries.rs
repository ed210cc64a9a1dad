//! `containers-registries.conf(5)`: short names, mirrors, insecure and blocked registries.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::places::{Places, read, wrong};
use crate::image::registry::RegistryError;
use crate::names::ImageRef;

/// What all the files say together.
#[derive(Debug, Clone, Default)]
pub struct Registries {
    search: Option<Vec<String>>,
    mode: Mode,
    helpers: Vec<String>,
    aliases: BTreeMap<String, String>,
    registries: Vec<Registry>,
}

/// What names without a registry mean.
#[derive(Debug, Clone, Default)]
pub struct ShortNames {
    /// The whole names, the likeliest first.
    pub candidates: Vec<ImageRef>,
    /// Whether somebody has to choose one of them.
    pub ambiguous: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    #[default]
    Enforcing,
    Permissive,
    Disabled,
}

/// One file.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct File {
    unqualified_search_registries: Option<Vec<String>>,
    short_name_mode: Option<Mode>,
    credential_helpers: Option<Vec<String>>,
    #[serde(default)]
    registry: Vec<Registry>,
    #[serde(default)]
    aliases: BTreeMap<String, String>,
    /// The first version of the format, which has these words in tables.
    registries: Option<toml::Value>,
}

/// What is said about a registry, or about a part of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Registry {
    prefix: String,
    location: String,
    insecure: bool,
    blocked: bool,
    mirror_by_digest_only: bool,
    mirror: Vec<Mirror>,
    #[serde(skip)]
    file: PathBuf,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
struct Mirror {
    location: String,
    insecure: bool,
    pull_from_mirror: From,
}

/// Which pulls a mirror is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum From {
    #[default]
    All,
    DigestOnly,
    TagOnly,
}

/// Where an image is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::image::registry) struct Source {
    pub(in crate::image::registry) host: String,
    pub(in crate::image::registry) repository: String,
    pub(in crate::image::registry) insecure: bool,
}

/// An image by its whole name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::image::registry) struct Wanted {
    pub(in crate::image::registry) registry: String,
    pub(in crate::image::registry) repository: String,
    /// A tag, or a digest.
    pub(in crate::image::registry) reference: String,
}

impl Wanted {
    /// Reads a name with a registry; a digest counts before a tag.
    pub(in crate::image::registry) fn of(image: &ImageRef) -> Option<Self> {
        let reference = match (image.digest(), image.tag()) {
            (Some(digest), _) => digest.to_string(),
            (None, tag) => tag?.to_owned(),
        };
        Some(Self {
            registry: image.registry()?.to_owned(),
            repository: image.repository().to_owned(),
            reference,
        })
    }

    fn is_digest(&self) -> bool {
        self.reference.contains(':')
    }

    fn name(&self) -> String {
        format!("{}/{}", self.registry, self.repository)
    }
}

impl Registries {
    /// Reads all files there are.
    ///
    /// # Errors
    /// A file cannot be read, or is not in the form of the second version.
    pub fn read(places: &Places) -> Result<Self, RegistryError> {
        let mut all = Self::default();
        for path in places.registries() {
            let Some(text) = read(&path)? else { continue };
            let mut file: File = toml::from_str(&text).map_err(|error| wrong(&path, &error))?;
            if file.registries.is_some() {
                return Err(wrong(
                    &path,
                    &"it is of version 1, with [registries.search]; write `unqualified-search-registries = [..]`",
                ));
            }
            for registry in &mut file.registry {
                registry.file.clone_from(&path);
                if registry.prefix.is_empty() {
                    registry.prefix.clone_from(&registry.location);
                }
                if registry.prefix.is_empty() {
                    return Err(wrong(
                        &path,
                        &"a [[registry]] has neither prefix nor location",
                    ));
                }
            }
            all.add(file);
        }
        Ok(all)
    }

    fn add(&mut self, file: File) {
        self.search = file.unqualified_search_registries.or(self.search.take());
        self.mode = file.short_name_mode.unwrap_or(self.mode);
        if let Some(helpers) = file.credential_helpers {
            self.helpers = helpers;
        }
        for registry in file.registry {
            self.registries
                .retain(|known| known.prefix != registry.prefix);
            self.registries.push(registry);
        }
        for (name, value) in file.aliases {
            // An empty one takes an earlier file's back.
            match value.is_empty() {
                true => self.aliases.remove(&name),
                false => self.aliases.insert(name, value),
            };
        }
    }

    /// Returns the programs that know passwords for every registry.
    pub(in crate::image::registry) fn helpers(&self) -> &[String] {
        &self.helpers
    }

    /// Returns what a name means; one with a registry means itself.
    ///
    /// Where no file names registries to search, it is Docker Hub, as the kubelet has it.
    #[must_use]
    pub fn short_names(&self, image: &ImageRef) -> ShortNames {
        let image = image.qualified();
        if image.registry().is_some() {
            return ShortNames {
                candidates: vec![library(&image)],
                ambiguous: false,
            };
        }
        let alias = self.aliases.get(image.repository());
        if let Some(name) = alias.and_then(|name| ImageRef::parse(name).ok())
            && self.mode != Mode::Disabled
        {
            return ShortNames {
                candidates: vec![library(&image.renamed(&name))],
                ambiguous: false,
            };
        }
        let default = ["docker.io".to_owned()];
        let search = self
            .search
            .as_deref()
            .filter(|search| !search.is_empty())
            .unwrap_or(&default);
        let candidates: Vec<ImageRef> = search
            .iter()
            .map(|registry| library(&image.in_registry(registry)))
            .collect();
        ShortNames {
            ambiguous: candidates.len() > 1 && self.mode == Mode::Enforcing,
            candidates,
        }
    }

    /// Returns where an image is asked for: mirrors first, its own place last.
    pub(in crate::image::registry) fn sources(
        &self,
        wanted: &Wanted,
    ) -> Result<Vec<Source>, RegistryError> {
        let name = wanted.name();
        let Some((registry, matched)) = self.find(&name) else {
            return Ok(vec![source(&name, false)]);
        };
        if registry.blocked {
            return Err(RegistryError::Blocked {
                registry: registry.prefix.clone(),
                file: registry.file.clone(),
            });
        }
        let rewritten = |location: &str| match location {
            "" => name.clone(),
            location => format!("{location}{}", &name[matched..]),
        };
        let is_for = |mirror: &&Mirror| {
            let from = match (registry.mirror_by_digest_only, mirror.pull_from_mirror) {
                (true, From::All) => From::DigestOnly,
                (_, from) => from,
            };
            match from {
                From::All => true,
                From::DigestOnly => wanted.is_digest(),
                From::TagOnly => !wanted.is_digest(),
            }
        };
        let mirrors = registry.mirror.iter().filter(is_for);
        let mut sources: Vec<Source> = mirrors
            .map(|mirror| source(&rewritten(&mirror.location), mirror.insecure))
            .collect();
        sources.push(source(&rewritten(&registry.location), registry.insecure));
        Ok(sources)
    }

    /// Returns where a registry itself is asked.
    pub(in crate::image::registry) fn place(&self, registry: &str) -> Source {
        let known = self.find(registry);
        let insecure = known.is_some_and(|(registry, _)| registry.insecure);
        source(registry, insecure)
    }

    /// Finds what is said about a name: the longest prefix counts, and how much of the name it is.
    fn find(&self, name: &str) -> Option<(&Registry, usize)> {
        let matching = self
            .registries
            .iter()
            .filter_map(|registry| Some((registry, matched(&registry.prefix, name)?)));
        matching.max_by_key(|(registry, _)| registry.prefix.len())
    }
}

/// Returns how much of a name a prefix covers, up to a `/`, or none.
fn matched(prefix: &str, name: &str) -> Option<usize> {
    if let Some(domain) = prefix.strip_prefix('*') {
        let end = name.find('/').unwrap_or(name.len());
        return name[..end].ends_with(domain).then_some(end);
    }
    let rest = name.strip_prefix(prefix)?;
    (rest.is_empty() || rest.starts_with('/')).then_some(prefix.len())
}

/// Splits a place into host and repository; Docker Hub's API is on another host than its name.
fn source(place: &str, insecure: bool) -> Source {
    let (host, repository) = place.split_once('/').unwrap_or((place, ""));
    let host = match host {
        "docker.io" | "index.docker.io" => "registry-1.docker.io",
        host => host,
    };
    Source {
        host: host.to_owned(),
        repository: repository.to_owned(),
        insecure,
    }
}

/// Writes out Docker Hub's `library/`, which its own names leave out.
fn library(image: &ImageRef) -> ImageRef {
    let hub = image.registry() == Some("docker.io");
    if hub
        && !image.repository().contains('/')
        && let Ok(name) = ImageRef::parse(&format!("docker.io/library/{}", image.repository()))
    {
        return image.renamed(&name);
    }
    image.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registries(texts: &[&str]) -> Registries {
        let mut all = Registries::default();
        for text in texts {
            let mut file: File = toml::from_str(text).unwrap();
            for registry in &mut file.registry {
                if registry.prefix.is_empty() {
                    registry.prefix.clone_from(&registry.location);
                }
            }
            all.add(file);
        }
        all
    }

    fn meanings(all: &Registries, name: &str) -> Vec<String> {
        let names = all.short_names(&ImageRef::parse(name).unwrap());
        names.candidates.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_short_name_means_an_alias_or_is_searched_for() {
        let none = registries(&[]);
        assert_eq!(meanings(&none, "nginx"), ["docker.io/library/nginx:latest"]);
        assert_eq!(meanings(&none, "a/b:1"), ["docker.io/a/b:1"]);
        assert_eq!(meanings(&none, "quay.io/x"), ["quay.io/x:latest"]);
        let all = registries(&[
            "unqualified-search-registries = ['one.test', 'docker.io']\n[aliases]\nfedora = 'f.test/fedora'\nold = 'o.test/old'",
            "[aliases]\nold = ''",
        ]);
        assert_eq!(meanings(&all, "fedora:40"), ["f.test/fedora:40"]);
        assert_eq!(
            meanings(&all, "old"),
            ["one.test/old:latest", "docker.io/library/old:latest"]
        );
        assert!(all.short_names(&ImageRef::parse("old").unwrap()).ambiguous);
    }

    fn places(all: &Registries, name: &str) -> Vec<String> {
        let wanted = Wanted::of(&ImageRef::parse(name).unwrap()).unwrap();
        let sources = all.sources(&wanted).unwrap();
        let text = |source: &Source| {
            let mark = if source.insecure { "!" } else { "" };
            format!("{mark}{}/{}", source.host, source.repository)
        };
        sources.iter().map(text).collect()
    }

    #[test]
    fn mirrors_come_first_and_the_longest_prefix_counts() {
        let all = registries(&["
            [[registry]]
            location = 'a.test'
            insecure = true
            [[registry]]
            prefix = 'a.test/team'
            location = 'b.test/mirrored'
            [[registry.mirror]]
            location = 'm.test/x'
            [[registry.mirror]]
            location = 'd.test'
            pull-from-mirror = 'digest-only'
            [[registry]]
            prefix = '*.wild.test'
            location = 'w.test'
            [[registry]]
            prefix = 'bad.test'
            blocked = true
        "]);
        assert_eq!(places(&all, "a.test/x"), ["!a.test/x"]);
        assert_eq!(places(&all, "a.test/teams/x"), ["!a.test/teams/x"]);
        assert_eq!(
            places(&all, "a.test/team/x"),
            ["m.test/x/x", "b.test/mirrored/x"]
        );
        let pinned = format!("a.test/team/x@sha256:{}", "0".repeat(64));
        assert_eq!(
            places(&all, &pinned),
            ["m.test/x/x", "d.test/x", "b.test/mirrored/x"]
        );
        assert_eq!(places(&all, "x.wild.test/y"), ["w.test/y"]);
        assert_eq!(
            places(&all, "docker.io/library/x"),
            ["registry-1.docker.io/library/x"]
        );
        let wanted = Wanted::of(&ImageRef::parse("bad.test/x").unwrap()).unwrap();
        assert!(matches!(
            all.sources(&wanted),
            Err(RegistryError::Blocked { .. })
        ));
    }
}
