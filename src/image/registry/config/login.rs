//! `containers-auth.json(5)`: who asks which registry, in files and by credential helpers.
//!
//! A helper `docker-credential-NAME` is looked up in `$PATH`, as every tool that has them does: it
//! is the caller's own program and runs as the caller.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

use super::places::{Places, read, wrong};
use crate::image::registry::{Credentials, RegistryError};
use crate::manifest::base64;

/// The key under which Docker keeps who asks Docker Hub.
const HUB: &str = "https://index.docker.io/v1/";

/// The files that know who asks.
#[derive(Debug, Clone)]
pub struct Logins {
    files: Vec<PathBuf>,
    helpers: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: String,
}

#[derive(Debug, Default, Deserialize)]
struct Entry {
    #[serde(default)]
    auth: String,
    #[serde(default, rename = "identitytoken")]
    identity_token: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
}

/// What a helper answers.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Secret {
    username: String,
    secret: String,
}

impl Logins {
    /// Returns the files this user has; `named` alone counts if it is given.
    #[must_use]
    pub fn new(places: &Places, named: Option<&Path>, helpers: &[String]) -> Self {
        let files = match named {
            Some(path) => vec![path.to_owned()],
            None => places.logins(),
        };
        // The name stands for the files themselves.
        let helpers = helpers
            .iter()
            .filter(|helper| *helper != "containers-auth.json");
        Self {
            files,
            helpers: helpers.cloned().collect(),
        }
    }

