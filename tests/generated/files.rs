//! Manifests of `testdata`, played, generated and played again; and read by kubectl, whatever was asked for.

use std::path::{Path, PathBuf};

use podwright::manifest::{Extent, ReadOptions, Source, read, rules};
use podwright::model::pod::RestartPolicy;
use podwright::translate::{
    Application, Controller, GenerateOptions, PlayOptions, documents, generate, translate_reading,
};

use super::{play, through_kubectl};

/// The manifests of `testdata` that can be played.
fn manifests() -> Vec<(PathBuf, Application)> {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let entries = |directory: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(testdata.join(directory)).unwrap();
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    };
    let cases = entries("manifests")
        .into_iter()
        .map(|case| case.join("in.yaml"));
    let files = cases.chain(entries("play"));
    let files = files.chain([testdata.join("hello.yaml")]);
    files
        .filter_map(|file| Some((file.clone(), application(&file)?)))
        .collect()
}

fn application(file: &Path) -> Option<Application> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut reading = read(&[Source::new("in.yaml", &text)], &ReadOptions::default());
    rules::check_all(&mut reading, Extent::Part);
    rules::forgive_podman(&mut reading);
    let options = PlayOptions::new("/work".into());
    let application = translate_reading(&mut reading, &options).application;
    let is_playable = !reading.has_errors() && !application.pods.is_empty();
    is_playable.then_some(application)
}

#[test]
fn a_manifest_that_was_played_generated_and_played_again_is_the_same_pod() {
    let mut pods = 0;
    for (file, application) in manifests() {
        for spec in &application.pods {
            // Kubernetes' names have no underscores, so that one with some gets another.
            let is_renamed = spec.name.as_str().contains('_');
            let options = generate(spec).options;
            let yaml =
                documents(std::slice::from_ref(spec), &[], &GenerateOptions::default()).unwrap();
            let again = play(&yaml, &options).pods;
            if !is_renamed {
                assert_eq!(
                    again,
                    std::slice::from_ref(spec),
                    "{}\n{yaml}",
                    file.display()
                );
            }
            pods += 1;
        }
    }
    assert!(pods >= 15, "only {pods} pods");
}

#[test]
fn kubectl_reads_every_manifest_that_generate_writes() {
    let mut read = 0;
    for (file, application) in manifests() {
        for options in choices(&application) {
            let yaml = documents(&application.pods, &application.volumes, &options).unwrap();
            let Some(json) = through_kubectl(&yaml) else {
                eprintln!("skipped: lacks kubectl");
                return;
            };
            let written = yaml.split("---\n").count();
            // One object is told as itself, several one after the other.
            let objects = serde_json::Deserializer::from_str(&json)
                .into_iter::<serde_json::Value>()
                .count();
            assert_eq!(objects, written, "{}\n{yaml}", file.display());
            read += objects;
        }
    }
    assert!(read >= 60, "only {read} objects");
}

/// Every kind that the pods can be written as, with and without a Service.
fn choices(application: &Application) -> Vec<GenerateOptions> {
    let is = |policy| {
        application
            .pods
            .iter()
            .all(|pod| pod.restart_policy == policy)
    };
    let mut controllers = vec![None];
    if is(RestartPolicy::Always) {
        controllers.push(Some(Controller::Deployment { replicas: Some(3) }));
        controllers.push(Some(Controller::DaemonSet));
    }
    if is(RestartPolicy::Never) || is(RestartPolicy::OnFailure) {
        controllers.push(Some(Controller::Job));
    }
    let with = |service| {
        move |controller: &Option<Controller>| GenerateOptions {
            controller: *controller,
            service,
            created: Some(jiff::Timestamp::UNIX_EPOCH),
        }
    };
    let plain = controllers.iter().map(with(false));
    plain.chain(controllers.iter().map(with(true))).collect()
}
