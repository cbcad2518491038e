//! The answer of a command: text for people, an object for programs, a code for scripts.

use std::fmt;
use std::process::ExitCode;

use serde_json::Value;

/// The exit codes, as `--help` documents them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Code {
    #[default]
    Done = 0,
    Failed = 1,
    Usage = 2,
    Pending = 10,
    Drift = 11,
    Locked = 12,
    Interrupted = 130,
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        ExitCode::from(code as u8)
    }
}

/// The answer of a command that has succeeded.
#[derive(Debug, Default)]
pub(crate) struct Answer {
    /// The result as text, for standard output.
    pub(crate) text: String,
    /// Notes for standard error.
    pub(crate) notes: Vec<String>,
    /// The result as JSON, for programs.
    pub(crate) body: Body,
    pub(crate) code: Code,
}

/// The result of a command under `--json`.
#[derive(Debug)]
pub(crate) enum Body {
    /// Fields next to `command`, `ok`, `exit_code` and `error`.
    Fields(Object),
    /// Separate objects, one per line.
    Lines(Vec<Object>),
}

impl Default for Body {
    fn default() -> Self {
        Body::Fields(Object::default())
    }
}

impl Answer {
    pub(crate) fn new(text: impl Into<String>, fields: Object) -> Self {
        Answer { text: text.into(), body: Body::Fields(fields), ..Answer::default() }
    }

    pub(crate) fn code(self, code: Code) -> Self {
        Answer { code, ..self }
    }

    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

/// A JSON object that keeps the order of its fields.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object(String);

impl Object {
    pub(crate) fn field(self, key: &str, value: impl Into<Value>) -> Self {
        self.raw(key, &value.into().to_string())
    }

    pub(crate) fn object(self, key: &str, value: &Object) -> Self {
        self.raw(key, &value.to_string())
    }

    pub(crate) fn list(self, key: &str, values: impl IntoIterator<Item = Object>) -> Self {
        let values: Vec<_> = values.into_iter().map(|value| value.to_string()).collect();
        self.raw(key, &format!("[{}]", values.join(",")))
    }

    pub(crate) fn fields(mut self, other: &Object) -> Self {
        if !self.0.is_empty() && !other.0.is_empty() {
            self.0.push(',');
        }
        self.0.push_str(&other.0);
        self
    }

    fn raw(mut self, key: &str, value: &str) -> Self {
        let separator = if self.0.is_empty() { "" } else { "," };
        self.0.push_str(&format!("{separator}{}:{value}", Value::from(key)));
        self
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.0)
    }
}

/// Turns a sentence fragment of the library into a sentence.
pub(crate) fn sentence(text: &str) -> String {
    let word = text.split([' ', ',', ':', ';']).next().unwrap_or_default();
    let mut sentence = match word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        true => text
            .char_indices()
            .map(|(at, c)| if at == 0 { c.to_ascii_uppercase() } else { c })
            .collect(),
        false => text.to_owned(),
    };
    if sentence.ends_with(|c: char| c.is_alphanumeric() || matches!(c, ')' | '`' | '"' | '\'')) {
        sentence.push('.');
    }
    sentence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_keeps_its_order_and_is_json() {
        let inner = Object::default().field("line", 3).field("sql", "SELECT '\"\n'");
        let object = Object::default()
            .field("z", Value::Null)
            .list("a", [inner.clone(), Object::default()])
            .fields(&Object::default().field("m", true))
            .object("o", &inner);
        let text = object.to_string();
        assert_eq!(
            text,
            r#"{"z":null,"a":[{"line":3,"sql":"SELECT '\"\n'"},{}],"m":true,"o":{"line":3,"sql":"SELECT '\"\n'"}}"#
        );
        assert!(serde_json::from_str::<Value>(&text).is_ok());
    }

    #[test]
    fn fragments_become_sentences() {
        for (fragment, whole) in [
            ("the lock was free", "The lock was free."),
            ("version 1 (a) is gone", "Version 1 (a) is gone."),
            ("a.sql is gone", "a.sql is gone."),
            ("V1__a.sql: no!", "V1__a.sql: no!"),
            ("", ""),
        ] {
            assert_eq!(sentence(fragment), whole);
        }
    }
}
