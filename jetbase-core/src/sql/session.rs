//! What a statement leaves in the database session that it runs in.
//!
//! A session lasts longer than a file. The next file finds what this file leaves
//! in it: settings, temporary tables, locks, prepared statements. The tokens of
//! a statement show whether it can leave anything.

mod calls;
mod functions;
mod head;
mod scan;
mod session_effect;

use self::scan::Scan;
pub use self::session_effect::SessionEffect;
use crate::sql::dialect::Syntax;
use crate::sql::statements::parts;

/// Returns what a statement leaves in its session, as far as its tokens show it.
///
/// `SET LOCAL` counts as a setting: the rest of its transaction runs under it.
/// A text of several statements has the strongest effect of them.
#[must_use]
pub fn session_effect(sql: &str, syntax: Syntax) -> SessionEffect {
    let effects = parts(sql, syntax).into_iter().map(|part| Scan::of(part, syntax).effect);
    effects.max().unwrap_or(SessionEffect::Nothing)
}

/// Returns whether a statement reads what an earlier statement may have left in the
/// session: a variable of the user, the last identity or sequence value, or the
/// number of rows.
#[must_use]
pub fn reads_session(sql: &str, syntax: Syntax) -> bool {
    parts(sql, syntax).into_iter().any(|part| Scan::of(part, syntax).reads)
}

#[cfg(test)]
mod read_tests;
#[cfg(test)]
mod tests;
