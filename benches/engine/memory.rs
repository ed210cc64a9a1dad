//! Memory of the processes that stay as long as pods run.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use super::tool::{Bench, Tool};
use super::{cgroup, say, work};

/// Memory in kB.
#[derive(Debug, Clone, Copy, Default)]
struct Memory {
    processes: u64,
    resident: u64,
    proportional: u64,
}

/// How many pods there are when memory is measured.
const PODS: u64 = 20;

/// Measures what stays per pod, and what one more container in each pod adds.
pub(crate) fn of_what_stays(bench: &Bench) {
    say("\n| what stays, per pod of 20 | processes | RSS | PSS |\n|---|---|---|---|");
    for tool in bench.tools() {
        tool.begin();
        let mut proportional = BTreeMap::new();
        for containers in [1, 2, 11] {
            let pods = usize::try_from(PODS).expect("a small constant");
            let text = work::pods("kept", pods, containers, work::QUICK, "");
            tool.write("kept.yaml", &text);
            tool.run(&["play", "kube", "kept.yaml"]).expect();
            std::thread::sleep(Duration::from_secs(3));
            let memory = of_helpers(tool);
            say(&format!(
                "| {}, {containers} containers | {} | {} kB | {} kB |",
                tool.name,
                memory.processes / PODS,
                memory.resident / PODS,
                memory.proportional / PODS
            ));
            proportional.insert(containers, memory.proportional / PODS);
            tool.run(&["play", "kube", "--down", "kept.yaml"]).expect();
            if tool.name == "podman" && containers == 2 {
                break;
            }
        }
        if let (Some(many), Some(one)) = (proportional.get(&11), proportional.get(&1)) {
            let further = many.saturating_sub(*one) / 10;
            say(&format!(
                "\nA further container in a pod: {further} kB PSS\n"
            ));
        }
    }
}

/// Sums up the helpers of a tool: whatever it left running that is not of an image.
fn of_helpers(tool: &Tool) -> Memory {
    let mut sum = Memory::default();
    for pid in helpers(tool) {
        let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let field = |name: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(name));
            let value = line.and_then(|line| line.split_whitespace().next());
            value
                .and_then(|value| value.parse::<u64>().ok())
                .unwrap_or(0)
        };
        sum.processes += 1;
        sum.resident += field("Rss:");
        sum.proportional += field("Pss:");
    }
    sum
}

fn helpers(tool: &Tool) -> Vec<u32> {
    if tool.name == "podwright" {
        return cgroup::processes("podwright-bench/supervisors");
    }
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let ours = tool
                .dir()
                .parent()
                .map(|dir| dir.to_string_lossy().into_owned());
            let text = String::from_utf8_lossy(&words);
            match name.trim() {
                "conmon" => ours.is_some_and(|dir| text.contains(&dir)),
                // The init of the infra container; the bench's network namespace marks it as podman's here.
                "catatonit" => true,
                _ => false,
            }
        })
        .collect()
}
