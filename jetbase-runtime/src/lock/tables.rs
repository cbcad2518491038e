//! Creates the two tables, even if others create them at the same time.

use std::time::Duration;

use super::acquisition::Acquisition;
use crate::error::Error;
use crate::wait::Limit;

/// How often the creation is tried while others create the tables too.
const CREATE_TRIES: u32 = 60;

/// Creates the missing tables; others may be doing the same. Returns false if other connections
/// prevent it at the moment.
pub(super) async fn create_tables(
    lock: &mut Acquisition<'_, '_>,
    limit: Limit,
) -> Result<bool, Error> {
    let Acquisition { session, obstacle, .. } = lock;
    let sql = session.sql;
    let mut attempt = 0;
    // Most often the tables belong to this user. If not, the full check decides.
    let mut check = sql.check_own;
    loop {
        // A table that already exists is not changed.
        let index =
            if session.has_history { String::new() } else { session.bindings.render(sql.index) };
        let bindings = session.bindings.clone().expression("index", &index).nested("check", check);
        let parts: Vec<_> = sql
            .create
            .iter()
            .map(|part| bindings.render(part))
            .filter(|part| !part.is_empty())
            .collect();
        let Err(failure) = session.raw(&parts.join(";\n")).await else { break };
        let _ = session.raw("ROLLBACK").await;
        if sql.guard_codes.contains(&failure.cause.code.as_str()) {
            if check != sql.check {
                check = sql.check;
                continue;
            }
            let cause = session.untrusted_or(failure.cause).await;
            return Err(Error::database("creating the migration tables", &cause));
        }
        attempt += 1;
        let race = sql.create_races.contains(&failure.cause.code.as_str());
        if !race || attempt >= CREATE_TRIES || (limit.time_left().is_zero() && attempt > 1) {
            let cause = &failure.cause;
            // A race that is lost too often counts as an obstacle.
            if !race && !cause.is_contended() {
                return Err(Error::database("creating the migration tables", cause));
            }
            *obstacle = Some(format!(
                "another connection that is creating the tables of jetbase, or keeps others from it ({}, {})",
                cause.message, cause.code
            ));
            return Ok(false);
        }
        let pause = Duration::from_millis(2).mul_f64(fastrand::f64()) * attempt.min(25);
        tokio::time::sleep(pause).await;
    }
    session.has_tables = true;
    session.read_new_tables().await?;
    Ok(true)
}
