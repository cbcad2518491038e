//! The tools whose folders and histories jetbase can adopt, and how their files are named.

use std::fmt;
use std::str::FromStr;

/// A migration tool whose folder and history `jetbase adopt` takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OldTool {
    /// sqlx: `sqlx::migrate!` and `sqlx migrate`.
    Sqlx,
    /// refinery.
    Refinery,
    /// Diesel.
    Diesel,
    /// Flyway.
    Flyway,
    /// SeaORM, with the statements in SQL files.
    SeaOrm,
}

impl OldTool {
    /// All tools.
    pub const ALL: [OldTool; 5] =
        [OldTool::Sqlx, OldTool::Refinery, OldTool::Diesel, OldTool::Flyway, OldTool::SeaOrm];

    /// Returns the word for the tool in commands and options, such as `sea-orm-sql`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            OldTool::Sqlx => "sqlx",
            OldTool::Refinery => "refinery",
            OldTool::Diesel => "diesel",
            OldTool::Flyway => "flyway",
            OldTool::SeaOrm => "sea-orm-sql",
        }
    }

    /// Returns the name of the tool in a sentence.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            OldTool::Sqlx => "sqlx",
            OldTool::Refinery => "refinery",
            OldTool::Diesel => "Diesel",
            OldTool::Flyway => "Flyway",
            OldTool::SeaOrm => "SeaORM",
        }
    }

    /// Returns the name of the table in which the tool records its migrations.
    #[must_use]
    pub const fn table(self) -> &'static str {
        match self {
            OldTool::Sqlx => "_sqlx_migrations",
            OldTool::Refinery => "refinery_schema_history",
            OldTool::Diesel => "__diesel_schema_migrations",
            OldTool::Flyway => "flyway_schema_history",
            OldTool::SeaOrm => "seaql_migrations",
        }
    }
}

impl fmt::Display for OldTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.title())
    }
}

impl FromStr for OldTool {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        OldTool::ALL.into_iter().find(|tool| tool.word() == word).ok_or(())
    }
}

/// Returns the tool that names a file like this, if jetbase would not accept the name.
///
/// The path is relative to the folder of migrations. A folder can mix names, so this is a guess for a
/// message, not a decision.
pub(crate) fn old_tool_of(path: &str) -> Option<OldTool> {
    let (parents, file) = path.rsplit_once('/').unwrap_or(("", path));
    let parent = parents.rsplit('/').next().unwrap_or_default();
    let digits = |text: &str| {
        text.len() > 3 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
    };
    let before = |text: &str| text.split_once('_').map(|(version, _)| version.to_owned());
    if matches!(file, "up.sql" | "down.sql") {
        return match before(parent) {
            Some(version) if digits(&version) => Some(OldTool::Diesel),
            Some(version) if is_sea_orm_date(&version) => Some(OldTool::SeaOrm),
            _ => None,
        };
    }
    let stem = file.strip_suffix(".sql")?;
    let version = before(stem)?;
    let direction = stem.ends_with(".up") || stem.ends_with(".down");
    let is_number = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
    if is_sea_orm_date(&version) {
        return Some(OldTool::SeaOrm);
    }
    if is_number && (direction || digits(&version)) {
        return Some(OldTool::Sqlx);
    }
    let (prefix, _) = stem.split_once("__")?;
    match prefix.split_at_checked(1)? {
        ("R", "") => Some(OldTool::Flyway),
        ("U" | "B", rest) if rest.starts_with(|c: char| c.is_ascii_digit()) => {
            Some(OldTool::Flyway)
        }
        _ => None,
    }
}

/// Whether a word is the date in a name of SeaORM, such as `m20220101`.
pub(crate) fn is_sea_orm_date(word: &str) -> bool {
    let digits = word.strip_prefix('m').unwrap_or_default();
    digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_other_tools_are_recognised() {
        for (path, tool) in [
            ("20240201120000_create_posts.down.sql", Some(OldTool::Sqlx)),
            ("20240201120000_create_posts.sql", Some(OldTool::Sqlx)),
            ("1_a.up.sql", Some(OldTool::Sqlx)),
            ("4-d.sql", None),
            ("2024-01-01-000000_users/up.sql", Some(OldTool::Diesel)),
            ("00000000000000_diesel_initial_setup/down.sql", Some(OldTool::Diesel)),
            ("m20220101_000001_posts.up.sql", Some(OldTool::SeaOrm)),
            ("m20220101_000001_posts/down.sql", Some(OldTool::SeaOrm)),
            ("R__views.sql", Some(OldTool::Flyway)),
            ("U1__a.sql", Some(OldTool::Flyway)),
            ("B5__base.sql", Some(OldTool::Flyway)),
            ("seed.sql", None),
            ("up.sql", None),
        ] {
            assert_eq!(old_tool_of(path), tool, "{path}");
        }
    }
}
