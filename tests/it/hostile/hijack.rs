use std::time::Duration;

use jetbase::{DatabaseUrl, ErrorKind, Event};
use jetbase_test_harness::{
    Database, Needs, Suite, TestContext, TestError, TestResult, block_on_new_thread,
};
use sqlx::Connection;
use sqlx::postgres::PgConnection;

use super::POSTGRES;
use super::mallory::{Mallory, query_as_admin, value_as_admin};
use super::victim::{PYTHON, V1, V3, Victim};
use crate::apply::set;
use crate::run_in_progress::notify_at_start;

pub(crate) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    suite.each("the_commands_work_on_a_database_without_traps", POSTGRES, nothing, without_traps);
    suite.each("no_command_executes_what_is_planted_in_public", POSTGRES, nothing, in_public);
    suite.each(
        "no_command_executes_what_is_planted_in_a_named_schema",
        POSTGRES,
        nothing,
        in_named_schema,
    );
    suite.each(
        "no_command_executes_what_is_planted_in_a_schema_with_its_users_name",
        POSTGRES,
        nothing,
        under_own_name,
    );
    suite.each(
        "no_command_executes_what_is_planted_before_pg_catalog",
        POSTGRES,
        nothing,
        before_pg_catalog,
    );
    suite.each(
        "no_run_executes_what_is_planted_after_it_lost_its_session",
        POSTGRES,
        nothing,
        after_a_loss,
    );
    suite.each(
        "no_run_executes_what_is_planted_while_it_recovers_a_lock",
        POSTGRES,
        nothing,
        recovers_a_lock,
    );
    suite.each(
        "an_operator_that_is_always_true_does_not_replace_the_lock",
        POSTGRES,
        nothing,
        always_true,
    );
}

/// The same commands work without planted objects.
async fn without_traps(ctx: TestContext) -> TestResult {
    Victim::new(&ctx.db, None, "public").runs_all_commands().await
}

/// The administrator runs all commands. Then the test checks that no code of the attacker ran.
async fn run_and_check(mallory: Mallory, victim: Victim) -> TestResult {
    let db = victim.db.clone();
    // A failed assertion must not hide the executed code.
    let result = tokio::spawn(async move { victim.runs_all_commands().await }).await;
    let result = result.unwrap_or_else(|panic| Err(panic.into()));
    if let Err(executed) = mallory.executed_nothing(&db).await {
        let failure = result.err().map(|error| format!("{error:#}")).unwrap_or_default();
        return Err(format!("{executed}\n{failure}").into());
    }
    result?;
    mallory.remove(&db).await
}

/// Plants objects in schemas, and then runs and checks all commands.
async fn plant_and_run(db: &Database, planted: &[&str], victim: Victim) -> TestResult {
    let mallory = Mallory::create(db).await?;
    for schema in planted.iter().filter(|schema| **schema != "public") {
        mallory.create_schema(db, schema).await?;
    }
    mallory.plant(planted).await?;
    run_and_check(mallory, victim).await
}

async fn in_public(ctx: TestContext) -> TestResult {
    let victim = Victim::new(&ctx.db, None, "public");
    plant_and_run(&ctx.db, &["public"], victim).await
}

async fn in_named_schema(ctx: TestContext) -> TestResult {
    let victim = Victim::new(&ctx.db, Some("app"), "app");
    plant_and_run(&ctx.db, &["app", "public"], victim).await
}

/// The search path starts with the user's name, and the attacker can create a schema of that name.
async fn under_own_name(ctx: TestContext) -> TestResult {
    let own =
        value_as_admin(&ctx.db, "SELECT quote_ident(current_user)").await?.ok_or("no user")?;
    let mallory = Mallory::create(&ctx.db).await?;
    mallory.execute(&format!("CREATE SCHEMA {own}")).await?;
    mallory.plant(&[&own, "public"]).await?;
    let victim = Victim::new(&ctx.db, None, &own);
    run_and_check(mallory, victim).await
}

/// If a search path has pg_catalog after other schemas, PostgreSQL finds the planted objects first.
async fn before_pg_catalog(ctx: TestContext) -> TestResult {
    let path = format!("ALTER DATABASE {} SET search_path = public, pg_catalog", ctx.db.name);
    ctx.db.admin(&path).await?;
    let victim = Victim::new(&ctx.db, None, "public");
    plant_and_run(&ctx.db, &["public"], victim).await
}

/// Gives the lock row to the Python tool, inside a listener of a run.
fn take_row(db: &Database) {
    let sql = format!("UPDATE public.jetbase_lock SET is_locked = TRUE, process_id = '{PYTHON}'");
    let result = block_on_new_thread(query_as_admin(db, &sql));
    result.expect("no transaction locks the row between two statements");
}

