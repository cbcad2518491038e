//! All output: results on standard output, progress and errors on standard error.

use std::io::{self, IsTerminal, Write};

use clap::ColorChoice;
use jetbase_core::{Finding, Severity};

use super::command_error::{CommandError, io_reason};
use super::command_output::{CommandOutput, JsonFormat};
use super::exit::Exit;
use super::json::{CommandFields, ErrorJson, OutputJson};
use super::program;
use super::secret;
use super::spinner::{CLEAR, Spinner};

/// The format of a command's output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Plain,
    /// One object on standard output, or for `inspect` one object per line. Nothing on standard
    /// error.
    Json,
}

/// Where and how a command writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    format: Format,
    color: ColorChoice,
}

impl Printer {
    pub(crate) fn new(format: Format, color: ColorChoice) -> Self {
        Printer { format, color }
    }

    /// Whether a person sees the progress as it happens.
    pub(crate) fn is_on_terminal(self) -> bool {
        self.is_for_people() && io::stderr().is_terminal()
    }

    /// Whether a person reads the output, and not a program.
    pub(crate) fn is_for_people(self) -> bool {
        self.format == Format::Plain
    }

    /// Prints a line of progress.
    pub(crate) fn progress(self, line: &str) {
        if self.format == Format::Plain {
            err(line);
        }
    }

    /// Shows a line while something is in progress.
    pub(crate) fn spinner(self, text: &str) -> Option<Spinner> {
        if self.format == Format::Plain { Spinner::start(text.to_owned()) } else { None }
    }

    /// Prints a warning that an operator should check.
    pub(crate) fn warning(self, text: &str) {
        self.print(Severity::Warning, text);
    }

    /// Prints a finding in the style of a compiler.
    pub(crate) fn finding(self, finding: &Finding, folder: &str) {
        self.print(finding.severity, &finding.render(folder));
    }

    /// Prints the result of a command, and returns the exit code of the program.
    pub(crate) fn finish(
        self,
        command: &str,
        result: &Result<CommandOutput, CommandError>,
    ) -> Exit {
        let exit = match result {
            Ok(output) => output.exit,
            Err(error) => error.exit,
        };
        let written = match (self.format, result) {
            (Format::Json, result) => {
                json(command, result).map_err(io::Error::from).and_then(|text| out(&text))
            }
            (Format::Plain, Ok(output)) => {
                let written = out(&output.text);
                output.notes.iter().for_each(|note| err(note));
                written
            }
            (Format::Plain, Err(error)) => {
                error.blocks.iter().for_each(|block| self.print(Severity::Error, block));
                Ok(())
            }
        };
        exit_of(written, exit)
    }

    /// Prints a text to standard error, after the word for its severity.
    fn print(self, severity: Severity, text: &str) {
        if self.format == Format::Json {
            return;
        }
        let color = match severity {
            Severity::Error => "31",
            Severity::Warning => "33",
        };
        let word = if self.has_color(&io::stderr()) {
            format!("\x1b[1;{color}m{severity}\x1b[0m")
        } else {
            severity.to_string()
        };
        err(&redact(&format!("{word}: {text}")));
    }

    /// Whether a stream is printed in colours.
    pub(crate) fn has_color(self, stream: &impl IsTerminal) -> bool {
        let unwanted = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => stream.is_terminal() && !unwanted(),
        }
    }
}

/// Reports what is wrong with the arguments.
pub(crate) fn print_usage_error(error: &clap::Error) -> Exit {
    let text = error.to_string();
    // The message quotes the arguments, which may contain a password.
    let safe = redact(&secret::hide(&text));
    if safe == text {
        drop(error.print());
    } else {
        err(&safe);
    }
    Exit::Usage
}

/// Prints the requested help or version.
pub(crate) fn print_help(error: &clap::Error) -> Exit {
    exit_of(error.print().and_then(|()| io::stdout().flush()), Exit::Done)
}

