//! The rows of `stats` and `pod stats`.

use std::time::Duration;

use gotmpl::ToValue as _;
use serde::{Serialize, Serializer};

use super::super::output::{Column, Row};
use super::words;
use crate::engine::usage::ContainerUsage;

/// What a container used at one moment, and the moment before it.
pub(in crate::cli) struct Sample {
    pub(in crate::cli) id: String,
    pub(in crate::cli) name: String,
    pub(in crate::cli) pod: String,
    pub(in crate::cli) usage: ContainerUsage,
    /// How long the container has run.
    pub(in crate::cli) ran: Duration,
    /// The processor time it had used at the last measurement, and how long ago that was.
    pub(in crate::cli) before: Option<(Duration, Duration)>,
}

impl Sample {
    /// Returns the share of a processor since the last measurement, in hundredths.
    fn cpu(&self) -> f64 {
        match self.before {
            Some((used, span)) => share(self.usage.cpu.saturating_sub(used), span),
            None => self.average_cpu(),
        }
    }

    fn average_cpu(&self) -> f64 {
        share(self.usage.cpu, self.ran)
    }

    #[expect(clippy::cast_precision_loss, reason = "two decimals of it are shown")]
    fn memory_share(&self) -> f64 {
        match self.usage.memory_limit {
            0 => 0.0,
            limit => self.usage.memory as f64 * 100.0 / limit as f64,
        }
    }

    fn memory(&self, name: fn(u64) -> String) -> String {
        let usage = &self.usage;
        format!("{} / {}", name(usage.memory), name(usage.memory_limit))
    }

    fn network(&self) -> String {
        pair(self.usage.received, self.usage.sent)
    }

    fn block(&self) -> String {
        pair(self.usage.read, self.usage.written)
    }
}

fn share(used: Duration, span: Duration) -> f64 {
    match span.is_zero() {
        true => 0.0,
        false => used.as_secs_f64() * 100.0 / span.as_secs_f64(),
    }
}

fn percent(share: f64) -> String {
    format!("{share:.2}%")
}

fn pair(one: u64, other: u64) -> String {
    format!(
        "{} / {}",
        words::four_digits(one),
        words::four_digits(other)
    )
}

/// Sizes in powers of two, as podman's `MemUsageBytes` has them.
#[expect(clippy::cast_precision_loss, reason = "four digits of it are shown")]
fn binary(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let (mut size, mut unit) = (bytes as f64, 0);
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    let text = format!("{size:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text}{}", UNITS[unit])
}

/// A row of `stats`.
pub(in crate::cli) struct StatsRow(pub(in crate::cli) Sample);

/// A row of `pod stats`.
pub(in crate::cli) struct PodStatsRow(pub(in crate::cli) Sample);

impl StatsRow {
    pub(in crate::cli) const SHOWN: [&'static str; 10] = [
        "ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "NetIO", "BlockIO", "PIDS", "UpTime",
        "AVGCPU",
    ];
}

impl PodStatsRow {
    pub(in crate::cli) const SHOWN: [&'static str; 9] = [
        "Pod", "CID", "Name", "CPU", "MemUsage", "Mem", "NetIO", "BlockIO", "PIDS",
    ];
}

impl Row for StatsRow {
    fn columns() -> &'static [Column<Self>] {
        const COLUMNS: &[Column<StatsRow>] = &[
            Column::new("ID", "ID", |row| row.0.id.to_value()),
            Column::new("ContainerID", "ID", |row| row.0.id.to_value()),
            Column::new("Name", "NAME", |row| row.0.name.to_value()),
            Column::new("CPUPerc", "CPU %", |row| percent(row.0.cpu()).to_value()),
            Column::new("CPU", "CPU %", |row| row.0.cpu().to_value()),
            Column::new("MemUsage", "MEM USAGE / LIMIT", |row| {
                row.0.memory(words::four_digits).to_value()
            }),
            Column::new("MemUsageBytes", "MEM USAGE / LIMIT", |row| {
                row.0.memory(binary).to_value()
            }),
            Column::new("MemPerc", "MEM %", |row| {
                percent(row.0.memory_share()).to_value()
            }),
            Column::new("NetIO", "NET IO", |row| row.0.network().to_value()),
            Column::new("BlockIO", "BLOCK IO", |row| row.0.block().to_value()),
            Column::new("PIDS", "PIDS", |row| row.0.usage.pids.to_value()),
            Column::new("PIDs", "PIDS", |row| row.0.usage.pids.to_value()),
            Column::new("UpTime", "CPU TIME", |row| {
                words::go_duration(row.0.usage.cpu).to_value()
            }),
            Column::new("CPUNano", "CPU TIME", |row| {
                nanos(row.0.usage.cpu).to_value()
            }),
            Column::new("AVGCPU", "AVG CPU %", |row| {
                percent(row.0.average_cpu()).to_value()
            }),
            Column::new("AvgCPU", "AVG CPU %", |row| row.0.average_cpu().to_value()),
            Column::new("MemLimit", "LIMIT", |row| {
                row.0.usage.memory_limit.to_value()
            }),
        ];
        COLUMNS
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

impl Row for PodStatsRow {
    fn columns() -> &'static [Column<Self>] {
        const COLUMNS: &[Column<PodStatsRow>] = &[
            Column::new("Pod", "POD", |row| row.0.pod.to_value()),
            Column::new("CID", "CID", |row| row.0.id.to_value()),
            Column::new("Name", "NAME", |row| row.0.name.to_value()),
            Column::new("CPU", "CPU %", |row| percent(row.0.cpu()).to_value()),
            Column::new("MemUsage", "MEM USAGE/ LIMIT", |row| {
                row.0.memory(words::four_digits).to_value()
            }),
            Column::new("MemUsageBytes", "MEM USAGE/ LIMIT", |row| {
                row.0.memory(binary).to_value()
            }),
            Column::new("Mem", "MEM %", |row| {
                percent(row.0.memory_share()).to_value()
            }),
            Column::new("NetIO", "NET IO", |row| row.0.network().to_value()),
            Column::new("BlockIO", "BLOCK IO", |row| row.0.block().to_value()),
            Column::new("PIDS", "PIDS", |row| row.0.usage.pids.to_value()),
        ];
        COLUMNS
    }
}

