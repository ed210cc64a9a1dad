//! The parts of a play that ask nobody: reading, the rules, translation, the plan, and the way back to YAML.
//!
//! `cargo bench --bench pure`. The manifests are those of `testdata/manifests` that are played.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use podwright::clock::{RandomIds, SystemClock};
use podwright::manifest::{self, ReadOptions, Reading, Source, ValidateOptions};
use podwright::model::network::NetworkRecord;
use podwright::model::observed::{LogDriver, Observed};
use podwright::names::{ImageId, NetworkName, ObjectName};
use podwright::plan::{self, Existing, Host, PlayWish};
use podwright::translate::{Application, PlayOptions, generate, translate_reading};

/// Returns the manifests that are played, in a stable order.
fn sources() -> Vec<Source> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/manifests");
    let entries = fs::read_dir(dir).expect("testdata");
    let mut cases: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .filter(|case| case.join("spec.json").exists())
        .collect();
    cases.sort();
    let text = |case: PathBuf| {
        let file = case.join("in.yaml");
        let bytes = fs::read(&file).expect("a manifest");
        Source::from_bytes(file.display().to_string(), bytes)
    };
    cases.into_iter().map(text).collect()
}

fn reading(sources: &[Source]) -> Reading {
    manifest::read(sources, &ReadOptions::default())
}

fn application(sources: &[Source]) -> Application {
    translate_reading(&mut reading(sources), &options()).application
}

fn options() -> PlayOptions {
    PlayOptions::new(PathBuf::from("/"))
}

/// A host that has every image and network that is asked for.
fn host(application: &Application) -> Host {
    let image = ImageId::parse(&"0".repeat(64)).expect("64 digits");
    let containers = application.pods.iter().flat_map(|pod| &pod.containers);
    let networks = application
        .pods
        .iter()
        .flat_map(|pod| pod.infra.network.attachments());
    let record = |(number, name): (u8, NetworkName)| {
        let subnet = format!("10.9.{number}.0/24").parse().expect("a subnet");
        let gateway = [10, 9, number, 1].into();
        let made = jiff::Timestamp::UNIX_EPOCH;
        let record = NetworkRecord::new(name.clone(), made, subnet, gateway);
        (name, record)
    };
    let names: BTreeSet<NetworkName> = networks.map(|a| a.network.clone()).collect();
    Host {
        images: containers
            .map(|c| (c.image.clone(), image.clone()))
            .collect(),
        networks: (0..).zip(names).map(record).collect::<BTreeMap<_, _>>(),
        same_secrets: BTreeSet::new(),
    }
}

fn wish(application: Application) -> PlayWish {
    PlayWish {
        name: ObjectName::parse("bench").expect("a name"),
        application,
        start: true,
        existing: Existing::Refuse,
        log_driver: LogDriver::default(),
    }
}

fn parts(criterion: &mut Criterion) {
    let sources = sources();
    let bytes: usize = sources.iter().map(|source| source.text().len()).sum();
    let mut group = criterion.benchmark_group("manifests");
    group.throughput(Throughput::Bytes(bytes as u64));
    group.bench_function("read", |bencher| {
        bencher.iter(|| reading(black_box(&sources)))
    });
    let checks = ValidateOptions::default();
    group.bench_function("validate", |bencher| {
        bencher.iter(|| manifest::validate(black_box(&sources), &checks));
    });
    group.bench_function("translate", |bencher| {
        bencher.iter_batched_ref(
            || reading(&sources),
            |reading| translate_reading(reading, &options()),
            BatchSize::SmallInput,
        );
    });
    let wanted = application(&sources);
    group.bench_function("generate", |bencher| {
        bencher.iter(|| {
            wanted
                .pods
                .iter()
                .map(generate)
                .for_each(|it| drop(black_box(it)))
        });
    });
    let host = host(&wanted);
    let nothing = Observed::default();
    group.bench_function("plan", |bencher| {
        bencher.iter_batched(
            || wish(wanted.clone()),
            |wish| plan::play(wish, &nothing, &host, &mut RandomIds, &SystemClock),
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

criterion_group!(benches, parts);
criterion_main!(benches);
