//! A fuzzer of the reader, the decoder and the rules, guided by coverage, on stable Rust.
//!
//! `tools/fuzz.sh CASES [SEED]` builds it with counters and runs it. The seeds are the manifests of `testdata`.
//! A case is a fault if it panics, takes more than a second of the processor's time, or if the memory grows; its
//! input is written to `target/fuzz`.

mod coverage;
mod mutation;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use coverage::Counters;
use mutation::{Chance, mutate, words};
use nix::time::{ClockId, clock_gettime};
use podwright::manifest::{Report, Source, ValidateOptions, validate};

/// No case may take longer.
const LONGEST: Duration = Duration::from_secs(1);
/// No run may need more memory, in KiB.
const MOST_MEMORY: u64 = 1 << 20;
const CASES_A_NOTE: u64 = 100_000;

/// The input at hand, for whoever has to tell of it.
static CURRENT: Mutex<Vec<u8>> = Mutex::new(Vec::new());

fn files(directory: &Path, all: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, all)?;
        } else {
            all.push(path);
        }
    }
    all.sort();
    Ok(())
}

/// Returns the documents of the test data, the small ones.
fn seeds() -> std::io::Result<Vec<Vec<u8>>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut paths = Vec::new();
    for directory in ["faults", "reading", "manifests"] {
        files(&root.join(directory), &mut paths)?;
    }
    let mut seeds = Vec::new();
    for path in paths {
        let kind = path.extension().and_then(|kind| kind.to_str());
        if !matches!(kind, Some("yaml" | "json")) {
            continue;
        }
        let text = std::fs::read(&path)?;
        let text = String::from_utf8_lossy(&text);
        let parts = text.split("\n---\n").map(|part| part.as_bytes().to_vec());
        seeds.extend(parts.filter(|part| part.len() < 2000));
    }
    Ok(seeds)
}

fn save(what: &str) {
    let input = CURRENT.lock().map(|input| input.clone());
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzz");
    let number = std::process::id();
    let file = directory.join(format!("{what}-{number}"));
    let written = std::fs::create_dir_all(&directory)
        .and_then(|()| std::fs::write(&file, input.unwrap_or_default()));
    say(&format!("{what}: {} {written:?}", file.display()));
}

#[expect(clippy::print_stderr, reason = "this is how the fuzzer talks")]
fn say(text: &str) {
    eprintln!("{text}");
}

fn processor_time() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from)
}

/// Returns the resident memory in KiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

fn run(input: &[u8]) -> usize {
    let source = Source::from_bytes("in.yaml", input.to_vec());
    let verdict = validate(&[source], &ValidateOptions::default());
    Report(&verdict.findings).to_string().len()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let cases: u64 = arguments.next().unwrap_or("100000".into()).parse()?;
    let seed: u64 = arguments.next().unwrap_or("1".into()).parse()?;
    std::panic::set_hook(Box::new(|panic| {
        say(&panic.to_string());
        save("panic");
    }));
    let mut counters = Counters::find()?.ok_or("build it with `-C instrument-coverage`")?;
    let mut corpus = seeds()?;
    let (words, mut chance) = (words(&corpus), Chance::new(seed));
    let (seeds, started) = (corpus.len(), Instant::now());
    let (mut slowest, mut told) = (Duration::ZERO, 0);
    for case in 0..cases {
        let of_seeds = usize::try_from(case).ok().filter(|case| *case < seeds);
        let chosen = of_seeds.unwrap_or_else(|| chance.below(corpus.len()));
        let input = match of_seeds {
            Some(_) => corpus[chosen].clone(),
            None => mutate(&corpus[chosen], &corpus, &words, &mut chance),
        };
        if let Ok(mut current) = CURRENT.lock() {
            current.clone_from(&input);
        }
        let before = processor_time();
        told += run(&input);
        let took = processor_time().saturating_sub(before);
        slowest = slowest.max(took);
        if took > LONGEST {
            save("slow");
            return Err(format!("a case took {took:?}").into());
        }
        if counters.has_news()? && of_seeds.is_none() {
            corpus.push(input);
        }
        if (case + 1) % CASES_A_NOTE == 0 {
            let (memory, (reached, all)) = (memory(), counters.reached());
            let seconds = started.elapsed().as_secs();
            say(&format!(
                "{} cases in {seconds} s: corpus {}, reached {reached} of {all}, slowest {slowest:?}, {memory} KiB, {told} bytes told",
                case + 1,
                corpus.len(),
            ));
            if memory > MOST_MEMORY {
                return Err("the memory grows".into());
            }
        }
    }
    Ok(())
}
