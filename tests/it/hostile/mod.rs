//! Attacks by roles that are not trusted, and tables that lose what is written to them.

/// Tables of other roles that a run accepts.
mod accepted;
/// Writes of jetbase that a table loses.
mod forged;
/// Operators and functions of another role in the search path.
mod hijack;
/// Rules and triggers that lose or change what is written.
mod lost_writes;
/// The attacker: a role that may create objects.
mod mallory;
/// Tables with code that another role created before the first run.
mod prepared;
/// Locks that look free and cannot be acquired.
mod unavailable_lock;
/// The victim: an administrator who runs all commands.
mod victim;

use jetbase_test_harness::{DatabaseKind, Suite};

const POSTGRES: &[DatabaseKind] = &[DatabaseKind::Postgres];

pub(crate) fn register(suite: &mut Suite) {
    hijack::register(suite);
    prepared::register(suite);
    accepted::register(suite);
    forged::register(suite);
    unavailable_lock::register(suite);
}
