//! `inspect`: shows how files are read.

use std::fs;
use std::path::Path;

use jetbase_core::{Dialect, Finding, Name, Script, Section, Statement, Syntax, check};

use super::command_error::io_reason;
use super::command_output::{CommandOutput, JsonFormat};
use super::exit::Exit;
use super::json::{ContentsJson, InspectJson, StatementJson, list};
use super::options::InspectArgs;
use super::printer::Printer;
use super::query::version_or_kind;

pub(crate) fn inspect(printer: Printer, args: &InspectArgs) -> CommandOutput {
    let files: Vec<_> = args.files.iter().map(|file| read(file, args.dialect)).collect();
    let unread = files.iter().any(|it| it.contents.is_none() && it.is_unreadable());
    let text: Vec<_> = files.iter().map(InspectedFile::to_string).collect();
    for finding in files.iter().flat_map(|it| &it.findings) {
        printer.finding(finding, "");
    }
    CommandOutput {
        text: text.join("\n\n"),
        json: JsonFormat::Lines(files.into_iter().map(InspectedFile::into_json).collect()),
        exit: if unread { Exit::Failed } else { Exit::Done },
        ..CommandOutput::default()
    }
}

/// A file as jetbase reads it.
struct InspectedFile {
    /// The path as it was given.
    file: String,
    name: Option<Name>,
    contents: Option<ContentsJson>,
    findings: Vec<Finding>,
}

fn read(path: &Path, dialect: Option<Dialect>) -> InspectedFile {
    let file = path.display().to_string();
    let base = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let mut findings = Vec::new();
    let name = Name::parse(&base);
    let name = name.map_err(|error| {
        let finding = Finding::error("name", &file, error.to_string());
        findings.push(match error.suggestion() {
            Some(name) => finding.help(format!("rename it, for example to `{name}`")),
            None => finding,
        });
    });
    let contents = match fs::read(path) {
        Err(error) => {
            let why = io_reason(&error);
            findings.push(Finding::error(UNREADABLE, &file, format!("cannot be read: {why}")));
            None
        }
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Some(contents(&file, &text, dialect, &mut findings)),
            Err(error) => {
                let text = String::from_utf8_lossy(error.as_bytes());
                let at = error.utf8_error().valid_up_to();
                let finding =
                    Finding::error("encoding", &file, "the file is not UTF-8 from here on");
                findings.push(finding.at(&text, at, 1).help("save it as UTF-8"));
                readable(error.as_bytes(), at).map(|text| {
                    let upgrade = contents(&file, text, dialect, &mut findings);
                    ContentsJson { rollback: Vec::new(), ..upgrade }
                })
            }
        },
    };
    InspectedFile { file, name: name.ok(), contents, findings }
}

/// How many bytes the Python tool decodes at a time.
const CHUNK: usize = 8192;

/// Returns what the Python tool reads of a file for its checksum: up to the chunk that contains the
/// line `-- rollback`. Invalid bytes after that chunk do not matter.
fn readable(bytes: &[u8], valid: usize) -> Option<&str> {
    let chunks = bytes.get(..valid / CHUNK * CHUNK)?;
    let valid = std::str::from_utf8(chunks).map_or_else(|error| error.valid_up_to(), str::len);
    let text = std::str::from_utf8(chunks.get(..valid)?).ok()?;
    let script = Script::read(text);
    let rollback = script.range(Section::Rollback)?;
    script.text().get(..rollback.start)?.ends_with('\n').then_some(text)
}

const UNREADABLE: &str = "unreadable";

fn contents(
    file: &str,
    text: &str,
    dialect: Option<Dialect>,
    findings: &mut Vec<Finding>,
) -> ContentsJson {
    let script = Script::read(text);
    let syntaxes: Vec<Syntax> = match dialect {
        Some(dialect) => vec![Syntax::of(dialect)],
        None => Dialect::ALL.map(Syntax::of).to_vec(),
    };
    // Without a dialect, the one with the fewest findings against the file is used.
    let checked = syntaxes.iter().map(|syntax| check(file, &script, &[*syntax]));
    let best = checked.min_by_key(|checked| checked.findings.len());
    let lines = |section| {
        let statements = best.as_ref().map(|best| best.statements(section));
        lines(&script, section, statements.unwrap_or_default())
    };
    let (upgrade, rollback) = (lines(Section::Upgrade), lines(Section::Rollback));
    findings.extend(check(file, &script, &syntaxes).findings);
    ContentsJson {
        delimiter: Some(script.delimiter().to_owned()),
        checksum: Some(script.checksum().to_string()),
        upgrade,
        rollback,
    }
}

