//! The name of the program, as a person calls it.
//!
//! The library names commands as those of the program `jetbase`. In a program that embeds its
//! migrations, they are commands of that program.

use std::borrow::Cow;
use std::path::Path;
use std::sync::OnceLock;

use clap::Subcommand;

use super::args::SetCommand;

/// The call of the program that embeds its migrations, up to the command: `app migrate`.
static PROGRAM: OnceLock<String> = OnceLock::new();

/// Remembers how this process was called, from its arguments up to the command.
pub(crate) fn remember(command: &str) {
    let arguments: Vec<String> =
        std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    PROGRAM.get_or_init(|| call(&arguments, command));
}

/// Returns a text with the commands of this program in place of those of `jetbase`.
pub(crate) fn named(text: &str) -> Cow<'_, str> {
    match PROGRAM.get() {
        Some(program) => Cow::Owned(replace(text, program)),
        None => Cow::Borrowed(text),
    }
}

/// Returns the words of a call before the command. The values of options are left out: one of them may
/// be a URL with a password.
fn call(arguments: &[String], command: &str) -> String {
    let (program, rest) =
        arguments.split_first().map_or(("app", [].as_slice()), |(program, rest)| {
            let name = Path::new(program).file_name().and_then(|name| name.to_str());
            (name.unwrap_or("app"), rest)
        });
    let Some(end) = rest.iter().rposition(|argument| argument == command) else {
        return format!("{program} migrate");
    };
    let word = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let mut call = program.to_owned();
    let mut before = "";
    for argument in rest.iter().take(end) {
        let is_value = before.starts_with("--") && !before.contains('=') && before != "--json";
        if word(argument) && !is_value {
            call.push(' ');
            call.push_str(argument);
        }
        before = argument;
    }
    call
}

/// Replaces `jetbase` in front of the commands that an embedded set has.
fn replace(text: &str, program: &str) -> String {
    let commands = SetCommand::augment_subcommands(clap::Command::new(""));
    let known = |word: &str| commands.get_subcommands().any(|it| it.get_name() == word);
    let mut parts = text.split("`jetbase ");
    let mut replaced = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find([' ', '`']).unwrap_or(part.len());
        let name = if part.get(..end).is_some_and(known) { program } else { "jetbase" };
        replaced.push_str(&format!("`{name} {part}"));
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_the_words_before_the_command() {
        for (line, text) in [
            ("/usr/bin/app migrate unlock --force", "app migrate"),
            ("app unlock", "app"),
            ("app db migrate --json status", "app db migrate"),
            ("app --database-url postgres://u:pw@h/db migrate status", "app migrate"),
            ("app --database-url secret migrate status", "app migrate"),
            ("app serve", "app migrate"),
        ] {
            let arguments: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let command = if line.contains("unlock") { "unlock" } else { "status" };
            assert_eq!(call(&arguments, command), text, "{line}");
        }
    }

    #[test]
    fn only_commands_of_an_embedded_set_are_renamed() {
        assert_eq!(
            replace(
                "run `jetbase unlock`, `jetbase unlock --force` or `jetbase sum`",
                "app migrate"
            ),
            "run `app migrate unlock`, `app migrate unlock --force` or `jetbase sum`"
        );
    }
}
