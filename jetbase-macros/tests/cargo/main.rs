//! What the macro does in programs that cargo builds.
//!
//! - `project`: such a program, in a temporary folder
//! - `input`: folders that hold something odd
//! - `mistakes`: how the errors look to the one who builds
//! - `moment`: what changes while the compiler works
//! - `places`: where a call may stand
//! - `tracking`: whether cargo notices that the folder has changed

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod input;
mod mistakes;
mod moment;
mod places;
mod project;
mod tracking;
