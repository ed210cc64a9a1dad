//! `secret`.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use super::super::args::{CreateSecret, InspectSecrets, ListSecrets, RemoveSecrets, SecretCommand};
use super::super::error::{Error, exists, outcome, usage};
use super::super::view::SecretRow;
use super::Context;
use super::ps::show_rows;
use crate::clock::{Clock as _, IdSource as _, RandomIds, SystemClock};
use crate::engine::Engine;
use crate::manifest::{ReadOptions, Source, read};
use crate::model::observed::{ObjectContent, ObjectRecord};
use crate::names::{ObjectName, hex};
use crate::translate::{PlayOptions, SecretData, SecretValue, translate};

/// The most that podman keeps as a secret.
const LARGEST: u64 = 512_000;

pub(super) fn run(context: &mut Context<'_>, command: &SecretCommand) -> Result<(), Error> {
    match command {
        SecretCommand::Create(arguments) => create(context, arguments),
        SecretCommand::Exists(arguments) => {
            let engine = context.engine("secret exists")?;
            exists(find(&secrets(&engine)?, &arguments.name))
        }
        SecretCommand::Inspect(arguments) => inspect(context, arguments),
        SecretCommand::Ls(arguments) => list(context, arguments),
        SecretCommand::Rm(arguments) => remove(context, arguments),
    }
}

fn create(context: &mut Context<'_>, arguments: &CreateSecret) -> Result<(), Error> {
    if arguments.driver != "file" {
        return Err(usage(format!(
            "there is no secret driver `{}`: only `file`",
            arguments.driver
        )));
    }
    let bytes = value(arguments)?;
    let data = secret_of(&arguments.name, bytes);
    let record = ObjectRecord {
        name: arguments.name.clone(),
        application: None,
        created: SystemClock.now(),
        immutable: data.immutable,
        content: ObjectContent::Secret {
            id: hex(&RandomIds.draw()),
            keys: data.values.keys().cloned().collect(),
            kind: data.kind.clone(),
        },
    };
    let mut engine = context.engine("secret create")?;
    if !engine.create_secret(&record, &data, arguments.replace)? {
        let name = &arguments.name;
        return Err(usage(format!("{name}: secret name in use")));
    }
    if let Some(row) = SecretRow::new(&record, record.created) {
        context.output.line(row.id)?;
    }
    Ok(context.output.flush()?)
}

fn value(arguments: &CreateSecret) -> Result<Vec<u8>, Error> {
    let source = &arguments.source;
    if arguments.env {
        let name = source.display();
        return std::env::var_os(source)
            .map(std::os::unix::ffi::OsStringExt::into_vec)
            .ok_or_else(|| usage(format!("there is no environment variable `{name}`")));
    }
    let read = || -> std::io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match source == Path::new("-") {
            true => std::io::stdin().take(LARGEST + 1).read_to_end(&mut bytes)?,
            false => {
                let file = std::fs::File::open(source)?;
                file.take(LARGEST + 1).read_to_end(&mut bytes)?
            }
        };
        Ok(bytes)
    };
    let bytes = read().map_err(|error| Error::File {
        doing: "reading the value in",
        path: source.clone(),
        source: error,
    })?;
    match bytes.len() as u64 {
        0 => Err(usage("a secret holds at least one byte".to_owned())),
        1..=LARGEST => Ok(bytes),
        _ => Err(usage(format!("a secret holds at most {LARGEST} bytes"))),
    }
}

/// Returns the keys of a Secret that is written as Kubernetes has it; else the bytes under the secret's name.
fn secret_of(name: &ObjectName, bytes: Vec<u8>) -> SecretData {
    if let Some(secret) = std::str::from_utf8(&bytes).ok().and_then(manifest) {
        return SecretData {
            name: name.clone(),
            ..secret
        };
    }
    SecretData {
        name: name.clone(),
        immutable: false,
        kind: "Opaque".to_owned(),
        values: BTreeMap::from([(name.to_string(), SecretValue::new(bytes))]),
    }
}

fn manifest(text: &str) -> Option<SecretData> {
    let mentions = |word: &str| text.contains(word);
    if !mentions("kind") || !mentions("Secret") {
        return None;
    }
    let reading = read(&[Source::new("-", text)], &ReadOptions::default());
    let objects = reading.objects.iter();
    let objects = objects.filter_map(|read| read.object.as_ref());
    let mut application = translate(objects, &PlayOptions::new("/".into())).application;
    match application.secrets.len() {
        1 => application.secrets.pop(),
        _ => None,
    }
}

