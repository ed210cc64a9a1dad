//! The columns of `top`: what can be asked of a process, under the descriptors of `ps(1)` on AIX and podman's.

use std::time::Duration;

use super::words;
use crate::engine::processes::ContainerProcesses;
use crate::image::user::IdNames;
use crate::model::container::CAPABILITIES;
use crate::sys::procfs::ProcessFacts;

/// What `top` shows of a process.
pub(in crate::cli) struct Descriptor {
    word: &'static str,
    /// The code of `ps -o '%X'`, if there is one.
    code: Option<char>,
    heading: &'static str,
    value: fn(&Subject<'_>) -> String,
}

/// A process with everything that its columns need.
struct Subject<'a> {
    process: &'a ProcessFacts,
    container: &'a ContainerProcesses,
    host: &'a IdNames,
}

/// The descriptors shown when none is asked for.
const DEFAULT: [&str; 8] = [
    "user", "pid", "ppid", "pcpu", "etime", "tty", "time", "args",
];

macro_rules! descriptor {
    ($word:literal, $code:expr, $heading:literal, $value:expr) => {
        Descriptor {
            word: $word,
            code: $code,
            heading: $heading,
            value: $value,
        }
    };
}

const DESCRIPTORS: &[Descriptor] = &[
    descriptor!("args", Some('a'), "COMMAND", |s| command(s.process)),
    descriptor!("capamb", None, "AMBIENT CAPS", |s| capabilities(
        s.process.capabilities.ambient
    )),
    descriptor!("capbnd", None, "BOUNDING CAPS", |s| capabilities(
        s.process.capabilities.bounding
    )),
    descriptor!("capeff", None, "EFFECTIVE CAPS", |s| capabilities(
        s.process.capabilities.effective
    )),
    descriptor!("capinh", None, "INHERITED CAPS", |s| capabilities(
        s.process.capabilities.inherited
    )),
    descriptor!("capprm", None, "PERMITTED CAPS", |s| capabilities(
        s.process.capabilities.permitted
    )),
    descriptor!("comm", Some('c'), "COMMAND", |s| plain(&s.process.name)),
    descriptor!("etime", Some('t'), "ELAPSED", |s| go_span(
        s.process.elapsed
    )),
    descriptor!("group", Some('G'), "GROUP", |s| plain(
        &s.container.group(s.process.effective_gid)
    )),
    descriptor!("groups", None, "GROUPS", |s| groups(s, |s, gid| s
        .container
        .group(gid))),
    descriptor!("hgroup", None, "HGROUP", |s| s
        .host
        .group(s.process.effective_gid)),
    descriptor!("hgroups", None, "HGROUPS", |s| groups(s, |s, gid| s
        .host
        .group(gid))),
    descriptor!("hpid", None, "HPID", |s| s.process.pid.to_string()),
    descriptor!("huser", None, "HUSER", |s| s
        .host
        .user(s.process.effective_uid)),
    descriptor!("label", None, "LABEL", |s| word_or(&s.process.label, "?")),
    descriptor!("nice", Some('n'), "NI", |s| s.process.nice.to_string()),
    descriptor!("pcpu", Some('C'), "%CPU", |s| share(s.process)),
    descriptor!("pgid", Some('r'), "PGID", |s| s
        .process
        .inner_group
        .to_string()),
    descriptor!("pid", Some('p'), "PID", |s| s.process.inner_pid.to_string()),
    descriptor!("ppid", Some('P'), "PPID", |s| s
        .container
        .inner_pid(s.process.parent)
        .to_string()),
    descriptor!("rgroup", Some('g'), "RGROUP", |s| plain(
        &s.container.group(s.process.gid)
    )),
    descriptor!("rss", None, "RSS", |s| s.process.resident.to_string()),
    descriptor!("ruser", Some('u'), "RUSER", |s| plain(
        &s.container.user(s.process.uid)
    )),
    descriptor!("seccomp", None, "SECCOMP", |s| seccomp(s.process.seccomp)
        .to_owned()),
    descriptor!("state", None, "STATE", |s| s.process.state.to_string()),
    descriptor!("stime", None, "STIME", |s| go_span(s.process.began)),
    descriptor!("time", Some('x'), "TIME", |s| go_span(s.process.used)),
    descriptor!("tty", Some('y'), "TTY", |s| terminal(s.process.terminal)),
    descriptor!("user", Some('U'), "USER", |s| plain(
        &s.container.user(s.process.effective_uid)
    )),
    descriptor!("vsz", Some('z'), "VSZ", |s| s
        .process
        .address_space
        .to_string()),
];

/// Returns the words there are, for whoever wrote another.
pub(in crate::cli) fn known() -> String {
    let words: Vec<&str> = DESCRIPTORS
        .iter()
        .map(|descriptor| descriptor.word)
        .collect();
    words.join(", ")
}

/// Finds the descriptors that were typed, separated by blanks or commas; podman's own where there are none.
///
/// # Errors
/// The word that is none.
pub(in crate::cli) fn descriptors(typed: &[String]) -> Result<Vec<&'static Descriptor>, String> {
    let words = typed.iter().flat_map(|text| text.split([',', ' ']));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let words = if words.is_empty() {
        DEFAULT.to_vec()
    } else {
        words
    };
    words
        .into_iter()
        .map(|word| find(word).ok_or_else(|| word.to_owned()))
        .collect()
}

