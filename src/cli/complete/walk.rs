//! From the words of a line to what may stand at the last of them: pure.

use clap::{Arg, ArgAction, Command};

/// What may stand where the cursor is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// What the definition of the command line itself knows.
    pub(super) candidates: Vec<Candidate>,
    /// What it does not.
    pub(super) kind: Kind,
    /// What was typed of the value, and what stands before it in the same word.
    pub(super) typed: String,
    pub(super) before: String,
    /// The installation, if the line says which.
    pub(super) root: Option<String>,
    pub(super) runroot: Option<String>,
}

/// A word that may stand there.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) word: String,
    pub(super) about: String,
}

/// What a value is, where it is none of a few words.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    #[default]
    Nothing,
    Files,
    Names(&'static [Names]),
}

/// Things that have names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Names {
    Containers,
    Images,
    Networks,
    Pods,
    Volumes,
}

/// Tells what may stand at the last of the words; they come without the program's name.
pub(super) fn walk(root: &Command, words: &[String]) -> Asked {
    let mut asked = Asked::default();
    let Some((last, before)) = words.split_last() else {
        return asked;
    };
    let mut place = Place {
        command: root,
        awaited: None,
        positionals: 0,
        only_values: false,
    };
    for word in before {
        place.step(word, &mut asked);
    }
    place.ask(last, &mut asked);
    asked
}

/// Where in the command line a word stands.
struct Place<'c> {
    command: &'c Command,
    /// The flag whose value comes next.
    awaited: Option<&'c Arg>,
    /// How many values have come that belong to no flag.
    positionals: usize,
    /// After `--` nothing is a flag.
    only_values: bool,
}

impl<'c> Place<'c> {
    fn step(&mut self, word: &str, asked: &mut Asked) {
        if let Some(flag) = self.awaited.take() {
            note(flag, word, asked);
        } else if !self.only_values && word == "--" {
            self.only_values = true;
        } else if !self.only_values && word.len() > 1 && word.starts_with('-') {
            self.flag(word, asked);
        } else if let Some(command) = self.command.find_subcommand(word) {
            self.command = command;
            self.positionals = 0;
        } else {
            self.positionals += 1;
            // What follows the container of `exec` is another program's.
            self.only_values |= self.positional().is_some_and(Arg::is_trailing_var_arg_set);
        }
    }

    fn flag(&mut self, word: &str, asked: &mut Asked) {
        let flags = || self.command.get_arguments();
        if let Some(long) = word.strip_prefix("--") {
            let (name, value) = match long.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (long, None),
            };
            let Some(flag) = flags().find(|arg| arg.get_long() == Some(name)) else {
                return;
            };
            match value {
                Some(value) => note(flag, value, asked),
                None if takes_next(flag) => self.awaited = Some(flag),
                None => {}
            }
            return;
        }
        let letters = word.trim_start_matches('-');
        for (at, letter) in letters.char_indices() {
            let Some(flag) = flags().find(|arg| arg.get_short() == Some(letter)) else {
                return;
            };
            if takes_next(flag) {
                if at + letter.len_utf8() == letters.len() {
                    self.awaited = Some(flag);
                }
                return;
            }
        }
    }

    fn ask(&self, word: &str, asked: &mut Asked) {
        if let Some(flag) = self.awaited {
            return value_of(flag, word, "", asked);
        }
        if !self.only_values
            && word.starts_with("--")
            && let Some((name, value)) = word[2..].split_once('=')
        {
            let mut flags = self.command.get_arguments();
            if let Some(flag) = flags.find(|arg| arg.get_long() == Some(name)) {
                value_of(flag, value, &word[..name.len() + 3], asked);
            }
            return;
        }
        if !self.only_values && word.starts_with('-') {
            return self.flags(word, asked);
        }
        if self.command.has_subcommands() {
            return self.commands(word, asked);
        }
        if let Some(argument) = self.positional() {
            value_of(argument, word, "", asked);
        }
    }

    fn flags(&self, word: &str, asked: &mut Asked) {
        let visible = |arg: &&Arg| !arg.is_hide_set() && !arg.is_positional();
        for flag in self.command.get_arguments().filter(visible) {
            let Some(long) = flag.get_long() else {
                continue;
            };
            let about = flag.get_help().map(ToString::to_string);
            asked.add(word, format!("--{long}"), about);
        }
    }

    fn commands(&self, word: &str, asked: &mut Asked) {
        let visible = |command: &&Command| !command.is_hide_set();
        for command in self.command.get_subcommands().filter(visible) {
            let about = command.get_about().map(ToString::to_string);
            asked.add(word, command.get_name().to_owned(), about);
        }
    }

    /// Returns the argument that the next value belongs to; the last one takes all that are left.
    fn positional(&self) -> Option<&'c Arg> {
        let all: Vec<&Arg> = self.command.get_positionals().collect();
        let last = all.last().filter(|last| {
            matches!(last.get_action(), ArgAction::Append)
                || last
                    .get_num_args()
                    .is_some_and(|range| range.max_values() > 1)
        });
        all.get(self.positionals).or(last).copied()
    }
}

