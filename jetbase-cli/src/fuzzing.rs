//! What `tests/fuzz` calls. It is no part of the public API.

use std::path::Path;

use super::config::Config;
use super::database_address::DatabaseAddress;
use super::secret;

/// Parses the URL of a database, and returns the URL that sqlx gets.
///
/// # Errors
///
/// Returns why the URL cannot be used.
pub fn parsed_url(text: &str) -> Result<String, String> {
    let address = DatabaseAddress::parse(text, Path::new(""))?;
    let _ = address.to_read();
    Ok(address.to_write())
}

/// Hides the passwords of a command line in a text.
#[must_use]
pub fn hidden(arguments: &[&str], text: &str) -> String {
    secret::hidden_in(arguments, text)
}

/// Parses a `jetbase.toml`, and returns all that is said about it.
#[must_use]
pub fn parsed_config(text: &str) -> Vec<String> {
    Config::said_about(text)
}
