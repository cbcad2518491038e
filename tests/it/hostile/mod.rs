//! Roles that mean harm, and tables that do not keep what is written to them.

/// What is accepted of tables that others own.
mod accepted;
/// Writes of ours that a table does not keep.
mod forged;
/// Operators and functions of others in the search path.
mod hijack;
/// Rules and triggers that drop or change what is written.
mod lost_writes;
/// A role that may create objects, and what it untrusted_files.
mod mallory;
/// Tables that somebody else has made before us, with code in them.
mod prepared;
/// Locks that look free and cannot be taken.
mod unavailable_lock;
/// All commands of an administrator, one after the other.
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