    /// Returns who asks for a repository: the longest part of its name that a file knows counts.
    ///
    /// # Errors
    /// A file cannot be read, or a helper fails.
    pub fn find(
        &self,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Credentials>, RegistryError> {
        for path in &self.files {
            let Some(text) = read(path)? else { continue };
            let file = parse(&text).map_err(|error| wrong(path, &error))?;
            if let Some(found) = file.find(path, registry, repository)? {
                return Ok(Some(found));
            }
        }
        for helper in &self.helpers {
            if let Some(found) = ask_helper(helper, registry)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// Reads the credentials in the text of a pull secret (`kubernetes.io/dockerconfigjson`).
///
/// # Errors
/// It is not the JSON it should be.
pub(in crate::image::registry) fn in_text(
    text: &str,
    registry: &str,
    repository: &str,
) -> Result<Option<Credentials>, RegistryError> {
    let path = Path::new(".dockerconfigjson");
    let mut file = parse(text).map_err(|error| wrong(path, &error))?;
    // What a manifest brings starts no programs here.
    file.helpers.clear();
    file.store.clear();
    file.find(path, registry, repository)
}

/// Reads both forms: with `auths`, and the older one without.
fn parse(text: &str) -> Result<File, serde_json::Error> {
    let value: Value = serde_json::from_str(text)?;
    let known = ["auths", "credHelpers", "credsStore"];
    let is_new = known.iter().any(|key| value.get(key).is_some());
    let is_empty = value.as_object().is_some_and(|object| object.is_empty());
    match is_new || is_empty {
        true => serde_json::from_value(value),
        false => Ok(File {
            auths: serde_json::from_value(value)?,
            ..File::default()
        }),
    }
}

impl File {
    fn find(
        &self,
        path: &Path,
        registry: &str,
        repository: &str,
    ) -> Result<Option<Credentials>, RegistryError> {
        if let Some(helper) = self.helpers.get(registry) {
            return ask_helper(helper, registry);
        }
        let whole = format!("{registry}/{repository}");
        let mut key = whole.trim_end_matches('/');
        loop {
            if let Some(entry) = self.entry(key) {
                return entry
                    .credentials()
                    .map_err(|error| wrong(path, &format!("`{key}`: {error}")));
            }
            match key.rsplit_once('/') {
                Some((shorter, _)) => key = shorter,
                None => break,
            }
        }
        match self.store.as_str() {
            "" => Ok(None),
            helper => ask_helper(helper, registry),
        }
    }

    /// Finds an entry; Docker writes keys as URLs.
    fn entry(&self, key: &str) -> Option<&Entry> {
        if let Some(entry) = self.auths.get(key) {
            return Some(entry);
        }
        if key == "docker.io" {
            return self
                .auths
                .get(HUB)
                .or_else(|| self.auths.get("index.docker.io"));
        }
        let is_meant = |written: &str| {
            let rest = written
                .strip_prefix("https://")
                .or_else(|| written.strip_prefix("http://"));
            rest.is_some_and(|rest| rest.split('/').next() == Some(key))
        };
        self.auths
            .iter()
            .find(|(written, _)| is_meant(written))
            .map(|(_, entry)| entry)
    }
}

impl Entry {
    fn credentials(&self) -> Result<Option<Credentials>, String> {
        if !self.identity_token.is_empty() {
            return Ok(Some(Credentials::IdentityToken(
                self.identity_token.clone(),
            )));
        }
        if !self.username.is_empty() {
            return Ok(Some(Credentials::Password {
                username: self.username.clone(),
                password: self.password.clone(),
            }));
        }
        if self.auth.is_empty() {
            return Ok(None);
        }
        let bytes = base64::decode(&self.auth).map_err(|_| "`auth` is no base64")?;
        let text = String::from_utf8(bytes).map_err(|_| "`auth` is no text")?;
        Ok(Some(Credentials::parse(text.trim_end_matches('\0'))))
    }
}

/// Asks a helper; it says so when it knows nobody.
fn ask_helper(name: &str, registry: &str) -> Result<Option<Credentials>, RegistryError> {
    let program = format!("docker-credential-{name}");
    let failed = |message: String| RegistryError::Helper {
        program: program.clone(),
        message,
    };
    let server = match registry {
        "docker.io" => HUB,
        other => other,
    };
    let ask = || {
        let mut child = Command::new(&program)
            .arg("get")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            // A helper that reads nothing says so in its answer.
            let _ = input.write_all(server.as_bytes());
        }
        child.wait_with_output()
    };
    let output = ask().map_err(|error| failed(error.to_string()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        return match text.contains("credentials not found") {
            true => Ok(None),
            false => Err(failed(text.trim().to_owned())),
        };
    }
    let secret: Secret = serde_json::from_str(&text).map_err(|error| failed(error.to_string()))?;
    Ok(Some(match secret.username.as_str() {
        "<token>" => Credentials::IdentityToken(secret.secret),
        _ => Credentials::Password {
            username: secret.username,
            password: secret.secret,
        },
    }))
}

/// Keeps who asks a registry in the file that `login` writes, and returns which that is.
///
/// # Errors
/// The file cannot be read or written.
pub fn login(
    places: &Places,
    named: Option<&Path>,
    registry: &str,
    username: &str,
    password: &str,
) -> Result<PathBuf, RegistryError> {
    let path = named.map_or_else(|| places.logins_to_write(), Path::to_owned);
    change(&path, |auths| {
        let auth = base64::encode(format!("{username}:{password}").as_bytes());
        auths[registry] = json!({ "auth": auth });
    })?;
    Ok(path)
}

/// Forgets who asks a registry, or all of them, and returns whether anybody was known.
///
/// # Errors
/// The file cannot be read or written.
pub fn logout(
    places: &Places,
    named: Option<&Path>,
    registry: Option<&str>,
) -> Result<bool, RegistryError> {
    let path = named.map_or_else(|| places.logins_to_write(), Path::to_owned);
    if !path.exists() {
        return Ok(false);
    }
    change(&path, |auths| {
        let Some(object) = auths.as_object_mut() else {
            return false;
        };
        match registry {
            Some(registry) => object.remove(registry).is_some(),
            None => {
                let any = !object.is_empty();
                object.clear();
                any
            }
        }
    })
}

/// Changes the `auths` of a file, whatever else is in it, by one rename.
fn change<R>(path: &Path, change: impl FnOnce(&mut Value) -> R) -> Result<R, RegistryError> {
    let failed = |error: std::io::Error| wrong(path, &error);
    let mut value = match read(path)? {
        Some(text) if !text.trim().is_empty() => {
            serde_json::from_str(&text).map_err(|error| wrong(path, &error))?
        }
        _ => json!({}),
    };
    if !value.is_object() {
        return Err(wrong(path, &"it is no JSON object"));
    }
    if !value["auths"].is_object() {
        value["auths"] = json!({});
    }
    let result = change(&mut value["auths"]);
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent)
        .map_err(failed)?;
    let draft = parent.join(format!(".auth.json.{}", std::process::id()));
    let mut text = serde_json::to_string_pretty(&value).expect("JSON is text");
    text.push('\n');
    let written = fs::File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .and_then(|()| fs::rename(&draft, path));
    written.map_err(failed)?;
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Option<Credentials> {
        Some(Credentials::parse(text))
    }

    #[test]
    fn the_longest_name_that_a_file_knows_counts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("auth.json");
        let auth = |text: &str| json!({"auth": base64::encode(text.as_bytes())});
        let text = json!({"auths": {
            "a.test": auth("host:1"),
            "a.test/team": auth("team:2"),
            "https://b.test:5/v1/": auth("url:3"),
            HUB: auth("hub:4"),
            "t.test": {"identitytoken": "T"},
        }});
        fs::write(&path, text.to_string()).unwrap();
        let logins = Logins::new(&Places::default(), Some(&path), &[]);
        for (registry, repository, expected) in [
            ("a.test", "x", password("host:1")),
            ("a.test", "team/x", password("team:2")),
            ("a.test", "teams/x", password("host:1")),
            ("b.test:5", "x", password("url:3")),
            ("docker.io", "library/x", password("hub:4")),
            (
                "t.test",
                "x",
                Some(Credentials::IdentityToken("T".to_owned())),
            ),
            ("c.test", "x", None),
        ] {
            assert_eq!(
                logins.find(registry, repository).unwrap(),
                expected,
                "{registry}/{repository}"
            );
        }
    }

    #[test]
    fn a_login_is_kept_beside_what_else_is_in_the_file_and_forgotten_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/auth.json");
        let places = Places::default();
        login(&places, Some(&path), "a.test", "me", "secret").unwrap();
        let mut value: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        value["other"] = json!(1);
        fs::write(&path, value.to_string()).unwrap();
        login(&places, Some(&path), "b.test", "you", "more").unwrap();
        let logins = Logins::new(&places, Some(&path), &[]);
        assert_eq!(logins.find("a.test", "x").unwrap(), password("me:secret"));
        assert!(logout(&places, Some(&path), Some("a.test")).unwrap());
        assert!(!logout(&places, Some(&path), Some("a.test")).unwrap());
        assert_eq!(logins.find("a.test", "x").unwrap(), None);
        assert!(logout(&places, Some(&path), None).unwrap());
        let value: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(value, json!({"auths": {}, "other": 1}));
    }

    #[test]
    fn the_older_form_has_no_auths() {
        let text = json!({"a.test": {"auth": base64::encode(b"me:x")}}).to_string();
        assert_eq!(in_text(&text, "a.test", "b").unwrap(), password("me:x"));
    }
}
