//! Directives: comment lines `-- jetbase: key=value` before the first SQL of a file.

use std::fmt;
use std::time::Duration;

use crate::file::name::{trim, trim_start};

/// The keys, in the order of the documentation.
const KEYS: [&str; 5] = ["delimiter", "transaction", "lock_timeout", "statement_timeout", "allow"];

/// One directive of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Directive {
    /// `delimiter=X`: what ends a statement.
    Delimiter(String),
    /// `transaction=off`: the statements run outside a transaction, one by one.
    TransactionOff,
    /// `lock_timeout=3s`: the longest wait for a lock; zero means no limit.
    LockTimeout(Duration),
    /// `statement_timeout=5min`: the longest run of a statement; zero means no limit.
    StatementTimeout(Duration),
    /// `allow=<rule>`: silences one lint for this file.
    Allow(String),
}

/// Whether a file runs inside one transaction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transaction {
    /// The whole file and its history row commit together.
    #[default]
    Whole,
    /// Each statement commits by itself.
    Off,
}

/// The directives of a file, taken together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// Whether the file runs inside a transaction.
    pub transaction: Transaction,
    /// The longest wait for a lock, if the file sets one.
    pub lock_timeout: Option<Duration>,
    /// The longest run of one statement, if the file sets one.
    pub statement_timeout: Option<Duration>,
    /// The lints that the file silences.
    pub allow: Vec<String>,
}

impl Directives {
    pub(crate) fn add(&mut self, directive: Directive) {
        match directive {
            // The script reads the delimiter itself: as in the Python tool, the first one counts.
            Directive::Delimiter(_) => {}
            Directive::TransactionOff => self.transaction = Transaction::Off,
            Directive::LockTimeout(limit) => self.lock_timeout = Some(limit),
            Directive::StatementTimeout(limit) => self.statement_timeout = Some(limit),
            Directive::Allow(rule) => self.allow.push(rule),
        }
    }
}

/// The value of a delimiter directive, read with the pattern of the Python tool.
pub(crate) fn delimiter(line: &str) -> Option<&str> {
    let rest = after_prefix(trim(line))?;
    let value = strip_folded(rest, "delimiter=")?;
    let value = trim(value);
    (!value.is_empty()).then_some(value)
}

/// Reads a line that begins with `-- jetbase:`; `None` for every other line.
pub(crate) fn read(line: &str) -> Option<Result<Directive, DirectiveError>> {
    if let Some(value) = delimiter(line) {
        return Some(Ok(Directive::Delimiter(value.to_owned())));
    }
    let body = trim(after_prefix(trim(line))?);
    let error = |fault| Some(Err(DirectiveError { at: 0, body: body.to_owned(), fault }));
    let Some((key, value)) = body.split_once('=') else { return error(DirectiveFault::Form) };
    let (name, value) = (trim(key).to_ascii_lowercase(), trim(value));
    let limit = |make: fn(Duration) -> Directive| match duration(value) {
        Some(limit) => Some(Ok(make(limit))),
        None => error(DirectiveFault::Duration),
    };
    match name.as_str() {
        "delimiter" => error(DirectiveFault::Form),
        "transaction" if value.eq_ignore_ascii_case("off") => Some(Ok(Directive::TransactionOff)),
        "transaction" => error(DirectiveFault::Transaction),
        "lock_timeout" => limit(Directive::LockTimeout),
        "statement_timeout" => limit(Directive::StatementTimeout),
        "allow" if !value.is_empty() => Some(Ok(Directive::Allow(value.to_owned()))),
        _ => error(DirectiveFault::Unknown),
    }
}

/// What follows `-- jetbase:` in a stripped line.
fn after_prefix(line: &str) -> Option<&str> {
    let rest = strip_folded(trim_start(line.strip_prefix("--")?), "jetbase:")?;
    Some(trim_start(rest))
}

