//! The jetbase lock: the row that both tools respect, and the session lock that shows whether its
//! holder is alive.

mod acquire;
mod acquisition;
mod holder;
mod identity;
#[cfg(test)]
mod model;
mod protocol;
mod release;
mod row;
mod scope;
mod side_file;
mod tables;

pub(crate) use self::acquire::{Commits, DoneByOthers};
pub(crate) use self::holder::describe_holder;
pub(crate) use self::identity::is_rust_process_id;
pub(crate) use self::row::read_lock_row;
pub(crate) use self::scope::{LockRequest, WorkError, with_lock, with_lock_unless};
