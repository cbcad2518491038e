//! The result of a command that succeeded: text for people, JSON for programs, an exit code for
//! scripts.

use super::exit::Exit;
use super::json::{CommandFields, InspectJson};

/// The result of a command.
#[derive(Debug, Default)]
pub(crate) struct CommandOutput {
    /// The result as text, for standard output.
    pub(crate) text: String,
    /// Notes for standard error.
    pub(crate) notes: Vec<String>,
    pub(crate) json: JsonFormat,
    pub(crate) exit: Exit,
}

/// The result for `--json`.
#[derive(Debug)]
pub(crate) enum JsonFormat {
    /// One object.
    Object(CommandFields),
    /// One object per line.
    Lines(Vec<InspectJson>),
}

impl Default for JsonFormat {
    fn default() -> Self {
        JsonFormat::Object(CommandFields::None)
    }
}

impl CommandOutput {
    pub(crate) fn new(text: impl Into<String>, fields: impl Into<CommandFields>) -> Self {
        CommandOutput {
            text: text.into(),
            json: JsonFormat::Object(fields.into()),
            ..CommandOutput::default()
        }
    }

    pub(crate) fn exit(self, exit: Exit) -> Self {
        CommandOutput { exit, ..self }
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}
