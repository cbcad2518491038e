//! Cancels the statement that the database executes, when the run must stop at once.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use jetbase_core::Dialect;

use super::Session;
use crate::cancel::Cancel;
use crate::connection::{Cause, Connection, End, ResultSet, RowHandling, SendFailure, send_within};
use crate::target::{ConnectionOwner, Reconnect};

/// How long the database may take to end a cancelled statement. It may have to undo much.
const STOP_WITHIN: Duration = Duration::from_secs(30);

/// How long one request over the second connection may take.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);

/// The pause after the first request. It doubles after each request, up to the longest pause.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How often a statement is sent that a late request to cancel could hit.
const LATE_REQUESTS: u32 = 5;

/// Cancels the statement of the session that holds the run's session lock. No other program has that
/// lock, so none of its statements is cancelled.
struct ServerCancel {
    reconnect: Reconnect,
    connection: Option<Box<dyn Connection>>,
    dialect: Dialect,
    /// The message that finds the session. On PostgreSQL, it cancels the statement too.
    request: String,
}

impl ServerCancel {
    /// Sends one request. Its connection stays open for the next one.
    async fn request(&mut self) -> Result<(), Cause> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => (self.reconnect)(REQUEST_WITHIN).await?,
        };
        let limit = Some(REQUEST_WITHIN);
        let sets =
            send_within(connection.as_mut(), &self.request, RowHandling::Keep, limit).await?;
        let session = sets.last().and_then(ResultSet::value);
        if self.dialect == Dialect::MySql
            && let Some(id) = session.and_then(|id| id.parse::<u64>().ok())
        {
            let kill = format!("KILL QUERY {id}");
            send_within(connection.as_mut(), &kill, RowHandling::Drop, limit).await?;
        }
        self.connection = Some(connection);
        Ok(())
    }

    async fn close(self) {
        if let Some(connection) = self.connection {
            connection.finish(End::Close).await;
        }
    }
}

impl Session<'_> {
    /// Lets a request end the statements of the files.
    pub(crate) async fn allow_interrupts(&mut self, cancel: &Cancel) {
        self.cancel = cancel.clone();
        if cancel.has_handle() {
            self.connection.interrupt_with(Some(cancel.clone())).await;
        }
    }

    /// Takes back what [`Session::allow_interrupts`] has set.
    pub(super) async fn refuse_interrupts(&mut self) {
        if self.cancel.has_handle() {
            self.connection.interrupt_with(None).await;
        }
    }

    /// Sends a text of a file unchanged, and drops its rows. If the run must stop at once, the
    /// database is asked to end what it executes.
    pub(crate) async fn execute_until_cancelled(
        &mut self,
        sql: &str,
    ) -> Result<Vec<ResultSet>, SendFailure> {
        if !self.cancel.has_handle() {
            return self.execute(sql).await;
        }
        let cancel = self.cancel.clone();
        let mut server = self.server_cancel();
        let is_lent = self.owner == ConnectionOwner::Caller && self.dialect != Dialect::Sqlite;
        let result = {
            let sent = self.connection.send(sql, RowHandling::Drop);
            let mut sent = match select(sent, pin!(cancel.at_once())).await {
                Either::Left((result, _)) => return result,
                Either::Right(((), sent)) => sent,
            };
            let _interruption = cancel.interrupt();
            // The caller's connection must be free when the run ends.
            let limit = (!is_lent).then(|| Instant::now() + STOP_WITHIN);
            let (mut pause, mut refusal) = (FIRST_PAUSE, None);
            let ended = loop {
                // A message that has ended must not be overtaken by a request that is on its way.
                let asked = pin!(async {
                    match &mut server {
                        Some(server) => {
                            let asked = tokio::time::timeout(REQUEST_WITHIN, server.request());
                            match asked.await {
                                Ok(asked) => asked,
                                Err(_) => Err(Cause::timed_out(REQUEST_WITHIN)),
                            }
                        }
                        None => Ok(()),
                    }
                });
                sent = match select(sent, asked).await {
                    Either::Left((result, asked)) => {
                        let _ = asked.await;
                        break Some(result);
                    }
                    Either::Right((asked, sent)) => {
                        refusal = asked.err();
                        sent
                    }
                };
                sent = match select(sent, pin!(tokio::time::sleep(pause))).await {
                    Either::Left((result, _)) => break Some(result),
                    Either::Right(((), sent)) => sent,
                };
                if limit.is_some_and(|limit| limit <= Instant::now()) {
                    break None;
                }
                pause = (pause * 2).min(LONGEST_PAUSE);
            };
            ended.ok_or(refusal)
        };
        if let Some(server) = server {
            server.close().await;
        }
        match result {
            Ok(result) => {
                self.await_late_requests().await;
                result
            }
            Err(refusal) => {
                self.connection.abandon();
                let why = refusal.map(|it| format!(": {}", it.message)).unwrap_or_default();
                let text = format!(
                    "the statement did not end within {STOP_WITHIN:.0?} after the run was asked to stop{why}"
                );
                Err(SendFailure { completed: Vec::new(), cause: Cause::lost(text) })
            }
        }
    }

    /// Returns how to cancel a statement on the server; `None` if the session cannot be identified.
    fn server_cancel(&self) -> Option<ServerCancel> {
        if !self.has_server_lock() {
            return None;
        }
        let reconnect = self.reconnect.clone()?;
        let request = self.sql.read_settings.iter().chain([&self.sql.cancel_statement]);
        let request = request.map(|part| self.bindings.render(part)).collect::<Vec<_>>();
        let (dialect, request) = (self.dialect, request.join(";\n"));
        Some(ServerCancel { reconnect, connection: None, dialect, request })
    }

    /// Lets a request to cancel that comes late hit a statement that does nothing.
    async fn await_late_requests(&mut self) {
        for _ in 0..LATE_REQUESTS {
            match self.raw("SELECT 1").await {
                Err(failure) if failure.cause.is_cancelled() => {}
                _ => return,
            }
        }
    }
}