/// Strips a lower-case ASCII prefix. Letters are compared as Python's `re.IGNORECASE` compares them.
fn strip_folded<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let mut rest = text.chars();
    for expected in prefix.chars() {
        let found = match rest.next()? {
            'ſ' => 's',
            'ı' | 'İ' => 'i',
            c => c.to_ascii_lowercase(),
        };
        if found != expected {
            return None;
        }
    }
    Some(rest.as_str())
}

/// Reads a length of time, such as `0`, `250ms`, `3s`, `5min` or `2h`. The longest one is 24 days.
#[must_use]
pub fn duration(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let number: u64 = number.parse().ok()?;
    let factor = match trim(unit).to_ascii_lowercase().as_str() {
        "ms" => 1,
        "s" => 1_000,
        "min" | "m" => 60_000,
        "h" => 3_600_000,
        "" if number == 0 => 0,
        _ => return None,
    };
    // Both servers keep their limits in 31 bits of milliseconds.
    number.checked_mul(factor).filter(|ms| i32::try_from(*ms).is_ok()).map(Duration::from_millis)
}

/// A line that begins like a directive but is not a valid one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectiveError {
    /// Where the line begins, in bytes of the script's text.
    pub at: usize,
    body: String,
    fault: DirectiveFault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum DirectiveFault {
    Form,
    Unknown,
    Transaction,
    Duration,
    OutOfOrder,
}

impl DirectiveError {
    pub(crate) fn late(line: &str) -> Self {
        let body = after_prefix(trim(line)).map(trim).unwrap_or_default();
        DirectiveError { at: 0, body: body.to_owned(), fault: DirectiveFault::OutOfOrder }
    }

    pub(crate) fn at(self, at: usize) -> Self {
        DirectiveError { at, ..self }
    }

    /// Returns what to write instead.
    #[must_use]
    pub fn help(&self) -> String {
        match self.fault {
            DirectiveFault::Form => {
                "write `-- jetbase: key=value`, without spaces before `=`".to_owned()
            }
            DirectiveFault::Transaction => {
                "write `transaction=off`, or delete the line, because a transaction is the default"
                    .to_owned()
            }
            DirectiveFault::Duration => {
                "write a number and a unit, such as `250ms`, `3s`, `5min` or `2h`, or write `0` for no limit"
                    .to_owned()
            }
            DirectiveFault::OutOfOrder => {
                "move the line above the first SQL of the file".to_owned()
            }
            DirectiveFault::Unknown => {
                let key = self.body.split('=').next().map(trim).unwrap_or_default();
                match similar(key, &KEYS) {
                    Some(close) => format!("did you mean `{close}`? the directives are {}", list(&KEYS)),
                    None => format!("the directives are {}", list(&KEYS)),
                }
            }
        }
    }
}

impl fmt::Display for DirectiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.body.escape_debug();
        match self.fault {
            DirectiveFault::Form => {
                write!(f, "the directive `{body}` does not have the form `key=value`")
            }
            DirectiveFault::Unknown => write!(f, "`{body}` is not a directive of jetbase"),
            DirectiveFault::Transaction => write!(f, "`{body}` is not `transaction=off`"),
            DirectiveFault::Duration => write!(f, "`{body}` is not a duration"),
            DirectiveFault::OutOfOrder => {
                write!(
                    f,
                    "the directive `{body}` has no effect, because it is after the first SQL of the file"
                )
            }
        }
    }
}

impl std::error::Error for DirectiveError {}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// Longer words resemble no candidate, and a comparison takes long.
const LONGEST: usize = 64;

/// Returns the candidate that is most similar to a mistyped word, if one is similar enough.
#[must_use]
pub fn similar<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    if word.len() > LONGEST {
        return None;
    }
    let score =
        |candidate: &str| strsim::damerau_levenshtein(&word.to_ascii_lowercase(), candidate);
    let nearest = candidates.iter().copied().min_by_key(|candidate| score(candidate))?;
    (score(nearest) <= 1 + nearest.len() / 4).then_some(nearest)
}
