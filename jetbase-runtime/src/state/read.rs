//! Reads the database state over a connection of a target.

use std::time::Duration;

use super::{DatabaseState, HistoryColumns, NamespaceOptions, read_database_state};
use crate::connection::End;
use crate::error::Error;
use crate::target::Connect;
use crate::wait::{Limit, jittered};

/// Reads the database state over the caller's connection or one of its pool. It waits, within the
/// limit of a query, while others lock the tables.
pub(crate) async fn read_state(
    source: &mut dyn Connect,
    options: &NamespaceOptions,
) -> Result<DatabaseState, Error> {
    let limit = Limit::for_query();
    loop {
        match read_once(source, options, HistoryColumns::All, limit).await {
            Err(error) if error.is_contended() && !limit.time_left().is_zero() => {}
            found => return found,
        }
        tokio::time::sleep(jittered(Duration::from_millis(100))).await;
    }
}

/// Reads once what a plan needs of the database state.
pub(crate) async fn read_state_for_plan(
    source: &mut dyn Connect,
    options: &NamespaceOptions,
    limit: Limit,
) -> Result<DatabaseState, Error> {
    read_once(source, options, HistoryColumns::Plan, limit).await
}

async fn read_once(
    source: &mut dyn Connect,
    options: &NamespaceOptions,
    columns: HistoryColumns,
    limit: Limit,
) -> Result<DatabaseState, Error> {
    let dialect = source.dialect();
    let connection = source.connect_for_reading(limit.for_connecting()).await;
    let mut connection = connection.map_err(Error::during("connecting"))?;
    let found = read_database_state(connection.as_mut(), dialect, options, columns, limit).await;
    connection.finish(End::Reuse).await;
    found
}