impl Serialize for StatsRow {
    /// podman's names, which are not those of its templates.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let sample = &self.0;
        let mut map = serializer.serialize_map(Some(10))?;
        map.serialize_entry("id", &sample.id)?;
        map.serialize_entry("name", &sample.name)?;
        map.serialize_entry("cpu_time", &words::go_duration(sample.usage.cpu))?;
        map.serialize_entry("cpu_percent", &percent(sample.cpu()))?;
        map.serialize_entry("avg_cpu", &percent(sample.average_cpu()))?;
        map.serialize_entry("mem_usage", &sample.memory(words::four_digits))?;
        map.serialize_entry("mem_percent", &percent(sample.memory_share()))?;
        map.serialize_entry("net_io", &sample.network())?;
        map.serialize_entry("block_io", &sample.block())?;
        map.serialize_entry("pids", &sample.usage.pids.to_string())?;
        map.end()
    }
}

impl Serialize for PodStatsRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        let sample = &self.0;
        let mut map = serializer.serialize_map(Some(10))?;
        map.serialize_entry("CPU", &percent(sample.cpu()))?;
        map.serialize_entry("MemUsage", &sample.memory(words::four_digits))?;
        map.serialize_entry("MemUsageBytes", &sample.memory(binary))?;
        map.serialize_entry("Mem", &percent(sample.memory_share()))?;
        map.serialize_entry("NetIO", &sample.network())?;
        map.serialize_entry("BlockIO", &sample.block())?;
        map.serialize_entry("PIDS", &sample.usage.pids.to_string())?;
        map.serialize_entry("Pod", &sample.pod)?;
        map.serialize_entry("CID", &sample.id)?;
        map.serialize_entry("Name", &sample.name)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::output::{Format, Headings, Output};

    fn sample() -> Sample {
        Sample {
            id: "abc".to_owned(),
            name: "web-main".to_owned(),
            pod: "def".to_owned(),
            usage: ContainerUsage {
                cpu: Duration::from_millis(1500),
                memory: 50_000_000,
                memory_limit: 100_000_000,
                read: 1_070,
                sent: 5,
                pids: 2,
                ..ContainerUsage::default()
            },
            ran: Duration::from_secs(10),
            before: Some((Duration::from_secs(1), Duration::from_secs(5))),
        }
    }

    fn text<R: Row>(row: R, shown: &[&str], format: &str) -> String {
        let mut bytes = Vec::new();
        let format = Format::parse(format).unwrap();
        let mut output = Output::new(&mut bytes);
        output
            .rows(&[row], &format, shown, Headings::Shown)
            .unwrap();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn measurements_are_told_as_podman_tells_them() {
        assert_eq!(
            text(StatsRow(sample()), &StatsRow::SHOWN, "table"),
            "ID   NAME      CPU %   MEM USAGE / LIMIT  MEM %   NET IO   BLOCK IO     PIDS  CPU TIME  AVG CPU %\n\
             abc  web-main  10.00%  50MB / 100MB       50.00%  0B / 5B  1.07kB / 0B  2     1.5s      15.00%\n"
        );
        let line = text(
            PodStatsRow(sample()),
            &PodStatsRow::SHOWN,
            "{{.Pod}} {{.CID}} {{.MemUsageBytes}}",
        );
        assert_eq!(line, "def abc 47.684MiB / 95.367MiB\n");
        let json = text(StatsRow(sample()), &[], "json");
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(
            (&json[0]["cpu_percent"], &json[0]["pids"]),
            (&"10.00%".into(), &"2".into())
        );
    }
}