fn inspect(context: &mut Context<'_>, arguments: &InspectSecrets) -> Result<(), Error> {
    let all = secrets(&context.engine("secret inspect")?)?;
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for name in &arguments.names {
        match find(&all, name) {
            Ok(record) => found.extend(SecretRow::new(record, SystemClock.now())),
            Err(error) => missing.push(error),
        }
    }
    context.output.objects(&found, arguments.format.as_ref())?;
    outcome(missing)
}

fn list(context: &mut Context<'_>, arguments: &ListSecrets) -> Result<(), Error> {
    let now = SystemClock.now();
    let mut rows = Vec::new();
    for record in secrets(&context.engine("secret ls")?)? {
        let Some(row) = SecretRow::new(&record, now) else {
            continue;
        };
        let mut meets = true;
        for filter in &arguments.filters {
            let met = match filter.key.as_str() {
                "name" => row.name().contains(&filter.value),
                "id" => row.id.starts_with(&filter.value),
                key => return Err(usage(format!("secrets have no filter `{key}`"))),
            };
            meets &= met != filter.negated;
        }
        if meets {
            rows.push(row);
        }
    }
    show_rows(
        context,
        &rows,
        arguments.rows.look(),
        &SecretRow::SHOWN,
        "ID",
    )
}

fn remove(context: &mut Context<'_>, arguments: &RemoveSecrets) -> Result<(), Error> {
    let mut engine = context.engine("secret rm")?;
    let all = secrets(&engine)?;
    let (mut chosen, mut failures) = (Vec::new(), Vec::new());
    if arguments.all {
        chosen.extend(&all);
    }
    for name in &arguments.names {
        match find(&all, name) {
            Ok(record) => chosen.push(record),
            Err(Error::NoSuch { .. }) if arguments.ignore => {}
            Err(error) => failures.push(error),
        }
    }
    for record in chosen {
        match engine.remove_secret(record) {
            Ok(()) => {
                if let Some(row) = SecretRow::new(record, record.created) {
                    context.output.line(row.id)?;
                }
            }
            Err(error) => failures.push(error.into()),
        }
    }
    context.output.flush()?;
    outcome(failures)
}

fn secrets(engine: &Engine) -> Result<Vec<ObjectRecord>, Error> {
    let mut objects = engine.observed()?.objects;
    objects.retain(|object| matches!(object.content, ObjectContent::Secret { .. }));
    Ok(objects)
}

/// Finds a Secret by its name, its id, or the beginning of it.
fn find<'a>(secrets: &'a [ObjectRecord], text: &str) -> Result<&'a ObjectRecord, Error> {
    let id = |record: &ObjectRecord| match &record.content {
        ObjectContent::Secret { id, .. } => id.clone(),
        ObjectContent::ConfigMap(_) => String::new(),
    };
    if let Some(named) = secrets.iter().find(|secret| secret.name.as_str() == text) {
        return Ok(named);
    }
    let begins = |secret: &&ObjectRecord| !text.is_empty() && id(secret).starts_with(text);
    let matching: Vec<&ObjectRecord> = secrets.iter().filter(begins).collect();
    match matching.as_slice() {
        [] => Err(Error::NoSuch {
            what: "secret",
            name: text.to_owned(),
        }),
        [one] => Ok(one),
        several => Err(Error::Ambiguous {
            what: "secret",
            prefix: text.to_owned(),
            ids: several.iter().map(|one| id(one)[..12].to_owned()).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_of_kubernetes_keeps_its_keys_and_anything_else_is_one() {
        let name = ObjectName::parse("mine").unwrap();
        let yaml = "apiVersion: v1\nkind: Secret\nmetadata: {name: other}\nstringData: {a: x}\ndata: {b: eQ==}\n";
        let secret = secret_of(&name, yaml.as_bytes().to_vec());
        let values = |secret: &SecretData| -> Vec<(String, Vec<u8>)> {
            let values = secret.values.iter();
            let values = values.map(|(key, value)| (key.clone(), value.reveal().to_vec()));
            values.collect()
        };
        assert_eq!(secret.name, name);
        let expected = [
            ("a".to_owned(), b"x".to_vec()),
            ("b".to_owned(), b"y".to_vec()),
        ];
        assert_eq!(values(&secret), expected);
        let plain = secret_of(&name, b"hunter2\n".to_vec());
        assert_eq!(values(&plain), [("mine".to_owned(), b"hunter2\n".to_vec())]);
        assert!(!format!("{plain:?}").contains("hunter2"));
    }
}
