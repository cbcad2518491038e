//! Servers of PostgreSQL as others manage them, and what newer versions bring.

use jetbase::DatabaseUrl;
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};

use crate::apply::set;
use crate::run_in_progress::{notify_at_start, slow};

pub(crate) fn register(suite: &mut Suite) {
    let postgres = &[DatabaseKind::Postgres];
    suite.each(
        "a_role_without_the_identity_of_the_server_can_migrate",
        postgres,
        Needs::NOTHING,
        managed,
    );
    suite.each(
        "a_transaction_timeout_of_the_role_does_not_end_a_run",
        postgres,
        Needs::NOTHING,
        transaction_timeout,
    );
}

const A: (&str, &str) = ("V1__a.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY);\n");

/// A provider that manages a server gives no superuser, and may forbid `pg_control_system`.
async fn managed(ctx: TestContext) -> TestResult {
    let role = format!("{}_app", ctx.db.name);
    ctx.db.admin(&format!("CREATE ROLE {role} LOGIN PASSWORD 'x'")).await?;
    ctx.db.execute(&format!("ALTER SCHEMA public OWNER TO {role}")).await?;
    ctx.db.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC").await?;
    let url = ctx.db.url_as(&role, "x");
    assert_eq!(jetbase::run_url(&set(&[A]), &url).await?.applied.len(), 1);
    let two = set(&[A, ("V2__slow.sql", &slow(ctx.kind, 2))]);
    let (holder, started) = notify_at_start(jetbase::run_url(&two, &url), "V2__slow.sql");
    let holder = tokio::spawn(std::future::IntoFuture::into_future(holder));
    started.await?;
    // Nothing proves that the holder is alive, so the second run waits for its release.
    let status = jetbase::lock_status(&two, DatabaseUrl(&url)).await?.to_string();
    assert!(status.contains("LOCKED") && status.contains("Alive: unknown"), "{status}");
    let waiter = jetbase::run_url(&two, &url).await?;
    assert!(waiter.is_up_to_date() && waiter.recovered.is_none(), "{waiter:?}");
    assert_eq!(holder.await??.applied.len(), 1);
    assert!(jetbase::check(&two, DatabaseUrl(&url)).await?.is_ready());
    Ok(())
}

async fn transaction_timeout(ctx: TestContext) -> TestResult {
    let setting = ctx.db.value("SELECT current_setting('transaction_timeout', true)").await?;
    if setting.is_none() {
        // The setting is new in version 17. An older server needs nothing.
        assert!(ctx.db.postgres_version().await? < 170_000);
        return Ok(());
    }
    let role = format!("{}_hasty", ctx.db.name);
    ctx.db.admin(&format!("CREATE ROLE {role} LOGIN PASSWORD 'x'")).await?;
    ctx.db.admin(&format!("ALTER ROLE {role} SET transaction_timeout = '500ms'")).await?;
    ctx.db.execute(&format!("ALTER SCHEMA public OWNER TO {role}")).await?;
    let two = set(&[
        A,
        ("V2__slow.sql", &slow(ctx.kind, 2)),
        (
            "V3__seen.sql",
            "CREATE TABLE seen AS SELECT current_setting('transaction_timeout') AS t;\n",
        ),
    ]);
    let url = ctx.db.url_as(&role, "x");
    assert_eq!(jetbase::run_url(&two, &url).await?.applied.len(), 3);
    assert_eq!(ctx.db.value("SELECT t FROM seen").await?.as_deref(), Some("0"));
    Ok(())
}
