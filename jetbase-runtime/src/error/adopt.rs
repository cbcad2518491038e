//! The history of another tool cannot be adopted.

use std::fmt;

use jetbase_core::{AdoptError, AdoptMapError, OldTool};

/// Why the history of another tool cannot be adopted. Nothing was written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AdoptionError {
    /// The table of the old tool, the map and the files contradict each other.
    Differs(AdoptError),
    /// The map cannot be read.
    Map(AdoptMapError),
    /// The database has no table of the old tool.
    NoTable {
        /// The old tool.
        tool: OldTool,
        /// The schema that was searched.
        schema: String,
    },
    /// The database also has the table of another tool.
    TwoTools {
        /// The old tool.
        tool: OldTool,
        /// The other tool.
        other: OldTool,
    },
    /// The table of the old tool is in another schema (PostgreSQL).
    OtherSchema {
        /// The old tool.
        tool: OldTool,
        /// The schema of its table.
        found: String,
        /// The schema in which the run works.
        schema: String,
    },
    /// The table of the old tool has another name.
    OtherName {
        /// The old tool.
        tool: OldTool,
        /// The name of its table.
        found: String,
    },
    /// The old tool has held its own lock for longer than the run may wait.
    Busy {
        /// The old tool.
        tool: OldTool,
    },
}

impl fmt::Display for AdoptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AdoptionError::Differs(error) => error.fmt(f),
            AdoptionError::Map(error) => {
                write!(f, "the map beside the folder cannot be read: {error}")
            }
            AdoptionError::NoTable { tool, schema } => write!(
                f,
                "there is no table {} of {tool} in `{schema}`, so there is no history to adopt; correct the URL or the \
                 schema, or run `jetbase upgrade` on an empty database",
                tool.table()
            ),
            AdoptionError::TwoTools { tool, other } => write!(
                f,
                "this database has the table {} of {tool} and the table {} of {other}, so it is not clear which of the \
                 two histories counts; nothing was written; rename the table that does not count, and run again",
                tool.table(),
                other.table()
            ),
            AdoptionError::OtherSchema { tool, found, schema } => write!(
                f,
                "the table {} of {tool} is in the schema `{found}`, but this run works in `{schema}`; nothing was \
                 written; name the schema `{found}` with `schema`, or drop the table if it does not count",
                tool.table()
            ),
            AdoptionError::OtherName { tool, found } => write!(
                f,
                "the table `{found}` looks like the history of {tool}, but {tool} calls its table {0}; nothing was \
                 written; if it is the history, run CREATE TABLE {0} AS SELECT * FROM {found}, and run again",
                tool.table()
            ),
            AdoptionError::Busy { tool } => write!(
                f,
                "{tool} is migrating this database and has not finished within the wait; nothing was written; run again \
                 when it has finished"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_of_an_adoption_says_what_to_do() {
        let map = jetbase_core::AdoptMap::parse("").unwrap_err();
        for (error, text) in [
            (
                AdoptionError::Map(map),
                "the map beside the folder cannot be read: line 1 is not a line that `jetbase adopt` writes; restore the \
                 map from version control, or convert the old folder again",
            ),
            (
                AdoptionError::NoTable { tool: OldTool::Diesel, schema: "public".to_owned() },
                "there is no table __diesel_schema_migrations of Diesel in `public`, so there is no history to adopt; \
                 correct the URL or the schema, or run `jetbase upgrade` on an empty database",
            ),
            (
                AdoptionError::Busy { tool: OldTool::Sqlx },
                "sqlx is migrating this database and has not finished within the wait; nothing was written; run again \
                 when it has finished",
            ),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }
}
