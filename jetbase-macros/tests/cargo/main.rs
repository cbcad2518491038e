//! The macro in programs that cargo builds.
//!
//! - `project`: a program in a temporary folder
//! - `input`: unusual folders
//! - `mistakes`: the errors in the output of cargo
//! - `concurrent_change`: files that change during the build
//! - `call_sites`: calls in every kind of target of cargo
//! - `default_dialect`: the driver of the program is the dialect of its files
//! - `tracking`: whether cargo notices that the folder has changed

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod call_sites;
mod concurrent_change;
mod default_dialect;
mod input;
mod mistakes;
mod project;
mod tracking;
