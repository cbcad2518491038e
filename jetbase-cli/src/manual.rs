//! `completions` and `man`: files for shells and for the program `man`.

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_mangen::Man;

use super::args::Tool;
use super::command_error::CommandError;
use super::command_output::CommandOutput;
use super::examples;
use super::json::CommandFields;
use super::options::{CompletionsArgs, ManArgs};

pub(crate) fn completions(args: &CompletionsArgs) -> CommandOutput {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Tool::command(), PROGRAM, &mut script);
    text(script)
}

pub(crate) fn man(args: &ManArgs) -> Result<CommandOutput, CommandError> {
    let program = program();
    if let Some(folder) = &args.out {
        return write_all(&program, folder);
    }
    let command = match &args.command {
        None => &program,
        Some(name) => program.find_subcommand(name).ok_or_else(|| unknown(&program, name))?,
    };
    Ok(text(page(command)?))
}

const PROGRAM: &str = "jetbase";

/// Returns the program with the names of its pages, such as `jetbase-upgrade`.
fn program() -> Command {
    let mut program = examples::add(Tool::command(), PROGRAM);
    program.build();
    program
}

fn page(command: &Command) -> Result<Vec<u8>, CommandError> {
    let mut page = Vec::new();
    Man::new(command.clone())
        .render(&mut page)
        .map_err(|error| CommandError::io("the page cannot be written", &error))?;
    Ok(page)
}

fn write_all(program: &Command, folder: &Path) -> Result<CommandOutput, CommandError> {
    let cannot = |path: &Path, error| {
        CommandError::io(format!("{} cannot be written", path.display()), &error)
    };
    fs::create_dir_all(folder).map_err(|error| cannot(folder, error))?;
    let mut created = Vec::new();
    for command in std::iter::once(program).chain(program.get_subcommands()) {
        let name = command.get_display_name().unwrap_or(PROGRAM);
        let path = folder.join(format!("{name}.1"));
        fs::write(&path, page(command)?).map_err(|error| cannot(&path, error))?;
        created.push(path.display().to_string());
    }
    let lines: Vec<_> = created.iter().map(|path| format!("Created {path}")).collect();
    Ok(CommandOutput::new(lines.join("\n"), CommandFields::Init { created }))
}

fn text(bytes: Vec<u8>) -> CommandOutput {
    let text = String::from_utf8_lossy(&bytes).into_owned();
    CommandOutput::new(text.clone(), CommandFields::Text { text })
}

/// Returns the error for a command that does not exist.
fn unknown(program: &Command, name: &str) -> CommandError {
    let names: Vec<_> = program.get_subcommands().map(Command::get_name).collect();
    let close = jetbase_core::similar(name, &names);
    let close = close.map_or_else(String::new, |close| format!(" Did you mean `{close}`?"));
    CommandError::usage(format!(
        "There is no command `{name}`.{close} The commands are {}.",
        names.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;
    use clap_complete::Shell;

    use super::*;

    #[test]
    fn each_shell_has_completions_for_each_command() {
        for shell in Shell::value_variants() {
            let output = completions(&CompletionsArgs { shell: *shell });
            for command in program().get_subcommands() {
                assert!(output.text.contains(command.get_name()), "{shell}: {command}");
            }
        }
    }

    #[test]
    fn each_command_has_a_page_with_its_name() {
        let of = |name: &str| man(&ManArgs { command: Some(name.to_owned()), out: None });
        for command in program().get_subcommands() {
            let name = command.get_name();
            let page = of(name).unwrap().text;
            let escaped = name.replace('-', "\\-");
            assert!(page.contains(&format!("jetbase\\-{escaped}")), "{page}");
            assert!(page.contains("Examples:"), "{page}");
        }
        let whole = man(&ManArgs { command: None, out: None }).unwrap().text;
        assert!(whole.contains("Exit codes:"), "{whole}");
        let error = of("upgrad").unwrap_err();
        assert!(error.blocks.concat().contains("Did you mean `upgrade`?"), "{error:?}");
    }
}
