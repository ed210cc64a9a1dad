//! The manual pages are the command line's own definition, written out; `UPDATE=1` rewrites them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use clap::{Command, CommandFactory as _};

/// Commands that stand under two names: the page of the second leads to the first's.
const SAME: [(&str, &str); 7] = [
    ("podwright-container-", "podwright-"),
    ("podwright-image-load", "podwright-load"),
    ("podwright-image-import", "podwright-import"),
    ("podwright-image-tag", "podwright-tag"),
    ("podwright-image-ls", "podwright-images"),
    ("podwright-image-rm", "podwright-rmi"),
    ("podwright-system-info", "podwright-info"),
];
const RENAMED: [(&str, &str); 2] = [
    ("podwright-play-kube", "podwright-kube-play"),
    ("podwright-generate-kube", "podwright-kube-generate"),
];
const NOT_THE_SAME: [&str; 1] = ["podwright-container-inspect"];

#[test]
fn manual_pages_say_what_the_command_line_says() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("man");
    let pages = pages();
    if std::env::var_os("UPDATE").is_some() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        for (name, text) in &pages {
            std::fs::write(directory.join(name), text).unwrap();
        }
    }
    let mut stale = Vec::new();
    for (name, text) in &pages {
        if std::fs::read_to_string(directory.join(name)).ok().as_ref() != Some(text) {
            stale.push(name.clone());
        }
    }
    for entry in std::fs::read_dir(&directory).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !pages.contains_key(&name) {
            stale.push(name);
        }
    }
    assert!(
        stale.is_empty(),
        "run `UPDATE=1 cargo test --test man`; out of date: {stale:?}"
    );
}

#[test]
fn every_command_and_every_visible_flag_has_words() {
    let mut wordless = Vec::new();
    each(&root(), &mut |path, command| {
        if command.get_about().is_none() {
            wordless.push(path.join(" "));
        }
        for argument in command.get_arguments().filter(|a| !a.is_hide_set()) {
            if argument.get_help().is_none() {
                wordless.push(format!("{} {}", path.join(" "), argument.get_id()));
            }
        }
    });
    assert!(wordless.is_empty(), "{wordless:?}");
}

fn root() -> Command {
    let mut root = podwright::cli::args::Cli::command();
    root.build();
    root
}

fn each(root: &Command, visit: &mut dyn FnMut(&[String], &Command)) {
    fn walk(path: &mut Vec<String>, command: &Command, visit: &mut dyn FnMut(&[String], &Command)) {
        path.push(command.get_name().to_owned());
        visit(path, command);
        for child in command.get_subcommands() {
            walk(path, child, visit);
        }
        path.pop();
    }
    walk(&mut Vec::new(), root, visit);
}

/// All pages by file name.
fn pages() -> BTreeMap<String, String> {
    let root = root();
    let mut pages = BTreeMap::new();
    each(&root, &mut |path, command| {
        let name = path.join("-");
        let text = match twin(&name) {
            Some(twin) => format!(".so man1/{twin}.1\n"),
            None => page(&name, path, command),
        };
        pages.insert(format!("{name}.1"), text);
    });
    pages
}

fn twin(name: &str) -> Option<String> {
    if NOT_THE_SAME.contains(&name) {
        return None;
    }
    let renamed = RENAMED.iter().find(|(from, _)| name == *from);
    renamed.map(|(_, to)| (*to).to_owned()).or_else(|| {
        SAME.iter()
            .find_map(|(from, to)| Some(format!("{to}{}", name.strip_prefix(from)?)))
    })
}

fn page(name: &str, path: &[String], command: &Command) -> String {
    let command = command
        .clone()
        .display_name(name)
        .bin_name(path.join(" "))
        .subcommand_help_heading("Commands");
    let man = clap_mangen::Man::new(command.clone())
        .title(name)
        .date("")
        .source(concat!("podwright ", env!("CARGO_PKG_VERSION")))
        .manual("podwright");
    let mut bytes = Vec::new();
    man.render_title(&mut bytes).unwrap();
    man.render_name_section(&mut bytes).unwrap();
    man.render_synopsis_section(&mut bytes).unwrap();
    man.render_description_section(&mut bytes).unwrap();
    man.render_options_section(&mut bytes).unwrap();
    if command.get_subcommands().next().is_some() {
        man.render_subcommands_section(&mut bytes).unwrap();
    }
    let mut text = String::from_utf8(bytes).unwrap();
    text.push_str(&see_also(path, &command));
    text
}

/// The neighbours: what is above, and what stands beside or below.
fn see_also(path: &[String], command: &Command) -> String {
    let mut others = Vec::new();
    if let Some((_, above)) = path.split_last().filter(|(_, above)| !above.is_empty()) {
        others.push(above.join("-"));
    }
    let name = path.join("-");
    others.extend(
        command
            .get_subcommands()
            .map(|child| format!("{name}-{}", child.get_name())),
    );
    for (from, to) in RENAMED {
        if name == to {
            others.push(from.to_owned());
        }
    }
    if name == "podwright-kube-play" {
        others.push("podwright-kube-down".to_owned());
    }
    let mut text = String::from(".SH \"SEE ALSO\"\n");
    for (position, other) in others.iter().enumerate() {
        let comma = if position + 1 < others.len() { "," } else { "" };
        writeln!(text, ".BR {} (1){comma}", other.replace('-', "\\-")).unwrap();
    }
    text
}