impl Asked {
    fn add(&mut self, typed: &str, word: String, about: Option<String>) {
        if word.starts_with(typed) {
            let about = about.unwrap_or_default();
            self.candidates.push(Candidate {
                word,
                about: about.lines().next().unwrap_or_default().to_owned(),
            });
        }
    }
}

/// Returns whether the word after the flag is its value.
fn takes_next(flag: &Arg) -> bool {
    flag.get_action().takes_values()
        && !flag.is_require_equals_set()
        && flag
            .get_num_args()
            .is_none_or(|range| range.min_values() > 0)
}

/// Remembers which installation the line is about.
fn note(flag: &Arg, value: &str, asked: &mut Asked) {
    match flag.get_long() {
        Some("root") => asked.root = Some(value.to_owned()),
        Some("runroot") => asked.runroot = Some(value.to_owned()),
        _ => {}
    }
}

/// Tells what may be the value of an argument.
fn value_of(argument: &Arg, typed: &str, before: &str, asked: &mut Asked) {
    asked.typed = typed.to_owned();
    asked.before = before.to_owned();
    let words = argument.get_possible_values();
    if !words.is_empty() {
        for word in words.iter().filter(|word| !word.is_hide_set()) {
            let about = word.get_help().map(ToString::to_string);
            let whole = format!("{before}{}", word.get_name());
            asked.add(&format!("{before}{typed}"), whole, about);
        }
        return;
    }
    let names = argument.get_value_names().unwrap_or_default();
    let name = names.first().map_or("", |name| name.as_str());
    match name {
        "FORMAT" => {
            for word in ["json", "table"] {
                asked.add(&format!("{before}{typed}"), format!("{before}{word}"), None);
            }
        }
        _ => asked.kind = kind(name),
    }
}

/// Returns what a value is by the name that the help gives it.
fn kind(name: &str) -> Kind {
    match name {
        "CONTAINER" => Kind::Names(&[Names::Containers]),
        "POD" => Kind::Names(&[Names::Pods]),
        "IMAGE" => Kind::Names(&[Names::Images]),
        "NETWORK" => Kind::Names(&[Names::Networks]),
        "VOLUME" => Kind::Names(&[Names::Volumes]),
        "NAME" => Kind::Names(&[
            Names::Containers,
            Names::Pods,
            Names::Images,
            Names::Volumes,
        ]),
        "COMMAND" => Kind::Files,
        name => {
            let mut words = name.split('|');
            let is_path = words.any(|word| ["FILE", "KUBEFILE", "DIR", "PATH"].contains(&word));
            if is_path { Kind::Files } else { Kind::Nothing }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::super::super::args::Cli;
    use super::*;

    fn asked(line: &str) -> Asked {
        let mut command = Cli::command();
        command.build();
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        walk(&command, &words)
    }

    fn words(line: &str) -> Vec<String> {
        let candidates = asked(line).candidates.into_iter();
        candidates.map(|candidate| candidate.word).collect()
    }

    #[test]
    fn commands_flags_and_their_words_come_from_the_definition() {
        assert_eq!(words("kube pl"), ["play"]);
        assert_eq!(words("pod insp"), ["inspect"]);
        assert_eq!(words("--root /x volume p"), ["prune"]);
        assert_eq!(words("ps --no-t"), ["--no-trunc"]);
        assert_eq!(words("ps --sort r"), ["runningfor"]);
        assert_eq!(words("ps --sort=st"), ["--sort=status"]);
        assert_eq!(words("ps --format "), ["json", "table"]);
        assert_eq!(words("generate kube -t d"), ["deployment", "daemonset"]);
        assert!(words("").contains(&"kube".to_owned()));
        // Hidden ones are accepted, and offered to nobody.
        assert!(words("ps --exter").is_empty());
    }

    #[test]
    fn values_are_told_by_what_the_help_calls_them() {
        let containers = Kind::Names(&[Names::Containers]);
        for (line, kind) in [
            ("stop ", containers),
            ("stop -t 5 we", containers),
            ("stop web ", containers),
            ("rm -fa ", containers),
            ("exec -it ", containers),
            ("exec -it web ", Kind::Files),
            ("pod rm ", Kind::Names(&[Names::Pods])),
            ("kube generate ", Kind::Names(&[Names::Pods])),
            ("volume rm --force ", Kind::Names(&[Names::Volumes])),
            ("rmi ", Kind::Names(&[Names::Images])),
            ("kube play ", Kind::Files),
            ("kube play --configmap ", Kind::Files),
            ("stop -t ", Kind::Nothing),
            ("volume exists ", Kind::Names(&[Names::Volumes])),
            ("volume exists one ", Kind::Nothing),
        ] {
            assert_eq!(asked(line).kind, kind, "{line}");
        }
        let asked = asked("--root=/a --runroot /b stop we");
        assert_eq!(asked.root.as_deref(), Some("/a"));
        assert_eq!(asked.runroot.as_deref(), Some("/b"));
        assert_eq!(asked.typed, "we");
    }
}
