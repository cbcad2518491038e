//! What the macro does in programs that cargo builds.
//!
//! - `project`: such a program, in a temporary folder
//! - `places`: where a call may stand
//! - `tracking`: whether cargo notices that the folder has changed

#![allow(clippy::unwrap_used, reason = "tests")]

mod places;
mod project;
mod tracking;
