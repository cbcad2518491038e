use std::sync::{Arc, Mutex};
use std::time::Duration;

use jetbase::{ErrorKind, Event, Migrations, Run, Wait};
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestError, TestResult};
use sqlx::Connection;
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;
use tokio::task::JoinHandle;

use crate::apply::set;
use crate::trips::RoundTripCounter;

pub(crate) fn register(suite: &mut Suite) {
    let servers = DatabaseKind::SERVERS;
    suite.each("a_run_waits_for_a_server_that_starts", servers, Needs::NOTHING, starting);
    suite.each("a_run_waits_for_a_free_connection", servers, Needs::NOTHING, full);
}

fn one() -> Migrations {
    set(&[("V1__a.sql", "CREATE TABLE a (id INTEGER);\n-- rollback\nDROP TABLE a;\n")])
}

/// What a run said about a server that it waits for.
fn listened(run: Run<'_>) -> (Run<'_>, Arc<Mutex<Vec<String>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&heard);
    let run = run.on_event(move |event| {
        if let Event::Unavailable { reason } = event {
            told.lock().unwrap().push(reason.clone());
        }
    });
    (run, heard)
}

async fn starting(ctx: TestContext) -> TestResult {
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let (before, rest) = ctx.db.url.split_once("127.0.0.1:").ok_or("a server on loopback")?;
    let (_, path) = rest.split_once('/').ok_or("a URL with a path")?;
    let address = format!("127.0.0.1:{port}");
    let (run, heard) = listened(jetbase::run_url(&one(), &format!("{before}{address}/{path}")));
    let starts = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        RoundTripCounter::at(&address, &ctx.db.url).await
    };
    let (report, relay) = tokio::join!(run.into_future(), starts);
    relay?;
    assert_eq!(report?.applied.len(), 1);
    let heard = heard.lock().unwrap();
    let [reason] = heard.as_slice() else { panic!("heard {heard:?}") };
    assert!(reason.starts_with("connecting: ") && reason.contains("refused"), "{reason}");
    Ok(())
}

/// A user with one connection, which somebody else has for a while: pools that have none wait for it.
async fn full(ctx: TestContext) -> TestResult {
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
    let (tight, wide) = (Duration::from_millis(700), Duration::from_secs(20));
    let set = one();
    let taken = take(ctx.kind, &url, 2 * tight).await?;
    let error = jetbase::run_url(&set, &url).wait(Wait::UpTo(tight)).await.expect_err("full");
    assert!(!taken.is_finished(), "it came free too soon");
    let ErrorKind::Database { code, .. } = error.kind() else { panic!("{error:#}") };
    assert!(["53300", "1226"].contains(&code.as_str()), "{error:#}");
    taken.await?;
    let taken = take(ctx.kind, &url, tight).await?;
    assert_eq!(jetbase::run_url(&set, &url).wait(Wait::UpTo(wide)).await?.applied.len(), 1);
    taken.await?;
    let taken = take(ctx.kind, &url, tight).await?;
    // A pool that connects when it is asked to.
    let (postgres, mysql);
    let run = if ctx.kind == DatabaseKind::Postgres {
        postgres = PgPoolOptions::new().connect_lazy(&url)?;
        jetbase::rollback(&set, &postgres)
    } else {
        mysql = MySqlPoolOptions::new().connect_lazy(&url)?;
        jetbase::rollback(&set, &mysql)
    };
    assert_eq!(run.wait(Wait::UpTo(wide)).await?.applied.len(), 1);
    taken.await?;
    Ok(())
}

/// Takes the user's only connection, for a while; the server may need a moment to see that the
/// connection before has ended.
async fn take(
    kind: DatabaseKind,
    url: &str,
    length: Duration,
) -> Result<JoinHandle<()>, TestError> {
    for _ in 0..50 {
        let taken = match kind {
            DatabaseKind::Postgres => sqlx::PgConnection::connect(url)
                .await
                .map(|taken| tokio::spawn(hold(taken, length))),
            _ => sqlx::MySqlConnection::connect(url)
                .await
                .map(|taken| tokio::spawn(hold(taken, length))),
        };
        match taken {
            Err(sqlx::Error::Database(_)) => tokio::time::sleep(Duration::from_millis(100)).await,
            taken => return Ok(taken?),
        }
    }
    Err("the user's only connection did not come free".into())
}

async fn hold(connection: impl Connection, length: Duration) {
    tokio::time::sleep(length).await;
    connection.close().await.expect("it was open");
}