fn find(word: &str) -> Option<&'static Descriptor> {
    let code = word.strip_prefix('%').and_then(|code| code.chars().next());
    let mut all = DESCRIPTORS.iter();
    all.find(|descriptor| match code {
        Some(_) => descriptor.code == code && word.len() == 2,
        None => descriptor.word == word,
    })
}

/// Returns the headings, and a line a process.
pub(in crate::cli) fn table(
    descriptors: &[&Descriptor],
    containers: &[ContainerProcesses],
    host: &IdNames,
) -> Vec<Vec<String>> {
    let headings = descriptors.iter().map(|one| one.heading.to_owned());
    let mut lines = vec![headings.collect()];
    for container in containers {
        lines.extend(container.processes.iter().map(|process| {
            let subject = Subject {
                process,
                container,
                host,
            };
            let cells = descriptors.iter().map(|one| (one.value)(&subject));
            cells.collect::<Vec<_>>()
        }));
    }
    lines
}

fn command(process: &ProcessFacts) -> String {
    match process.command.is_empty() {
        true => format!("[{}]", plain(&process.name)),
        false => process.command.clone(),
    }
}

/// What a container calls something must not move the reader's cursor.
fn plain(text: &str) -> String {
    let visible = |c: char| if c.is_control() { '?' } else { c };
    text.chars().map(visible).collect()
}

fn word_or(text: &str, fallback: &str) -> String {
    match text.is_empty() {
        true => fallback.to_owned(),
        false => plain(text),
    }
}

fn groups(subject: &Subject<'_>, name: impl Fn(&Subject<'_>, u32) -> String) -> String {
    let groups = subject.process.groups.iter();
    let names: Vec<String> = groups.map(|gid| plain(&name(subject, *gid))).collect();
    names.join(",")
}

fn capabilities(set: u64) -> String {
    let full = (1u64 << CAPABILITIES.len()) - 1;
    match set {
        0 => "none".to_owned(),
        _ if set & full == full => "full".to_owned(),
        _ => {
            let names = CAPABILITIES.iter().enumerate();
            let held = names.filter(|(number, _)| set & (1 << number) != 0);
            let names: Vec<&str> = held.map(|(_, name)| *name).collect();
            names.join(",")
        }
    }
}

fn seccomp(mode: u8) -> &'static str {
    match mode {
        0 => "disabled",
        1 => "strict",
        2 => "filter",
        _ => "?",
    }
}

/// Processor time used in all of its life, in hundredths of a processor.
fn share(process: &ProcessFacts) -> String {
    let elapsed = process.elapsed.as_secs_f64();
    let share = match elapsed > 0.0 {
        true => process.used.as_secs_f64() * 100.0 / elapsed,
        false => 0.0,
    };
    format!("{share:.3}")
}

/// The names of the terminals by device number (`Documentation/admin-guide/devices.txt`).
fn terminal(device: u32) -> String {
    let (major, minor) = (device >> 8 & 0xfff, device & 0xff | device >> 12 & 0xfff00);
    match major {
        0 => "?".to_owned(),
        136..=143 => format!("pts/{}", (major - 136) * 256 + minor),
        4 if minor < 64 => format!("tty{minor}"),
        5 if minor == 1 => "console".to_owned(),
        _ => format!("{major}:{minor}"),
    }
}

/// A span to a hundredth of a second: the kernel counts no finer.
fn go_span(span: Duration) -> String {
    let hundredths = u64::try_from(span.as_millis() / 10).unwrap_or(u64::MAX);
    words::go_duration(Duration::from_millis(hundredths.saturating_mul(10)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors_are_words_codes_and_lists_of_them() {
        let words = |typed: &[&str]| {
            let typed: Vec<String> = typed.iter().map(|text| (*text).to_owned()).collect();
            descriptors(&typed).map(|found| found.iter().map(|one| one.word).collect::<Vec<_>>())
        };
        assert_eq!(words(&[]).unwrap(), DEFAULT);
        assert_eq!(
            words(&["pid,%C", "huser"]).unwrap(),
            ["pid", "pcpu", "huser"]
        );
        assert_eq!(words(&["pid", "nonsense"]).unwrap_err(), "nonsense");
        assert_eq!(words(&["%Q"]).unwrap_err(), "%Q");
    }

    #[test]
    fn a_process_is_shown_as_the_container_sees_it() {
        let process = ProcessFacts {
            pid: 900,
            inner_pid: 1,
            name: "sleep".to_owned(),
            state: 'S',
            terminal: 136 << 8 | 3,
            elapsed: Duration::from_millis(3_723_450),
            used: Duration::from_secs(2),
            seccomp: 2,
            ..ProcessFacts::default()
        };
        let child = ProcessFacts {
            pid: 901,
            parent: 900,
            inner_pid: 7,
            command: "sh -c x".to_owned(),
            ..ProcessFacts::default()
        };
        let mut container = ContainerProcesses::default();
        container.processes = vec![process, child];
        let typed = ["pid,ppid,hpid,tty,etime,time,seccomp,capeff,args".to_owned()];
        let columns = descriptors(&typed).unwrap();
        let lines = table(&columns, &[container], &IdNames::default());
        assert_eq!(
            lines[1].join(" "),
            "1 0 900 pts/3 1h2m3.45s 2s filter none [sleep]"
        );
        assert_eq!(lines[2].join(" "), "7 1 901 ? 0s 0s disabled none sh -c x");
    }

    #[test]
    fn capability_sets_are_named() {
        assert_eq!(capabilities(u64::MAX), "full");
        assert_eq!(capabilities(0b101), "CHOWN,DAC_READ_SEARCH");
    }
}
