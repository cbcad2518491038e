//! The examples in the help of each command.

use clap::Command;

/// The examples of a command: arguments, and what they do.
type CommandExamples = (&'static str, &'static [(&'static str, &'static str)]);

const EXAMPLES: &[CommandExamples] = &[
    (
        "upgrade",
        &[
            ("upgrade", "apply everything that is pending"),
            ("upgrade --to-version 4 --dry-run", "show the SQL up to version 4"),
            ("upgrade --wait 5min --json", "in a script: wait longer, print JSON"),
        ],
    ),
    (
        "rollback",
        &[
            ("rollback", "roll back the latest version"),
            ("rollback --to-version 3 --dry-run", "show what would undo all above version 3"),
        ],
    ),
    (
        "redo",
        &[
            ("redo", "roll back what has changed and is not recorded, and apply it again"),
            ("redo --count 1 --dry-run", "show what the last version would do"),
        ],
    ),
    ("reapply", &[("reapply ROC__views.sql", "run a repeatable file that has not changed")]),
    ("status", &[("status --database-url sqlite:///app.db", "show the state of a file")]),
    ("history", &[("history --json", "for a program")]),
    ("current", &[("current", "print the latest applied version")]),
    ("check", &[("check", "exit code 0: ready; 10: migrations are pending; 11: drift")]),
    (
        "doctor",
        &[
            ("doctor", "examine the configured database"),
            ("doctor --role owner --schema billing", "as a run with these options would see it"),
        ],
    ),
    (
        "journal",
        &[
            ("journal", "show the files of which only a part is permanent"),
            ("journal clear V4__users.sql", "the next run starts the file again"),
        ],
    ),
    ("lock-status", &[("lock-status", "print who holds the lock")]),
    (
        "unlock",
        &[
            ("unlock", "release the lock, unless its holder is alive"),
            ("unlock --force", "release it in any case"),
        ],
    ),
    ("validate-checksums", &[("validate-checksums", "exit code 11 if a file has changed")]),
    ("validate-files", &[("validate-files", "exit code 11 if a file is missing")]),
    (
        "baseline",
        &[
            ("baseline --detect", "show which versions the database has already"),
            ("baseline 12 --dry-run", "show what would be marked as applied"),
            ("baseline 12", "mark every version up to 12 as applied"),
        ],
    ),
    ("fix", &[("fix", "make the history agree with the files")]),
    ("fix-checksums", &[("fix-checksums", "after a change of comments or formatting")]),
    ("fix-files", &[("fix-files", "after files were deleted on purpose")]),
    ("init", &[("init", "create the folder and jetbase.toml")]),
    (
        "new",
        &[
            ("new \"add users\"", "the version is the date and time"),
            ("new \"add users\" --version 4", "version 4"),
        ],
    ),
    (
        "inspect",
        &[("inspect --dialect postgres migrations/V1__users.sql", "as PostgreSQL reads the file")],
    ),
    (
        "sum",
        &[
            ("sum", "record new migrations, before a release"),
            ("sum --check", "in CI: exit code 10 or 11 if something is not recorded"),
        ],
    ),
    ("renumber", &[("renumber --dry-run", "show the new names")]),
    (
        "adopt",
        &[
            ("adopt sqlx migrations", "show what the conversion would write"),
            ("adopt sqlx migrations --dir db/jetbase --write", "write it"),
            (
                "adopt sqlx --dir db/jetbase --database-url sqlite:///app.db --write",
                "adopt the history of a database",
            ),
        ],
    ),
    (
        "completions",
        &[("completions bash", "print them; put them where the shell looks for completions")],
    ),
    (
        "man",
        &[
            ("man upgrade", "print the page of a command"),
            ("man --out target/man", "write all pages"),
        ],
    ),
];

/// Adds the examples to the help of the commands. `program` is how a user calls them.
pub(crate) fn add(command: Command, program: &str) -> Command {
    EXAMPLES.iter().fold(command, |command, (name, examples)| {
        if command.find_subcommand(name).is_none() {
            return command;
        }
        command.mut_subcommand(name, |it| {
            let text = text(program, examples);
            let after = it.get_after_long_help().map(|after| format!("\n{after}"));
            it.after_long_help(format!("{text}{}", after.unwrap_or_default()))
        })
    })
}

fn text(program: &str, examples: &[(&str, &str)]) -> String {
    let width = examples.iter().map(|(arguments, _)| arguments.len()).max().unwrap_or(0);
    let lines = examples
        .iter()
        .map(|(arguments, what)| format!("  {program} {arguments:width$}  # {what}\n"));
    format!("Examples:\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::args::Tool;

    #[test]
    fn each_command_has_examples_that_can_be_parsed() {
        let mut tool = add(Tool::command(), "jetbase");
        let commands = tool.get_subcommands().map(|it| it.get_name().to_owned());
        for name in commands.collect::<Vec<_>>() {
            let command = tool.find_subcommand_mut(&name).unwrap();
            let help = command.render_long_help().to_string();
            let examples = help.split("Examples:\n").nth(1);
            let examples = examples.unwrap_or_else(|| panic!("{name} has no example"));
            let lines = examples.lines().take_while(|line| !line.is_empty());
            for line in lines {
                let (line, _) = line.split_once("  # ").unwrap();
                let words = line.trim().replace("\"add users\"", "add_users");
                let parsed = Tool::command().try_get_matches_from(words.split_whitespace());
                let (used, _) = parsed.as_ref().unwrap().subcommand().unwrap();
                assert_eq!(used, name, "{line}");
            }
            assert!(help.contains("\nJSON"), "{name}: {help}");
        }
    }
}
