//! Detects a program whose embedded set differs from its folder: in debug builds, and in the
//! generated test.

use std::path::Path;

use jetbase_core::{Folder, Migrations};

/// In debug builds, returns a warning if the folder has changed since it was embedded.
pub(crate) fn warning(set: &Migrations) -> Option<String> {
    if cfg!(debug_assertions) { compare_with_folder(set).err() } else { None }
}

/// Compares an embedded set with its folder. It is `Ok` if the folder does not exist.
///
/// # Errors
///
/// Returns one sentence that names what differs.
#[doc(hidden)]
pub fn compare_with_folder(set: &Migrations) -> Result<(), String> {
    let Some(folder) = set.options().folder.map(Path::new).filter(|folder| folder.is_dir()) else {
        return Ok(());
    };
    let differences = set.differences(&Folder::read(folder));
    if differences.is_empty() { Ok(()) } else { Err(differences.to_string()) }
}
