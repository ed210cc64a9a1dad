//! The environment, the command line and `$(VAR)`, as the kubelet makes them.

use std::collections::BTreeMap;

use super::LaunchError;
use crate::image::ImageConfig;
use crate::model::container::{ContainerSpec, EnvSource, EnvValue, FieldRef, KeyRef, ResourceRef};
use crate::names::ObjectName;

/// Where programs are looked for if the image does not say.
pub const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Knows the values that a container refers to.
pub trait Values {
    /// Returns all keys of a ConfigMap or Secret; nothing if there is no such object.
    fn object(&self, source: &EnvSource) -> Option<BTreeMap<String, String>>;
    /// Returns a fact about the pod; nothing if there is none, as for an absent label.
    fn field(&self, field: &FieldRef) -> Option<String>;
    /// Returns a limit or request.
    fn resource(&self, asking: &ContainerSpec, resource: &ResourceRef) -> String;
}

/// Variables in the order they were first named; a later value replaces an earlier one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment(Vec<(String, String)>);

impl Environment {
    /// Returns the value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Sets a variable.
    pub fn set(&mut self, name: &str, value: String) {
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Sets a variable unless it has a value.
    pub fn set_default(&mut self, name: &str, value: &str) {
        if self.get(name).is_none() {
            self.set(name, value.to_owned());
        }
    }

    /// Returns `NAME=VALUE` for each variable.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let pairs = self.0.iter();
        pairs
            .map(|(name, value)| format!("{name}={value}"))
            .collect()
    }

    fn extend(&mut self, other: Self) {
        for (name, value) in other.0 {
            self.set(&name, value);
        }
    }
}

/// Returns the variables that the manifest gives: `envFrom`, then `env`.
///
/// # Errors
/// An object or key that is not optional is missing.
pub fn manifest_env(
    container: &ContainerSpec,
    values: &dyn Values,
) -> Result<Environment, LaunchError> {
    let mut env = Environment::default();
    for from in &container.env_from {
        let Some(object) = values.object(&from.source) else {
            if from.optional {
                continue;
            }
            return Err(LaunchError::MissingObject(from.source.clone()));
        };
        for (key, value) in object {
            let name = format!("{}{key}", from.prefix);
            if is_variable_name(&name) {
                env.set(&name, value);
            }
        }
    }
    for variable in &container.env {
        let value = match &variable.value {
            EnvValue::Literal(text) => Some(expand(text, &env)),
            EnvValue::ConfigMapKey(key) => key_value(key, EnvSource::ConfigMap, values)?,
            EnvValue::SecretKey(key) => key_value(key, EnvSource::Secret, values)?,
            EnvValue::Field(field) => Some(values.field(field).unwrap_or_default()),
            EnvValue::Resource(resource) => Some(values.resource(container, resource)),
        };
        if let Some(value) = value {
            env.set(&variable.name, value);
        }
    }
    Ok(env)
}

fn key_value(
    key: &KeyRef,
    source: fn(ObjectName) -> EnvSource,
    values: &dyn Values,
) -> Result<Option<String>, LaunchError> {
    let source = source(key.object.clone());
    let object = values.object(&source);
    let missing_object = object.is_none();
    match object.and_then(|mut object| object.remove(&key.key)) {
        None if key.optional => Ok(None),
        None if missing_object => Err(LaunchError::MissingObject(source)),
        None => Err(LaunchError::MissingKey {
            object: source,
            key: key.key.clone(),
        }),
        value => Ok(value),
    }
}

/// What the kernel and C libraries cannot have in a variable's name is left out.
fn is_variable_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(['=', '\0'])
}

/// Returns the whole environment: the image's, ours, then the manifest's.
#[must_use]
pub fn whole_env(
    image: &ImageConfig,
    hostname: &str,
    tty: bool,
    manifest: Environment,
) -> Environment {
    let mut env = Environment::default();
    env.set("PATH", DEFAULT_PATH.to_owned());
    if tty {
        env.set("TERM", "xterm".to_owned());
    }
    env.set("HOSTNAME", hostname.to_owned());
    env.set("container", "podwright".to_owned());
    for line in &image.env {
        if let Some((name, value)) = line.split_once('=') {
            env.set(name, value.to_owned());
        }
    }
    env.extend(manifest);
    env
}

/// Returns the command line: what the manifest says takes the place of what the image says.
///
/// `command` replaces the entrypoint and drops the image's arguments; `args` replaces these only.
///
/// # Errors
/// Neither says anything.
pub fn command_line(
    container: &ContainerSpec,
    image: &ImageConfig,
    env: &Environment,
) -> Result<Vec<String>, LaunchError> {
    let expanded = |words: &[String]| words.iter().map(|word| expand(word, env)).collect();
    let mut line: Vec<String> = match &container.command {
        Some(command) if !command.is_empty() => expanded(command),
        _ => image.entrypoint.clone(),
    };
    let has_command = container.command.as_ref().is_some_and(|c| !c.is_empty());
    match &container.args {
        Some(args) if !args.is_empty() => line.extend(expanded(args)),
        _ if has_command => {}
        _ => line.extend(image.cmd.iter().cloned()),
    }
    match line.first() {
        Some(program) if !program.is_empty() => Ok(line),
        _ => Err(LaunchError::NoCommand),
    }
}

