//! What a statement leaves in the database session that it runs in.
//!
//! A session lasts longer than a file. The next file finds what this file leaves
//! in it: settings, temporary tables, locks, prepared statements. The tokens of
//! a statement show whether it can leave anything.

mod calls;
mod functions;
mod head;
mod own_session;
mod scan;
mod session_effect;

pub use self::own_session::{
    OwnSession, TableLocks, empties_session, mentions_trigger, needs_own_session, table_locks,
};
use self::scan::Scan;
pub use self::session_effect::{SessionEffect, SessionUse};
use crate::sql::statements::Statement;

/// Returns how a statement uses its session, as far as its tokens show it.
///
/// `SET LOCAL` counts as a setting: the rest of its transaction runs under it.
/// A text of several statements has the strongest effect of them.
#[must_use]
pub fn session_use(statement: &Statement<'_>) -> SessionUse {
    let dialect = statement.syntax.dialect;
    let uses = statement.parts().map(|part| Scan::of(&part.to_vec(), dialect).session_use());
    uses.fold(SessionUse::default(), SessionUse::and)
}

#[cfg(test)]
mod read_tests;
#[cfg(test)]
mod tests;
