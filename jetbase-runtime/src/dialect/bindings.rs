//! Fills the templates: literals and quoted names take the places of placeholders.

use jetbase_core::Dialect;

/// The values of a template's placeholders.
#[derive(Clone, Debug)]
pub(crate) struct Bindings {
    dialect: Dialect,
    values: Vec<(&'static str, String)>,
}

impl Bindings {
    /// Returns the bindings that every template may use. `schema` qualifies the tables.
    pub(crate) fn new(dialect: Dialect, schema: Option<&str>) -> Self {
        let table = |name: &str| match schema {
            Some(schema) => {
                format!("{}.{}", identifier(dialect, schema), identifier(dialect, name))
            }
            None => name.to_owned(),
        };
        let values = vec![
            ("migrations", table("jetbase_migrations")),
            ("lock", table("jetbase_lock")),
            ("superseded", table("jetbase_superseded")),
            ("journal", table("jetbase_journal")),
        ];
        let bindings = Bindings { dialect, values };
        match schema {
            Some(schema) => bindings.identifier("schema", schema),
            None => bindings,
        }
    }

    /// Adds a text, quoted and escaped.
    pub(crate) fn literal(self, name: &'static str, text: &str) -> Self {
        let text = literal(self.dialect, text);
        self.raw(name, text)
    }

    /// Adds a text, or NULL.
    pub(crate) fn literal_or_null(self, name: &'static str, text: Option<&str>) -> Self {
        match text {
            Some(text) => self.literal(name, text),
            None => self.raw(name, "NULL".to_owned()),
        }
    }

    /// Adds a list of texts, or NULL for an empty list.
    pub(crate) fn literals(self, name: &'static str, texts: &[String]) -> Self {
        let list: Vec<_> = texts.iter().map(|text| literal(self.dialect, text)).collect();
        let list = if list.is_empty() { "NULL".to_owned() } else { list.join(", ") };
        self.raw(name, list)
    }

    /// Adds a name, quoted.
    pub(crate) fn identifier(self, name: &'static str, text: &str) -> Self {
        let text = identifier(self.dialect, text);
        self.raw(name, text)
    }

    /// Adds a number.
    pub(crate) fn number(self, name: &'static str, number: i64) -> Self {
        self.raw(name, number.to_string())
    }

    /// Adds an SQL expression that contains placeholders itself. It must not come from a user.
    pub(crate) fn nested(self, name: &'static str, template: &str) -> Self {
        let text = self.render(template);
        self.raw(name, text)
    }

    /// Adds an SQL expression. It must not come from a user.
    pub(crate) fn expression(self, name: &'static str, text: &str) -> Self {
        self.raw(name, text.to_owned())
    }

    /// Exchanges the values of two placeholders.
    pub(crate) fn swapped(self, one: &'static str, other: &'static str) -> Self {
        let text = |name| {
            self.values.iter().find(|(known, _)| *known == name).map(|(_, text)| text.clone())
        };
        match (text(one), text(other)) {
            (Some(first), Some(second)) => self.raw(one, second).raw(other, first),
            _ => self,
        }
    }

    fn raw(mut self, name: &'static str, text: String) -> Self {
        self.values.retain(|(known, _)| *known != name);
        self.values.push((name, text));
        self
    }

    /// Replaces the placeholders in one pass, so that a value is never read as a template.
    pub(crate) fn render(&self, template: &str) -> String {
        let mut text = String::with_capacity(template.len() + 64);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            text.push_str(before);
            match after.split_once('}') {
                Some((name, after)) => {
                    let value = self.values.iter().find(|(known, _)| *known == name);
                    debug_assert!(value.is_some(), "`{{{name}}}` has no value in {template}");
                    text.push_str(value.map_or("NULL", |(_, value)| value));
                    rest = after;
                }
                None => rest = after,
            }
        }
        text.push_str(rest);
        text
    }
}

/// Returns a string literal that means the same under every setting of the server.
fn literal(dialect: Dialect, text: &str) -> String {
    let text = text.replace('\0', "");
    match dialect {
        Dialect::Postgres if text.contains('\\') => {
            format!(" E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
        }
        // `sql_mode` decides what a backslash means, and the character set what other bytes mean.
        // Hexadecimal digits do not depend on either.
        Dialect::MySql if text.contains('\\') || !text.is_ascii() => {
            let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
            format!("_utf8mb4 0x{digits}")
        }
        _ => format!("'{}'", text.replace('\'', "''")),
    }
}

/// Returns a quoted name.
fn identifier(dialect: Dialect, name: &str) -> String {
    let name = name.replace('\0', "");
    match dialect {
        Dialect::MySql => format!("`{}`", name.replace('`', "``")),
        Dialect::Postgres | Dialect::Sqlite => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_never_read_as_templates() {
        let bindings = Bindings::new(Dialect::Postgres, Some("a\"b"))
            .literal("me", "it's {lock} \\")
            .number("key", -1);
        assert_eq!(
            bindings.render("UPDATE {lock} SET x = {me}, y = {key}"),
            r#"UPDATE "a""b"."jetbase_lock" SET x =  E'it''s {lock} \\', y = -1"#
        );
        let bindings = Bindings::new(Dialect::MySql, Some("a`b"))
            .literal("me", "\\'")
            .literal_or_null("v", None);
        assert_eq!(
            bindings.render("{lock} {me} {v}"),
            "`a``b`.`jetbase_lock` _utf8mb4 0x5c27 NULL"
        );
    }
}
