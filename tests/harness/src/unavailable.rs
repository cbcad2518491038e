//! Why a test cannot run.

use std::error::Error;
use std::fmt;

/// The variable that names the required programs.
pub(crate) const REQUIRE: &str = "JETBASE_TEST_REQUIRE";

/// Why a test cannot run.
#[derive(Clone, Debug)]
pub enum Unavailable {
    /// A program is not installed. The test is ignored, unless the program is required.
    Missing {
        /// Its name in `JETBASE_TEST_REQUIRE`.
        what: &'static str,
        /// What is missing, and how to install it.
        reason: String,
    },
    /// The test is about another server than this one, with the reason. The test is ignored.
    OtherServer(&'static str),
    /// A program is installed but does not work. The test fails.
    Broken(String),
}

impl Unavailable {
    /// Wraps the error of a program that is installed but does not work.
    pub fn broken(error: impl fmt::Display) -> Self {
        Unavailable::Broken(format!("{error:#}"))
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unavailable::Missing { reason, .. } => f.write_str(reason),
            Unavailable::OtherServer(reason) => f.write_str(reason),
            Unavailable::Broken(message) => f.write_str(message),
        }
    }
}

impl Error for Unavailable {}

/// Whether `JETBASE_TEST_REQUIRE` names this, or `all`.
#[must_use]
pub fn is_required(what: &str) -> bool {
    required().iter().any(|name| name == "all" || name == what)
}

/// The names in `JETBASE_TEST_REQUIRE`.
pub(crate) fn required() -> Vec<String> {
    let names = std::env::var(REQUIRE).unwrap_or_default();
    names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}
