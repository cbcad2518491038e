//! The files of the workspace as tokens.

use std::fs;
use std::path::Path;

use proc_macro2::TokenStream;
use walkdir::WalkDir;

/// A Rust file of the workspace.
pub(crate) struct RustFile {
    /// The path from the root of the workspace, with `/`.
    pub(crate) path: String,
    pub(crate) lines: usize,
    /// The text without comments. The text in a string literal is one token.
    pub(crate) tokens: TokenStream,
}

impl RustFile {
    pub(crate) fn new(path: &str, text: &str) -> RustFile {
        let tokens = text.parse().unwrap_or_else(|error| panic!("{path}: {error}"));
        RustFile { path: path.to_owned(), lines: text.lines().count(), tokens }
    }
}

/// Returns all Rust files of the workspace that are written by hand, sorted by path.
pub(crate) fn workspace() -> Vec<RustFile> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    // `benches/speed/run` writes the folder `sets`.
    let is_source = |name: &str| !matches!(name, "target" | "sets") && !name.starts_with('.');
    WalkDir::new(&root)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || is_source(&entry.file_name().to_string_lossy()))
        .map(Result::unwrap)
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"))
        .map(|entry| {
            let path =
                entry.path().strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/");
            RustFile::new(&path, &fs::read_to_string(entry.path()).unwrap())
        })
        .collect()
}
