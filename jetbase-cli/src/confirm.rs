//! Questions before a command changes something that cannot be restored.

use std::io::{self, IsTerminal, Write};

use super::command_error::CommandError;
use super::exit::Exit;
use super::options::ConfirmArgs;
use super::printer::Printer;

impl ConfirmArgs {
    /// Asks whether to go on, if the answer can come from a person: on a terminal, without `--yes` and
    /// without `--json`.
    pub(crate) fn ask(self, printer: Printer, question: &str) -> Result<(), CommandError> {
        if self.yes || !io::stdin().is_terminal() || !printer.is_on_terminal() {
            return Ok(());
        }
        let mut answer = String::new();
        let asked = write!(io::stderr(), "{question} [y/N] ").and_then(|()| io::stderr().flush());
        let read = asked.and_then(|()| io::stdin().read_line(&mut answer));
        if read.is_ok() && is_yes(&answer) { Ok(()) } else { Err(declined()) }
    }
}

fn is_yes(answer: &str) -> bool {
    ["y", "yes"].iter().any(|yes| answer.trim().eq_ignore_ascii_case(yes))
}

fn declined() -> CommandError {
    let text = "Nothing was changed. Answer `y`, or add --yes, to go on.";
    CommandError::new("declined", text, Exit::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_goes_on() {
        for answer in ["y\n", "Y", " yes \r\n", "YES"] {
            assert!(is_yes(answer), "{answer:?}");
        }
        for answer in ["", "\n", "n", "no", "yy", "yes please", "j"] {
            assert!(!is_yes(answer), "{answer:?}");
        }
    }
}