fn lines(
    script: &Script<'_>,
    section: Section,
    statements: &[Statement<'_>],
) -> Vec<StatementJson> {
    let start = script.range(section).map_or(0, |range| range.start);
    let mut at = 0;
    let mut line = 1;
    let statements = statements.iter().map(|statement| {
        // Count the line ends since the last statement only, not from the top again.
        let offset = start + statement.start;
        line += script.text().get(at..offset).map_or(0, |text| text.matches('\n').count());
        at = offset;
        StatementJson { line, sql: statement.sql.to_owned() }
    });
    statements.collect()
}

impl InspectedFile {
    fn is_unreadable(&self) -> bool {
        self.findings.iter().any(|finding| finding.rule == UNREADABLE)
    }

    /// Returns the documented object for this file.
    fn into_json(self) -> InspectJson {
        let InspectedFile { file, name, contents, findings } = self;
        InspectJson {
            file,
            valid_name: name.is_some(),
            kind: name.as_ref().map(|name| name.kind.as_str()),
            version: name.as_ref().and_then(|name| name.version.as_ref()).map(ToString::to_string),
            description: name.map(|name| name.description),
            contents: contents.unwrap_or_default(),
            findings: list(&findings),
        }
    }
}

impl std::fmt::Display for InspectedFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(name) = &self.name {
            let shown = version_or_kind(name.version.as_ref(), name.kind);
            write!(f, "\n  version      {shown}\n  description  {}", name.description)?;
        }
        let Some(contents) = &self.contents else { return Ok(()) };
        if let Some(checksum) = &contents.checksum {
            write!(f, "\n  checksum     {checksum}")?;
        }
        if let Some(delimiter) = contents.delimiter.as_deref().filter(|it| *it != ";") {
            write!(f, "\n  delimiter    {delimiter}")?;
        }
        for (title, lines) in [("upgrade", &contents.upgrade), ("rollback", &contents.rollback)] {
            write!(f, "\n  {title}: {}", lines.len())?;
            for it in lines {
                let first = it.sql.lines().next().unwrap_or_default();
                let more = if it.sql.lines().nth(1).is_some() { " …" } else { "" };
                write!(f, "\n  {:>5}  {first}{more}", it.line)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inspected(name: &str, text: &[u8]) -> serde_json::Value {
        let folder = std::env::temp_dir().join(format!("jetbase-inspect-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join(name);
        fs::write(&path, text).unwrap();
        let object = serde_json::to_string(&read(&path, None).into_json()).unwrap();
        fs::remove_file(&path).unwrap();
        let mut value: serde_json::Value = serde_json::from_str(&object).unwrap();
        assert_eq!(value["file"], path.display().to_string());
        value["file"] = serde_json::Value::Null;
        value
    }

    #[test]
    fn lines_are_those_of_the_file() {
        let text = b"-- upgrade\n\nCREATE TABLE a (\r\n  id INT\r\n);\n-- note\nSELECT 1;\n-- rollback\n\nDROP TABLE a;\n";
        let value = inspected("V1_2__a_b.sql", text);
        assert_eq!(value["kind"], "VERSIONED");
        assert_eq!(value["version"], "1.2");
        assert_eq!(value["description"], "a b");
        assert_eq!(value["delimiter"], ";");
        assert_eq!(value["upgrade"][0]["line"], 3);
        assert_eq!(value["upgrade"][0]["sql"], "CREATE TABLE a (\n  id INT\n)");
        assert_eq!(value["upgrade"][1]["line"], 7);
        assert_eq!(value["rollback"][0]["line"], 10);
        assert_eq!(value["findings"].as_array().unwrap().len(), 0);
    }

    #[test]
    fn a_bad_name_still_shows_its_contents() {
        let value = inspected("seed.sql", b"SELECT 1;\nSELECT 2\n");
        assert_eq!(value["valid_name"], false);
        assert!(value["kind"].is_null() && value["version"].is_null());
        assert_eq!(value["checksum"].as_str().unwrap().len(), 64);
        assert_eq!(value["upgrade"].as_array().unwrap().len(), 2);
        let rules: Vec<_> =
            value["findings"].as_array().unwrap().iter().map(|it| it["rule"].clone()).collect();
        assert_eq!(rules, ["name", "unterminated"]);
    }

    #[test]
    fn other_bytes_have_no_checksum() {
        let value = inspected("RA__x.sql", b"SELECT '\xff';\n");
        assert_eq!(value["kind"], "RUNS_ALWAYS");
        assert!(value["checksum"].is_null());
        assert_eq!(value["findings"][0]["line"], 1);
        assert_eq!(value["findings"][0]["column"], 9);
        let far = format!("SELECT 1;\n-- rollback\n{}\n", "SELECT 2;\n".repeat(1000));
        let value = inspected("RA__y.sql", &[far.as_bytes(), b"\xff"].concat());
        assert_eq!(value["checksum"].as_str().unwrap().len(), 64);
        assert_eq!(value["findings"][0]["rule"], "encoding");
    }
}
