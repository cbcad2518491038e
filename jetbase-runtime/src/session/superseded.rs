//! The table of texts that newer ones have replaced.

use super::Session;
use crate::connection::Cause;
use crate::error::Error;

impl Session<'_> {
    /// Reads which texts of `ROC__` files were replaced by newer ones. Without the table, there are
    /// none.
    pub(crate) async fn superseded(&mut self) -> Result<Vec<(String, String)>, Error> {
        let guard = self.sql.guard_superseded_reading;
        let sent = self.send_template(self.sql.read_settings, guard, self.sql.superseded).await;
        if sent.as_ref().is_err_and(|failure| self.lacks_superseded(&failure.cause)) {
            return Ok(Vec::new());
        }
        let sets = sent.map_err(Error::during("reading jetbase_superseded"))?;
        let rows = sets.into_iter().flat_map(|set| set.rows);
        Ok(rows
            .map(|row| (row.text("filename").to_owned(), row.text("checksum").to_owned()))
            .collect())
    }

    /// Creates the table for replaced texts. Without the right to do so, an old program behaves
    /// like the Python tool.
    pub(crate) async fn create_superseded(&mut self) -> Result<(), Error> {
        match self.write(self.sql.create_superseded).await {
            Ok(_) => self.has_superseded = true,
            Err(failure) if self.lacks_superseded(&failure.cause) => {}
            Err(failure) => return Err(Error::during("creating jetbase_superseded")(failure)),
        }
        // Another process may have created it just before.
        self.read_new_tables().await
    }

    /// Whether the table for replaced texts does not exist, or this user may not use it.
    fn lacks_superseded(&self, cause: &Cause) -> bool {
        let code = cause.code.as_str();
        let right = matches!(code, "42501" | "25006" | "1142" | "1044" | "1227" | "1290" | "8");
        right || self.sql.no_table.contains(&code)
    }
}
