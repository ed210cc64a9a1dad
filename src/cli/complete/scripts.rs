//! The scripts that shells read.

use super::super::args::Shell;

/// Returns the script of a shell.
pub(in crate::cli) fn script(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => BASH,
        Shell::Zsh => ZSH,
        Shell::Fish => FISH,
    }
}

const BASH: &str = r#"# bash completion for podwright

_podwright() {
    # bash splits words at : and =, which are part of names of images and of flags.
    local line=${COMP_LINE:0:COMP_POINT}
    local -a typed
    read -ra typed <<<"$line"
    [[ $line == *[[:space:]] ]] && typed+=("")
    local last=${typed[-1]}
    local cut=""
    case $COMP_WORDBREAKS in *:*) cut=${last%"${last##*[:=]}"} ;; esac
    COMPREPLY=()
    local word
    while IFS=$'\t' read -r word _; do
        if [[ $word == :files ]]; then
            compopt -o filenames 2>/dev/null
            while IFS= read -r word; do
                COMPREPLY+=("$word")
            done < <(compgen -f -- "${last#"$cut"}")
        elif [[ -n $word ]]; then
            COMPREPLY+=("${word#"$cut"}")
        fi
    done < <("${typed[0]}" __complete -- "${typed[@]:1}" 2>/dev/null)
}

complete -F _podwright podwright
"#;

const ZSH: &str = r#"#compdef podwright

_podwright() {
    local line word about
    local -a candidates
    for line in "${(@f)$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        [[ -z $line ]] && continue
        if [[ $line == :files ]]; then
            _files
            continue
        fi
        word=${line%%$'\t'*}
        about=
        [[ $line == *$'\t'* ]] && about=${line#*$'\t'}
        candidates+=("${word//:/\\:}${about:+:$about}")
    done
    (( ${#candidates} )) && _describe podwright candidates
}

if [[ $funcstack[1] == _podwright ]]; then
    _podwright "$@"
else
    compdef _podwright podwright
fi
"#;

const FISH: &str = r#"# fish completion for podwright

function __podwright_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] __complete -- $words[2..-1] 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end

complete -c podwright -f -a '(__podwright_complete)'
"#;
