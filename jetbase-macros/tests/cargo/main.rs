//! What the macro does in programs that cargo builds.
//!
//! - `project`: such a program, in a temporary folder
//! - `input`: folders with something odd in them
//! - `mistakes`: the errors in the output of cargo
//! - `moment`: changes during the build
//! - `places`: calls in every kind of target
//! - `tracking`: whether cargo notices that the folder has changed

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod input;
mod mistakes;
mod moment;
mod places;
mod project;
mod tracking;
