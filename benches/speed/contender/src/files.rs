//! The files as tables of names and texts. `benches/speed/run` writes them.

use crate::MigrationSet;

include!("../../sets/files.rs");

/// The names, such as `V1__table`, and the texts of a set.
#[must_use]
pub fn files(set: MigrationSet) -> &'static [(&'static str, &'static str)] {
    match set {
        MigrationSet::One => ONE,
        MigrationSet::Hundred => HUNDRED,
        MigrationSet::Thousand => THOUSAND,
        MigrationSet::History => HISTORY,
    }
}