/// Runs a set that loses the lock row at an event of its first file.
async fn loses_the_row(
    db: &Database,
    first: &str,
    when: fn(&Event) -> bool,
) -> Result<(), TestError> {
    let set = set(&[
        ("V1__first.sql", first),
        ("V2__second.sql", "CREATE TABLE second (id INTEGER);\n"),
        ("V3__third.sql", "CREATE TABLE third (id INTEGER);\n"),
    ]);
    let other = db.clone();
    let run = jetbase::run(&set, DatabaseUrl(&db.url)).on_event(move |event| {
        if when(event) {
            take_row(&other);
        }
    });
    let result = run.await;
    let after = query_as_admin(
        db,
        "SELECT to_regclass('public.second'), to_regclass('public.third'), count(*) FROM public.jetbase_migrations \
         WHERE version::text IN ('2', '3')",
    )
    .await?;
    assert_eq!(after, [[None, None, Some("0".to_owned())]], "a file ran without the lock");
    let error = result.expect_err("the lock was lost");
    assert!(matches!(error.kind(), ErrorKind::LockLost { .. }), "{error:#}");
    Ok(())
}

async fn always_true(ctx: TestContext) -> TestResult {
    let finished: fn(&Event) -> bool =
        |event| matches!(event, Event::Finished { file, .. } if file == "V1__first.sql");
    let started: fn(&Event) -> bool =
        |event| matches!(event, Event::Started { file, .. } if file == "V1__first.sql");
    let slow = "-- jetbase: transaction=off\nSELECT pg_catalog.pg_sleep(0.5);\nCREATE TABLE first (id INTEGER);\n";
    for (first, when) in [("CREATE TABLE first (id INTEGER);\n", finished), (slow, started)] {
        let db = ctx.another().await?;
        let mallory = Mallory::create(&db).await?;
        mallory
            .execute(
                "CREATE FUNCTION trap.always(varchar, varchar) RETURNS boolean LANGUAGE sql AS 'SELECT true';
                 CREATE OPERATOR public.= (FUNCTION = trap.always, LEFTARG = varchar, RIGHTARG = varchar);
                 CREATE FUNCTION trap.always(varchar, text) RETURNS boolean LANGUAGE sql AS 'SELECT true';
                 CREATE OPERATOR public.= (FUNCTION = trap.always, LEFTARG = varchar, RIGHTARG = text);
                 CREATE FUNCTION trap.always(oid, integer) RETURNS boolean LANGUAGE sql AS 'SELECT true';
                 CREATE OPERATOR public.= (FUNCTION = trap.always, LEFTARG = oid, RIGHTARG = integer)",
            )
            .await?;
        loses_the_row(&db, first, when).await?;
        mallory.remove(&db).await?;
    }
    Ok(())
}

/// The session ends while a file runs. A new session releases the lock and reads the history.
async fn after_a_loss(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let mallory = Mallory::create(db).await?;
    mallory.plant(&["public"]).await?;
    let set = set(&[V1, ("V2__slow.sql", "SELECT pg_catalog.pg_sleep(20);\n")]);
    let (run, started) = notify_at_start(jetbase::run(&set, DatabaseUrl(&db.url)), "V2__slow.sql");
    let run = async { run.await.map(drop) };
    let end = async {
        // If the run ends before, its error gives the reason.
        if started.await.is_ok() {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                       WHERE datname = current_database() AND query LIKE '%pg_sleep(20)%' AND pid <> pg_backend_pid()";
            query_as_admin(db, end).await?;
        }
        Ok::<_, TestError>(())
    };
    let (result, ended) = tokio::join!(run, end);
    ended?;
    mallory.executed_nothing(db).await?;
    let error = result.expect_err("its session was ended");
    assert!(matches!(error.kind(), ErrorKind::Interrupted { .. }), "{error:#}");
    let lock = value_as_admin(db, "SELECT is_locked::text FROM public.jetbase_lock").await?;
    assert_eq!(lock.as_deref(), Some("false"), "{error:#}");
    mallory.remove(db).await
}

/// A run on a borrowed connection recovers the lock of a holder that was silent for 30 seconds.
async fn recovers_a_lock(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let mallory = Mallory::create(db).await?;
    // The tables exist before the objects are planted, so only the recovery can execute them.
    jetbase::run(&set(&[V1]), DatabaseUrl(&db.url)).await?;
    mallory.plant(&["public"]).await?;
    let silent = "6a625004-0000-8000-8000-000000000000";
    let held = format!(
        "UPDATE public.jetbase_lock SET is_locked = TRUE, locked_at = localtimestamp, process_id = '{silent}'"
    );
    query_as_admin(db, &held).await?;
    let mut connection = PgConnection::connect(&db.url).await?;
    let result = jetbase::run(&set(&[V1, V3]), &mut connection).await;
    mallory.executed_nothing(db).await?;
    let report = result?;
    assert_eq!(report.recovered.as_deref(), Some(silent), "{report}");
    assert_eq!(report.applied.len(), 1, "{report}");
    connection.close().await?;
    mallory.remove(db).await
}
