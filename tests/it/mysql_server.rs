//! Servers of MySQL and MariaDB with other options, and what MySQL's newer versions bring.

use std::future::IntoFuture as _;
use std::time::Duration;

use jetbase::DatabaseUrl;
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestError, TestResult};

use crate::apply::set;
use crate::run_in_progress::{notify_at_start, slow};

pub(crate) fn register(suite: &mut Suite) {
    let mysql = &[DatabaseKind::Mysql];
    suite.each(
        "two_spellings_of_a_database_have_one_lock_where_case_is_ignored",
        mysql,
        Needs::own_server_with(&["--lower-case-table-names=1"]),
        case,
    );
    suite.each(
        "a_file_may_set_the_identifier_of_its_transaction",
        mysql,
        Needs::own_server_with(&["--log-bin", "--gtid-mode=ON", "--enforce-gtid-consistency=ON"])
            .only_mysql(),
        gtid,
    );
    suite.each(
        "a_crash_of_mysql_leaves_all_or_nothing_of_a_statement",
        mysql,
        Needs::OWN_SERVER.only_mysql(),
        crash,
    );
    suite.each("a_database_with_the_longest_name_has_a_lock", mysql, Needs::NOTHING, longest_name);
    suite.each("a_history_may_have_an_invisible_column", mysql, Needs::NOTHING, invisible_column);
    suite.each(
        "the_next_file_does_not_see_the_threads_of_a_statement",
        mysql,
        Needs::NOTHING.only_mysql(),
        threads,
    );
}

const A: (&str, &str) = ("V1__a.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY);\n");

/// A run over the second URL waits for a run over the first one, and finds its file applied.
async fn one_waits_for_the_other(first: &str, second: &str) -> TestResult {
    let files = [("V1__slow.sql", &*slow(DatabaseKind::Mysql, 3))];
    let (holder, started) = notify_at_start(jetbase::run_url(&set(&files), first), "V1__slow.sql");
    let holder = tokio::spawn(holder.into_future());
    started.await?;
    let waiter = jetbase::run_url(&set(&files), second).await?;
    assert!(waiter.is_up_to_date() && waiter.recovered.is_none(), "{waiter:?}");
    assert_eq!(holder.await??.applied.len(), 1);
    Ok(())
}

/// The URL of another database on the same server.
fn url_of(ctx: &TestContext, name: &str) -> Result<String, TestError> {
    let (server, _) = ctx.db.url.rsplit_once('/').ok_or("a URL with a database")?;
    Ok(format!("{server}/{name}"))
}

async fn case(ctx: TestContext) -> TestResult {
    ctx.db.admin("CREATE DATABASE Mixed_Case").await?;
    let (mixed, lower) = (url_of(&ctx, "Mixed_Case")?, url_of(&ctx, "mixed_case")?);
    one_waits_for_the_other(&mixed, &lower).await?;
    let rows = ctx.db.admin("SELECT COUNT(*) FROM mixed_case.jetbase_migrations").await?;
    assert_eq!(rows, [[Some("1".to_owned())]]);
    let status = jetbase::lock_status(&set(&[A]), DatabaseUrl(&mixed)).await?;
    assert_eq!(status.to_string(), "Status: UNLOCKED");
    Ok(())
}

async fn longest_name(ctx: TestContext) -> TestResult {
    let name = format!("{:_<64}", ctx.db.name);
    ctx.db.admin(&format!("CREATE DATABASE {name}")).await?;
    let url = url_of(&ctx, &name)?;
    let result = one_waits_for_the_other(&url, &url).await;
    ctx.db.admin(&format!("DROP DATABASE {name}")).await?;
    result
}

async fn gtid(ctx: TestContext) -> TestResult {
    let off = "-- jetbase: transaction=off\n";
    let own = "SET gtid_next = '3e11fa47-71ca-11e1-9e33-c80aa9429562:1';\n";
    let ddl = "CREATE TABLE b (id INTEGER PRIMARY KEY);\n";
    let reset = format!("{off}{own}{ddl}SET gtid_next = 'AUTOMATIC';\n");
    let all = set(&[A, ("V2__reset.sql", &reset), ("V3__last.sql", "INSERT INTO b VALUES (2);\n")]);
    assert_eq!(jetbase::run_url(&all, &ctx.db.url).await?.applied.len(), 3);
    // In a transaction, the server refuses the setting. Without the reset, the history row has no
    // identifier of its own, and the server refuses the row.
    for (text, code) in [(format!("{own}{ddl}"), "1766"), (format!("{off}{own}{ddl}"), "1837")] {
        let db = ctx.another().await?;
        let text = text.replace("9562:1", "9562:2");
        let error = jetbase::run_url(&set(&[A, ("V2__ddl.sql", &text)]), &db.url).await;
        let error = error.expect_err("the identifier cannot be used");
        assert!(format!("{error:#}").contains(code), "{error:#}");
        let status = jetbase::lock_status(&set(&[A]), DatabaseUrl(&db.url)).await?;
        assert_eq!(status.to_string(), "Status: UNLOCKED");
        assert_eq!(
            db.value("SELECT COUNT(*) FROM jetbase_migrations").await?.as_deref(),
            Some("1")
        );
    }
    Ok(())
}

async fn crash(ctx: TestContext) -> TestResult {
    ctx.db.execute("CREATE TABLE numbers (n INTEGER PRIMARY KEY)").await?;
    ctx.db.execute("INSERT INTO numbers VALUES (1), (2), (3)").await?;
    let files = [("V1__copy.sql", "CREATE TABLE copy AS SELECT n, SLEEP(2) AS s FROM numbers;\n")];
    let (run, started) = notify_at_start(jetbase::run_url(&set(&files), &ctx.db.url), files[0].0);
    let run = tokio::spawn(run.into_future());
    started.await?;
    let running =
        "SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'CREATE TABLE copy%'";
    while ctx.db.value(running).await?.as_deref() == Some("0") {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    ctx.server()?.restart().await?;
    run.await?.expect_err("the server crashed");
    let tables = "SELECT COUNT(*) FROM information_schema.tables WHERE table_name = 'copy'";
    assert_eq!(ctx.db.value(tables).await?.as_deref(), Some("0"));
    assert_eq!(jetbase::run_url(&set(&files), &ctx.db.url).await?.applied.len(), 1);
    assert_eq!(ctx.db.value("SELECT COUNT(*) FROM copy").await?.as_deref(), Some("3"));
    Ok(())
}

async fn invisible_column(ctx: TestContext) -> TestResult {
    jetbase::run_url(&set(&[A]), &ctx.db.url).await?;
    for column in
        ["jetbase_migrations ADD COLUMN note INTEGER", "jetbase_lock ADD COLUMN note INTEGER"]
    {
        ctx.db.execute(&format!("ALTER TABLE {column} INVISIBLE")).await?;
    }
    let two = set(&[A, ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n")]);
    assert_eq!(jetbase::run_url(&two, &ctx.db.url).await?.applied.len(), 1);
    assert!(jetbase::check(&two, DatabaseUrl(&ctx.db.url)).await?.is_ready());
    Ok(())
}

async fn threads(ctx: TestContext) -> TestResult {
    let files = [
        ("V1__set.sql", "SET SESSION innodb_ddl_threads = 13;\n"),
        ("V2__see.sql", "CREATE TABLE seen AS SELECT @@SESSION.innodb_ddl_threads AS n;\n"),
    ];
    jetbase::run_url(&set(&files), &ctx.db.url).await?;
    assert_ne!(ctx.db.value("SELECT n FROM seen").await?.as_deref(), Some("13"));
    Ok(())
}
