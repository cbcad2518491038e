use std::sync::{Arc, Mutex};
use std::time::Duration;

use jetbase::{ErrorKind, Event, Migrations, Run, Wait};
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestError, TestResult};
use sqlx::Connection;
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinHandle;

use crate::apply::set;
use crate::round_trips::RoundTripCounter;

pub(crate) fn register(suite: &mut Suite) {
    let servers = DatabaseKind::SERVERS;
    suite.each("a_run_waits_for_a_server_that_starts", servers, Needs::NOTHING, starting);
    suite.each("a_run_waits_for_a_free_connection", servers, Needs::NOTHING, no_free_connection);
}

fn one() -> Migrations {
    set(&[("V1__a.sql", "CREATE TABLE a (id INTEGER);\n-- rollback\nDROP TABLE a;\n")])
}

/// Collects the reasons why a run waits for a server.
fn collect_reasons(run: Run<'_>) -> (Run<'_>, Arc<Mutex<Vec<String>>>) {
    let reasons = Arc::new(Mutex::new(Vec::new()));
    let received = Arc::clone(&reasons);
    let run = run.on_event(move |event| {
        if let Event::Unavailable { reason } = event {
            received.lock().unwrap().push(reason.clone());
        }
    });
    (run, reasons)
}

async fn starting(ctx: TestContext) -> TestResult {
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let (before, rest) = ctx.db.url.split_once("127.0.0.1:").ok_or("a server on loopback")?;
    let (_, path) = rest.split_once('/').ok_or("a URL with a path")?;
    let address = format!("127.0.0.1:{port}");
    let (run, reasons) =
        collect_reasons(jetbase::run_url(&one(), &format!("{before}{address}/{path}")));
    let starts = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        RoundTripCounter::at(&address, &ctx.db.url).await
    };
    let (report, relay) = tokio::join!(run.into_future(), starts);
    relay?;
    assert_eq!(report?.applied.len(), 1);
    let reasons = reasons.lock().unwrap();
    let [reason] = reasons.as_slice() else { panic!("{reasons:?}") };
    assert!(reason.starts_with("connecting: ") && reason.contains("refused"), "{reason}");
    Ok(())
}

/// The user may have one connection, and another session uses it. A run waits for it.
async fn no_free_connection(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let name = format!("{}_few", db.name);
    match ctx.kind {
        DatabaseKind::Postgres => {
            db.admin(&format!("CREATE ROLE {name} LOGIN CONNECTION LIMIT 1")).await?;
            db.execute(&format!("GRANT ALL ON SCHEMA public TO {name}")).await?;
        }
        _ => {
            let user = format!("{name}@'%'");
            db.admin(&format!("CREATE USER {user} WITH MAX_USER_CONNECTIONS 1")).await?;
            db.admin(&format!("GRANT ALL ON {}.* TO {user}", db.name)).await?;
        }
    }
    let url = db.url_as(&name, "");
    let (short, long) = (Duration::from_millis(700), Duration::from_secs(20));
    let set = one();
    let in_use = use_connection(ctx.kind, &url, 2 * short).await?;
    let error = jetbase::run_url(&set, &url)
        .wait(Wait::UpTo(short))
        .await
        .expect_err("no connection is free");
    assert!(!in_use.is_finished(), "the connection was closed too soon");
    let ErrorKind::Database { code, .. } = error.kind() else { panic!("{error:#}") };
    assert!(["53300", "1226"].contains(&code.as_str()), "{error:#}");
    in_use.await?;
    let in_use = use_connection(ctx.kind, &url, short).await?;
    assert_eq!(jetbase::run_url(&set, &url).wait(Wait::UpTo(long)).await?.applied.len(), 1);
    in_use.await?;
    let in_use = use_connection(ctx.kind, &url, short).await?;
    // A lazy pool connects at its first use.
    let (postgres, mysql);
    let run = if ctx.kind == DatabaseKind::Postgres {
        postgres = PgPoolOptions::new().connect_lazy(&url)?;
        jetbase::rollback(&set, &postgres)
    } else {
        mysql = MySqlPoolOptions::new().connect_lazy(&url)?;
        jetbase::rollback(&set, &mysql)
    };
    assert_eq!(run.wait(Wait::UpTo(long)).await?.applied.len(), 1);
    in_use.await?;
    Ok(())
}

/// Opens the user's only connection and keeps it for a time. The server may need a moment to notice
/// that the previous connection has ended.
async fn use_connection(
    kind: DatabaseKind,
    url: &str,
    length: Duration,
) -> Result<JoinHandle<()>, TestError> {
    for _ in 0..50 {
        let in_use = match kind {
            DatabaseKind::Postgres => sqlx::PgConnection::connect(url)
                .await
                .map(|connection| tokio::spawn(close_after(connection, length))),
            _ => sqlx::MySqlConnection::connect(url)
                .await
                .map(|connection| tokio::spawn(close_after(connection, length))),
        };
        match in_use {
            Err(sqlx::Error::Database(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
            result => return Ok(result?),
        }
    }
    Err("the user's only connection was not free in time".into())
}

async fn close_after(connection: impl Connection, length: Duration) {
    tokio::time::sleep(length).await;
    connection.close().await.expect("the connection was open");
}
