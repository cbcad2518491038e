//! What the other statements of a file do, as far as it decides about a warning.

use std::collections::{HashMap, HashSet};

use super::words::{condition, name};

/// What the earlier statements have done, and what the whole file will do.
#[derive(Default)]
pub(super) struct FileContext {
    /// The tables that the file has created, and the materialized views.
    tables: HashSet<String>,
    pub(super) dropped: bool,
    pub(super) emptied: bool,
    /// The tables that the file replaces with a table of its own, which is how SQLite alters a table.
    replaced: HashSet<String>,
    /// How often the file sets each setting.
    settings: HashMap<String, usize>,
    /// The settings that the file resets to their defaults.
    reset: HashSet<String>,
}

impl FileContext {
    /// Collects what the whole file replaces, sets and resets. Nothing is created yet.
    pub(super) fn ahead(all: &[Vec<&str>]) -> Self {
        let (mut ahead, mut so_far) = (FileContext::default(), FileContext::default());
        for words in all {
            match words.as_slice() {
                ["SET", rest @ .., "DEFAULT"] | ["RESET", rest @ ..] => {
                    ahead.reset.insert(setting(rest));
                }
                ["SET", rest @ ..] => *ahead.settings.entry(setting(rest)).or_default() += 1,
                _ => {}
            }
            ahead.replaced.extend(so_far.renamed(words));
            so_far.add(words);
        }
        ahead
    }

    /// Whether the same file created the table that is named here.
    pub(super) fn made(&self, words: &[&str]) -> bool {
        !self.tables.is_empty() && self.tables.contains(&name(words).0)
    }

    /// Whether the same file created all tables of a list.
    pub(super) fn made_all(&self, words: &[&str]) -> bool {
        condition(words).split(|word| *word == ",").all(|it| self.made(it))
    }

    /// Whether the same file creates or replaces all tables of a list.
    pub(super) fn may_drop(&self, words: &[&str]) -> bool {
        let mut tables = condition(words).split(|word| *word == ",");
        tables.all(|it| self.made(it) || self.replaced.contains(&name(it).0))
    }

    /// Whether the file restores a setting.
    ///
    /// PostgreSQL has statements for that. Elsewhere, a file that switches a setting
    /// off for a while, such as `foreign_key_checks`, sets it twice.
    pub(super) fn is_set_back(&self, words: &[&str], postgres: bool) -> bool {
        let setting = setting(words);
        let twice = self.settings.get(&setting).is_some_and(|count| *count > 1);
        self.reset.contains("ALL") || self.reset.contains(&setting) || (twice && !postgres)
    }

    pub(super) fn add(&mut self, words: &[&str]) {
        match words {
            ["CREATE", "MATERIALIZED", "VIEW", rest @ ..] => {
                self.tables.insert(name(rest).0);
            }
            ["CREATE", rest @ ..] => {
                if let Some(at) = rest.iter().position(|word| *word == "TABLE").filter(|at| *at < 4)
                {
                    self.tables.insert(name(rest.get(at + 1..).unwrap_or_default()).0);
                }
            }
            ["ALTER", "TABLE", rest @ ..] => {
                self.dropped |= rest.contains(&"DROP");
                self.tables.extend(self.renamed(words));
            }
            ["DROP", ..] => self.dropped = true,
            ["DELETE" | "TRUNCATE", ..] => self.emptied = true,
            _ => {}
        }
    }

    /// The new name that a table of the file gets.
    fn renamed(&self, words: &[&str]) -> Option<String> {
        let ["ALTER", "TABLE", rest @ ..] = words else { return None };
        match name(rest) {
            (table, ["RENAME", "TO" | "AS", new @ ..]) if self.made(rest) => {
                Some(beside(&table, name(new).0))
            }
            _ => None,
        }
    }
}

/// The new name of a table, which stays in its schema.
fn beside(table: &str, new: String) -> String {
    match table.rsplit_once('.') {
        Some((schema, _)) if !new.contains('.') => format!("{schema}.{new}"),
        _ => new,
    }
}

/// The setting that a SET or RESET is about.
fn setting(words: &[&str]) -> String {
    match words {
        ["SESSION", "AUTHORIZATION", ..] => "SESSION AUTHORIZATION".to_owned(),
        ["TIME", "ZONE", ..] => "TIMEZONE".to_owned(),
        ["SESSION" | "GLOBAL" | "@" | ".", rest @ ..] => setting(rest),
        words => name(words).0,
    }
}
