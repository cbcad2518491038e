use std::fs;
use std::path::Path;

use crate::TestError;

/// The README of the project.
#[derive(Debug)]
pub struct Readme {
    /// Its whole text.
    pub text: String,
}

impl Readme {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read.
    pub fn read() -> Result<Readme, TestError> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
        Ok(Readme { text: fs::read_to_string(file)? })
    }

    /// Returns the text between two texts.
    ///
    /// # Errors
    ///
    /// Fails if one of them is missing.
    pub fn text_after(&self, before: &str, end: &str) -> Result<&str, TestError> {
        let after = self.text.split_once(before).ok_or_else(|| format!("no `{before}`"))?.1;
        Ok(after.split_once(end).ok_or_else(|| format!("no `{end}` after `{before}`"))?.0)
    }

    /// Returns the first block of code after a text.
    ///
    /// # Errors
    ///
    /// Fails if there is none.
    pub fn block_after(&self, before: &str) -> Result<String, TestError> {
        let after = self.text.split_once(before).ok_or_else(|| format!("no `{before}`"))?.1;
        let block = after.split_once("```").and_then(|it| it.1.split_once('\n'));
        let block = block.and_then(|it| it.1.split_once("```"));
        Ok(block.ok_or_else(|| format!("no block after `{before}`"))?.0.to_owned())
    }
}