/// Replaces `$(VAR)` by the variable's value; `$$` is a dollar sign, and what is not known stays.
#[must_use]
pub fn expand(text: &str, env: &Environment) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(tail) = after.strip_prefix('$') {
            out.push('$');
            rest = tail;
        } else if let Some((name, tail)) = after.strip_prefix('(').and_then(|t| t.split_once(')')) {
            match env.get(name) {
                Some(value) => out.push_str(value),
                None => out.push_str(&rest[at..at + name.len() + 3]),
            }
            rest = tail;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::container;
    use super::*;
    use crate::model::container::{EnvFrom, EnvVar};

    struct Known;

    impl Values for Known {
        fn object(&self, source: &EnvSource) -> Option<BTreeMap<String, String>> {
            let EnvSource::ConfigMap(name) = source else {
                return None;
            };
            let pairs = [("K", "from-map"), ("b=c", "no name"), ("z", "$(A)")];
            (name.as_str() == "map").then(|| {
                let owned = |(k, v): (&str, &str)| (k.to_owned(), v.to_owned());
                pairs.into_iter().map(owned).collect()
            })
        }
        fn field(&self, field: &FieldRef) -> Option<String> {
            (*field == FieldRef::Name).then(|| "the-pod".to_owned())
        }
        fn resource(&self, _: &ContainerSpec, _: &ResourceRef) -> String {
            "2".to_owned()
        }
    }

    fn literal(name: &str, value: &str) -> EnvVar {
        EnvVar {
            name: name.to_owned(),
            value: EnvValue::Literal(value.to_owned()),
        }
    }

    fn key(object: &str, key: &str, optional: bool) -> KeyRef {
        KeyRef {
            object: ObjectName::parse(object).unwrap(),
            key: key.to_owned(),
            optional,
        }
    }

    #[test]
    fn variables_are_expanded_as_the_kubelet_does() {
        let mut env = Environment::default();
        env.set("A", "1".to_owned());
        env.set("E", String::new());
        for (text, expanded) in [
            ("$(A)", "1"),
            ("x$(A)y$(A)", "x1y1"),
            ("$$(A)", "$(A)"),
            ("$$$(A)", "$1"),
            ("$(B)", "$(B)"),
            ("$(E)", ""),
            ("$A $", "$A $"),
            ("$(A", "$(A"),
            ("$()", "$()"),
            ("$($(A))", "$($(A))"),
            ("\u{e4}$(A)\u{e4}", "\u{e4}1\u{e4}"),
        ] {
            assert_eq!(expand(text, &env), expanded, "{text}");
        }
    }

    #[test]
    fn a_variable_sees_only_those_before_it() {
        let mut spec = container();
        spec.env_from = vec![EnvFrom {
            source: EnvSource::ConfigMap(ObjectName::parse("map").unwrap()),
            prefix: "P_".to_owned(),
            optional: false,
        }];
        spec.env = vec![
            literal("A", "$(B) $(P_K)"),
            literal("B", "2"),
            literal("C", "$(A)-$(B)"),
            literal("P_z", "mine"),
            EnvVar {
                name: "N".to_owned(),
                value: EnvValue::Field(FieldRef::Name),
            },
            EnvVar {
                name: "O".to_owned(),
                value: EnvValue::SecretKey(key("none", "k", true)),
            },
        ];
        let env = manifest_env(&spec, &Known).unwrap();
        assert_eq!(
            env.lines(),
            [
                "P_K=from-map",
                "P_z=mine",
                "A=$(B) from-map",
                "B=2",
                "C=$(B) from-map-2",
                "N=the-pod",
            ]
        );
    }

    #[test]
    fn what_is_missing_and_not_optional_is_named() {
        let mut spec = container();
        let mut error_of = |value| {
            spec.env = vec![EnvVar {
                name: "A".to_owned(),
                value,
            }];
            manifest_env(&spec, &Known).unwrap_err().to_string()
        };
        assert_eq!(
            error_of(EnvValue::SecretKey(key("s", "k", false))),
            "there is no Secret `s`"
        );
        assert_eq!(
            error_of(EnvValue::ConfigMapKey(key("map", "k", false))),
            "the ConfigMap `map` has no key `k`"
        );
    }

    #[test]
    fn the_manifest_takes_the_place_of_the_images_command() {
        let words = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let image = ImageConfig {
            entrypoint: words(&["/entry"]),
            cmd: words(&["image", "$(A)"]),
            ..ImageConfig::default()
        };
        let mut env = Environment::default();
        env.set("A", "1".to_owned());
        let line = |command: Option<&[&str]>, args: Option<&[&str]>| {
            let mut spec = container();
            (spec.command, spec.args) = (command.map(words), args.map(words));
            command_line(&spec, &image, &env).unwrap()
        };
        assert_eq!(line(None, None), ["/entry", "image", "$(A)"]);
        assert_eq!(line(None, Some(&["$(A)"])), ["/entry", "1"]);
        assert_eq!(line(Some(&["run"]), None), ["run"]);
        assert_eq!(
            line(Some(&["run"]), Some(&["x", "$(B)"])),
            ["run", "x", "$(B)"]
        );
        let nothing = command_line(&container(), &ImageConfig::default(), &env);
        assert!(matches!(nothing, Err(LaunchError::NoCommand)));
    }

    #[test]
    fn the_manifest_wins_over_the_image_and_the_image_over_us() {
        let image = ImageConfig {
            env: vec!["PATH=/bin".to_owned(), "A=image".to_owned()],
            ..ImageConfig::default()
        };
        let mut manifest = Environment::default();
        manifest.set("A", "manifest".to_owned());
        let env = whole_env(&image, "host", true, manifest);
        let lines = [
            "PATH=/bin",
            "TERM=xterm",
            "HOSTNAME=host",
            "container=podwright",
            "A=manifest",
        ];
        assert_eq!(env.lines(), lines);
    }
}