/// Returns the exit code of the program. A result that cannot be written is a failure, even if the
/// command succeeded.
fn exit_of(written: io::Result<()>, exit: Exit) -> Exit {
    match written {
        // A reader that closed the pipe has read what it wanted.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            err(&format!(
                "error: standard output cannot be written: {}; the command itself ended with the exit code {}",
                io_reason(&error),
                exit.code()
            ));
            Exit::Failed
        }
        _ => exit,
    }
}

/// Formats a result for `--json`.
fn json(command: &str, result: &Result<CommandOutput, CommandError>) -> serde_json::Result<String> {
    match result {
        Ok(CommandOutput { json: JsonFormat::Lines(files), .. }) => {
            let lines: Result<Vec<_>, _> = files.iter().map(serde_json::to_string).collect();
            Ok(lines?.join("\n"))
        }
        Ok(CommandOutput { json: JsonFormat::Object(fields), exit, .. }) => {
            object(command, *exit, fields, None)
        }
        Err(error) => {
            object(command, error.exit, &error.partial, Some(error.json())).map(|it| redact(&it))
        }
    }
}

fn object(
    command: &str,
    exit: Exit,
    fields: &CommandFields,
    error: Option<ErrorJson<'_>>,
) -> serde_json::Result<String> {
    let (ok, exit_code) = (exit == Exit::Done, exit.code());
    serde_json::to_string(&OutputJson { command, ok, exit_code, fields, error })
}

fn out(text: &str) -> io::Result<()> {
    write(&mut io::stdout().lock(), text)
}

fn err(text: &str) {
    if io::stderr().is_terminal() {
        // A spinner may be in this line.
        let _ = write!(io::stderr(), "{CLEAR}");
    }
    // If standard error cannot be written, the text is lost.
    let _ = write(&mut io::stderr().lock(), text);
}

fn write(to: &mut dyn Write, text: &str) -> io::Result<()> {
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    write!(to, "{}{end}", program::named(&secret::hide(text)))?;
    to.flush()
}

/// Hides the passwords of URLs, because a message may quote them and a log may store them.
pub(crate) fn redact(text: &str) -> String {
    let mut parts = text.split("://");
    let mut safe = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find([' ', '\n', '`', '"', '\'', '/']).unwrap_or(part.len());
        // A password may contain an unencoded `/`, so the last `@` of the word marks its end.
        let word = part.find([' ', '\n', '`', '"', '\'']).unwrap_or(part.len());
        let at = part.get(..word).and_then(|word| word.rfind('@'));
        let colon = part.find(':').filter(|colon| at.is_some_and(|at| *colon < at));
        safe.push_str("://");
        match (colon.filter(|colon| *colon <= end), at) {
            (Some(colon), Some(at)) => {
                safe.push_str(part.get(..=colon).unwrap_or_default());
                safe.push_str("***");
                safe.push_str(part.get(at..).unwrap_or_default());
            }
            _ => safe.push_str(part),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden() {
        for (text, safe) in [
            ("postgres://u:secret@h/db", "postgres://u:***@h/db"),
            (
                "found 'mysql://u:s@c:r/t@h:3306/db?x=1' twice",
                "found 'mysql://u:***@h:3306/db?x=1' twice",
            ),
            ("postgres://u@h:5432/db", "postgres://u@h:5432/db"),
            ("sqlite:///a:b.db, see https://x.org/a@b", "sqlite:///a:b.db, see https://x.org/a@b"),
            ("a://u:p@h b://v:q@i", "a://u:***@h b://v:***@i"),
        ] {
            assert_eq!(redact(text), safe);
        }
    }

    #[test]
    fn a_result_is_one_object() {
        let fields = CommandFields::Current { version: Some("1 \"\n".to_owned()) };
        let output = Ok(CommandOutput::new("text", fields));
        assert_eq!(
            json("current", &output).unwrap(),
            r#"{"command":"current","ok":true,"exit_code":0,"version":"1 \"\n","error":null}"#
        );
        let error = Err(CommandError::usage("no such thing"));
        assert_eq!(
            json("new", &error).unwrap(),
            r#"{"command":"new","ok":false,"exit_code":2,"error":{"kind":"usage","message":"no such thing"}}"#
        );
    }
}
