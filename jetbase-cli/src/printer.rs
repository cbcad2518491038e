//! All output: results on standard output, progress and errors on standard error.

use std::io::{self, IsTerminal, Write};

use clap::ColorChoice;
use comfy_table::{ContentArrangement, Table, presets};
use jetbase_core::{Finding, Severity};

use super::answer::{Answer, Body, Code, Object};
use super::failure::Failure;
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
pub(crate) struct Output {
    format: Format,
    color: ColorChoice,
}

/// The start of a line on standard error, and its colour.
#[derive(Clone, Copy, Debug)]
enum Mark {
    Error,
    Warning,
}

impl Output {
    pub(crate) fn new(format: Format, color: ColorChoice) -> Self {
        Output { format, color }
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

    /// Prints a warning that an operator should look at.
    pub(crate) fn warning(self, text: &str) {
        self.marked(Mark::Warning, text);
    }

    /// Prints a finding in the style of a compiler.
    pub(crate) fn finding(self, finding: &Finding, folder: &str) {
        let mark = match finding.severity {
            Severity::Error => Mark::Error,
            Severity::Warning => Mark::Warning,
        };
        self.marked(mark, &finding.render(folder));
    }

    /// Prints the result of a command, and returns the exit code of the program.
    pub(crate) fn finish(self, command: &str, result: &Result<Answer, Failure>) -> Code {
        let code = match result {
            Ok(answer) => answer.code,
            Err(failure) => failure.code,
        };
        let written = match (self.format, result) {
            (Format::Json, result) => out(&json(command, result)),
            (Format::Plain, Ok(answer)) => {
                let written = out(&answer.text);
                answer.notes.iter().for_each(|note| err(note));
                written
            }
            (Format::Plain, Err(failure)) => {
                failure.blocks.iter().for_each(|block| self.marked(Mark::Error, block));
                Ok(())
            }
        };
        delivered(written, code)
    }

    fn marked(self, mark: Mark, text: &str) {
        if self.format == Format::Json {
            return;
        }
        let (word, color) = match mark {
            Mark::Error => ("error", "31"),
            Mark::Warning => ("warning", "33"),
        };
        let word = match self.has_color() {
            true => format!("\x1b[1;{color}m{word}\x1b[0m"),
            false => word.to_owned(),
        };
        err(&redact(&format!("{word}: {text}")));
    }

    fn has_color(self) -> bool {
        let unwanted = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => io::stderr().is_terminal() && !unwanted(),
        }
    }
}

/// Reports what is wrong with the arguments.
pub(crate) fn refuse(error: &clap::Error) -> Code {
    let text = error.to_string();
    // The message quotes the arguments, which may contain a password.
    let safe = redact(&secret::hide(&text));
    match safe == text {
        true => drop(error.print()),
        false => err(&safe),
    }
    Code::Usage
}

/// Prints the requested help or version.
pub(crate) fn help(asked: &clap::Error) -> Code {
    delivered(asked.print().and_then(|()| io::stdout().flush()), Code::Done)
}

/// Returns the exit code of the program. A result that cannot be written is a failure, even if the
/// command succeeded.
fn delivered(written: io::Result<()>, code: Code) -> Code {
    match written {
        // A reader that closed the pipe has read what it wanted.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let Failure { blocks, code: failed, .. } =
                Failure::io("standard output cannot be written", &error);
            let code = code as u8;
            err(&format!(
                "error: {}; the command itself has ended with the exit code {code}",
                blocks.concat()
            ));
            failed
        }
        _ => code,
    }
}

/// Formats a result for `--json`.
fn json(command: &str, result: &Result<Answer, Failure>) -> String {
    let head = |code: u8| {
        Object::default().field("command", command).field("ok", code == 0).field("exit_code", code)
    };
    match result {
        Ok(Answer { body: Body::Lines(lines), .. }) => {
            lines.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        }
        Ok(Answer { body: Body::Fields(fields), code, .. }) => {
            let whole = head(*code as u8).fields(fields).field("error", serde_json::Value::Null);
            whole.to_string()
        }
        Err(failure) => {
            let whole = head(failure.code as u8).fields(&failure.partial);
            redact(&whole.object("error", &failure.error()).to_string())
        }
    }
}

/// Formats a table: with lines on a terminal, in plain columns elsewhere.
pub(crate) fn table<const N: usize>(
    title: &str,
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    if io::stdout().is_terminal() {
        table.load_style(presets::UTF8_FULL_CONDENSED);
        // A terminal that reports a very small width probably reports it wrongly.
        if table.width().is_some_and(|width| width >= 40) {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        }
    } else {
        table.load_style(presets::NOTHING);
    }
    table.set_header(header);
    table.add_rows(rows);
    format!("{title}\n{}", table.trim_fmt())
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
    write!(to, "{}{end}", secret::hide(text))?;
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
        let answer = Ok(Answer::new("text", Object::default().field("version", "1")));
        assert_eq!(
            json("current", &answer),
            r#"{"command":"current","ok":true,"exit_code":0,"version":"1","error":null}"#
        );
        let failure = Err(Failure::usage("no such thing"));
        assert_eq!(
            json("new", &failure),
            r#"{"command":"new","ok":false,"exit_code":2,"error":{"kind":"usage","message":"no such thing"}}"#
        );
    }
}
