//! `--all=true` and `--all=false`, as podman's scripts may write any flag that takes no value.

use std::ffi::OsString;

use clap::{ArgAction, Command, CommandFactory as _};

use super::args::Cli;

/// Writes `--flag=true` as `--flag` and leaves `--flag=false` out, where the flag takes no value.
///
/// What follows `--`, or the container of `exec`, belongs to somebody else and stays as it is.
pub(super) fn without_values(arguments: Vec<OsString>) -> Vec<OsString> {
    if !arguments.iter().any(|argument| boolean(argument).is_some()) {
        return arguments;
    }
    let root = Cli::command();
    let mut command = &root;
    let mut kept = Vec::with_capacity(arguments.len());
    let mut arguments = arguments.into_iter();
    kept.extend(arguments.next());
    for argument in arguments.by_ref() {
        let word = argument.to_str();
        if let Some((flag, value)) = boolean(&argument)
            && [command, &root]
                .iter()
                .any(|command| takes_no_value(command, flag))
        {
            if value {
                kept.push(format!("--{flag}").into());
            }
            continue;
        }
        let found = word.and_then(|word| command.find_subcommand(word));
        let is_word = word.is_some_and(|word| !word.starts_with('-'));
        let rest_is_foreign =
            word == Some("--") || (is_word && found.is_none() && runs_another_program(command));
        kept.push(argument);
        if rest_is_foreign {
            break;
        }
        command = found.unwrap_or(command);
    }
    kept.extend(arguments);
    kept
}

fn boolean(argument: &OsString) -> Option<(&str, bool)> {
    let (flag, value) = argument.to_str()?.strip_prefix("--")?.split_once('=')?;
    Some((flag, value.parse().ok()?))
}

fn takes_no_value(command: &Command, flag: &str) -> bool {
    command.get_arguments().any(|argument| {
        argument.get_long() == Some(flag) && matches!(argument.get_action(), ArgAction::SetTrue)
    })
}

fn runs_another_program(command: &Command) -> bool {
    let mut positionals = command.get_positionals();
    positionals.any(clap::Arg::is_trailing_var_arg_set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_without_a_value_may_be_given_one() {
        for (line, plain) in [
            ("p ps --all=true", "p ps --all"),
            ("p ps --all=false -q", "p ps -q"),
            ("p logs --follow=true web", "p logs --follow web"),
            ("p pod rm --force=true --all=true", "p pod rm --force --all"),
            (
                "p kube play --start=false a.yaml",
                "p kube play --start=false a.yaml",
            ),
            (
                "p exec --tty=true web ls --all=true",
                "p exec --tty web ls --all=true",
            ),
            ("p exec web ls --tty=false", "p exec web ls --tty=false"),
            ("p rm -- --all=true", "p rm -- --all=true"),
        ] {
            let arguments = line.split(' ').map(OsString::from).collect();
            let written: Vec<String> = without_values(arguments)
                .into_iter()
                .map(|argument| argument.into_string().unwrap())
                .collect();
            assert_eq!(written.join(" "), plain, "{line}");
        }
    }
}
