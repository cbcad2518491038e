//! The fuzz targets: each takes any bytes and panics if jetbase treats them wrongly.
//!
//! `tests/properties.rs` runs them with proptest on stable Rust. `cargo-fuzz` is a workspace of its own,
//! which runs the same functions with libFuzzer on nightly Rust.

mod config;
mod corpus;
mod cutting;
mod list;
mod names;
mod python;
mod scripts;
mod urls;

pub use corpus::{corpus, fragments};
pub use python::{PythonReader, find_interpreter};

/// A fuzz target.
#[derive(Clone, Copy, Debug)]
pub struct FuzzTarget {
    /// Its name, which is also that of its folder in `corpus`.
    pub name: &'static str,
    /// Panics if jetbase treats the bytes wrongly.
    pub body: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [FuzzTarget; 6] = [
    FuzzTarget { name: "names", body: names::names },
    FuzzTarget { name: "scripts", body: scripts::scripts },
    FuzzTarget { name: "cutting", body: cutting::cutting },
    FuzzTarget { name: "list", body: list::list },
    FuzzTarget { name: "urls", body: urls::urls },
    FuzzTarget { name: "config", body: config::config },
];

/// Runs the target of this name.
///
/// # Panics
///
/// Panics if jetbase treats the bytes wrongly, or if there is no such target.
pub fn run(name: &str, data: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.unwrap_or_else(|| panic!("there is no target {name}")).body)(data);
}
