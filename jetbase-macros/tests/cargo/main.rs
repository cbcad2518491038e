//! What the macro does in programs that cargo builds.
//!
//! - `project`: such a program, in a temporary folder
//! - `input`: folders with something odd in them
//! - `mistakes`: the errors in the output of cargo
//! - `concurrent_change`: changes during the build
//! - `call_sites`: calls in every kind of target
//! - `tracking`: whether cargo notices that the folder has changed

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod call_sites;
mod concurrent_change;
mod input;
mod mistakes;
mod project;
mod tracking;
