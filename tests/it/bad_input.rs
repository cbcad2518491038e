use std::fmt::Debug;
use std::time::{Duration, Instant};

use jetbase::{DatabaseUrl, ErrorKind, Kept, Migrations, Problem, Report, Version, Wait};
use sqlx::{Connection, SqliteConnection};

use crate::apply::set;
use crate::harness::{Context, Database, Error, Kind, Needs, Suite, TestResult};

pub(crate) fn register(suite: &mut Suite) {
    let all = Kind::ALL;
    let nothing = Needs::NOTHING;
    let sqlite = &[Kind::Sqlite][..];
    suite.once("refuses_a_url_that_it_cannot_read_and_shows_no_password", nothing, broken_urls);
    suite.each(
        "shows_no_password_when_it_is_wrong",
        Kind::SERVERS,
        Needs::OWN_SERVER,
        wrong_password,
    );
    suite.each("names_an_unknown_user", Kind::SERVERS, nothing, unknown_user);
    suite.each("names_a_missing_database", Kind::SERVERS, nothing, missing_database);
    suite.each("names_a_url_without_a_database", &[Kind::Mysql], nothing, no_database);
    suite.each("gives_up_at_once_when_no_server_listens", Kind::SERVERS, nothing, server_down);
    suite.each("names_a_missing_right_to_make_tables", Kind::SERVERS, nothing, no_rights);
    suite.each("a_reader_may_ask_but_not_run", Kind::SERVERS, nothing, reader);

    suite.each("a_failed_file_leaves_nothing_half_done", all, nothing, fails_in_the_middle);
    suite.each("a_failed_first_file_frees_the_lock", all, nothing, fails_at_once);
    suite.each("a_failed_rollback_keeps_its_version", all, nothing, fails_to_roll_back);
    suite.each("names_a_failure_at_the_commit", &[Kind::Postgres], nothing, fails_at_the_commit);
    suite.each("points_at_the_word_that_failed", &[Kind::Postgres], nothing, points_at_the_word);
    suite.each("refuses_files_that_end_their_transaction", all, nothing, transaction_control);
    suite.each("refuses_what_contradicts_the_history", all, nothing, contradictions);
    suite.each("keeps_odd_names_and_texts", all, nothing, odd_texts);

    suite.each("waits_for_a_locked_file_then_says_so", sqlite, nothing, locked_file);
    suite.each("names_what_is_wrong_with_a_file", sqlite, nothing, broken_files);
    suite.each("reads_a_read_only_file_and_refuses_to_run", sqlite, nothing, read_only_file);
}

const A: (&str, &str) =
    ("V1__a.sql", "CREATE TABLE a (id INTEGER PRIMARY KEY);\n-- rollback\nDROP TABLE a;\n");
const SECRET: &str = "hunter2";

fn one() -> Migrations {
    set(&[A])
}

/// The error that should have come, within a time.
async fn refused(
    run: impl IntoFuture<Output = Result<Report, jetbase::Error>>,
    within: Duration,
) -> Result<jetbase::Error, Error> {
    let began = Instant::now();
    let result = run.into_future().await;
    assert!(began.elapsed() < within, "it took {:?}", began.elapsed());
    match result {
        Ok(report) => Err(format!("it was not refused: {report}").into()),
        Err(error) => {
            hides(&error)?;
            Ok(error)
        }
    }
}

/// Fails if the password can be read anywhere.
fn hides(error: &jetbase::Error) -> TestResult {
    let mut texts = vec![format!("{error:#}"), format!("{error:?}"), format!("{error:#?}")];
    texts.extend([
        format!("{:?}", error.kind()),
        error.kind().to_string(),
        format!("{:?}", error.report()),
    ]);
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        texts.extend([cause.to_string(), format!("{cause:?}")]);
        source = cause.source();
    }
    match texts.into_iter().find(|text| text.contains(SECRET)) {
        Some(text) => Err(format!("the password is shown: {text}").into()),
        None => Ok(()),
    }
}

fn shows_nothing(value: &impl Debug) {
    let text = format!("{value:?} {value:#?}");
    assert!(!text.contains(SECRET), "{text}");
}

/// What a database said, with its code and our cure.
fn database(error: &jetbase::Error) -> Result<(&str, &str), Error> {
    match error.kind() {
        ErrorKind::Database { code, fault, .. } => Ok((code, fault.help())),
        _ => Err(format!("another kind of error: {error:#}").into()),
    }
}

/// Whether a database has any table, or is not there at all.
async fn is_empty(db: &Database) -> Result<bool, Error> {
    let tables = match db.kind {
        Kind::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'",
        Kind::Mysql => {
            "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE()"
        }
        Kind::Postgres => {
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        }
    };
    Ok(db.rows(tables).await?.is_empty())
}

async fn lock_is_free(db: &Database) -> TestResult {
    let lock = db.rows("SELECT is_locked, process_id, locked_at FROM jetbase_lock").await?;
    assert_eq!(lock, [[Some("0".to_owned()), None, None]]);
    Ok(())
}

const SECOND: Duration = Duration::from_secs(1);

async fn broken_urls() -> TestResult {
    for url in [
        "oracle://u:hunter2@h/d",
        "hunter2",
        "",
        "postgresql+psycopg2://u:hunter2@h/d",
        "://hunter2",
    ] {
        let error = refused(jetbase::run_url(&one(), url), SECOND).await?;
        assert!(matches!(error.kind(), ErrorKind::Setting(_)), "{url}: {error:#}");
        assert!(
            format!("{error:#}").starts_with("the database URL does not begin with `postgres://`"),
            "{url}: {error:#}"
        );
    }
    for url in [
        "postgres://u:hunter2@127.0.0.1:port/d",
        "postgres://u:hunter2@127.0.0.1:99999/d",
        "mysql://u:hunter2@127.0.0.1:port/d",
        "postgres://u:hunter2@[::1/d",
        "postgres://u:hunter2@h/d?sslmode=nonsense",
        "postgres://u@h/d?password=hunter2&sslmode=nonsense",
        "mysql://u:hunter2@h/d?ssl-mode=nonsense",
        "sqlite://x.db?mode=nonsense",
    ] {
        let error = refused(jetbase::run_url(&one(), url), SECOND).await;
        let error = error.map_err(|error| format!("{url}: {error:#}"))?;
        assert!(
            format!("{error:#}").starts_with("the database URL cannot be read: "),
            "{url}: {error:#}"
        );
        assert!(!format!("{error:#}").contains("error with configuration"), "{url}: {error:#}");
    }
    let url = "postgres://u:hunter2@h/d";
    shows_nothing(&DatabaseUrl(url));
    shows_nothing(&jetbase::run(&one(), DatabaseUrl(url)));
    shows_nothing(&jetbase::rollback(&one(), DatabaseUrl(url)));
    shows_nothing(&jetbase::status(&one(), DatabaseUrl(url)));
    shows_nothing(&jetbase::unlock(&one(), DatabaseUrl(url)));
    Ok(())
}

/// Makes PostgreSQL ask this role for its password: the private server trusts everybody else.
async fn ask_for_password(db: &Database, role: &str) -> TestResult {
    let file = db.value("SHOW hba_file").await?.ok_or("no hba_file")?;
    let lines =
        format!("host all {role} 127.0.0.1/32 scram-sha-256\nhost all all 127.0.0.1/32 trust");
    db.execute(&format!(
        "COPY (SELECT unnest(string_to_array('{lines}', E'\\n'))) TO '{file}'; SELECT pg_reload_conf()"
    ))
    .await?;
    for _ in 0..100 {
        if sqlx::PgConnection::connect(&db.url_as(role, "wrong")).await.is_err() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Err("the server did not reload its configuration".into())
}

async fn wrong_password(ctx: Context) -> TestResult {
    let db = &ctx.db;
    let code = match ctx.kind {
        Kind::Postgres => {
            db.execute(
                "CREATE ROLE someone LOGIN PASSWORD 'right'; GRANT ALL ON SCHEMA public TO someone",
            )
            .await?;
            ask_for_password(db, "someone").await?;
            "28P01"
        }
        _ => {
            db.execute(
                "CREATE USER someone@'%' IDENTIFIED BY 'right'; GRANT ALL ON *.* TO someone@'%'",
            )
            .await?;
            "1045"
        }
    };
    let url = db.url_as("someone", SECRET);
    for error in [
        refused(jetbase::run_url(&one(), &url), 10 * SECOND).await?,
        refused(jetbase::rollback(&one(), DatabaseUrl(&url)), 10 * SECOND).await?,
        refused(jetbase::run_url(&one(), &url).dry_run(), 10 * SECOND).await?,
    ] {
        assert_eq!(database(&error)?, (code, "check user and password"), "{error:#}");
        assert!(
            format!("{error:#}").starts_with("connecting: ")
                && format!("{error:#}").contains("someone"),
            "{error:#}"
        );
    }
    for error in [
        jetbase::status(&one(), DatabaseUrl(&url)).await.expect_err("refused"),
        jetbase::lock_status(&one(), DatabaseUrl(&url)).await.expect_err("refused"),
        jetbase::unlock(&one(), DatabaseUrl(&url)).await.expect_err("refused"),
    ] {
        hides(&error)?;
        assert_eq!(database(&error)?.0, code, "{error:#}");
    }
    // A password that is right is not shown either when something else fails.
    let right = match ctx.kind {
        Kind::Postgres => "ALTER ROLE someone PASSWORD 'hunter2'",
        _ => "SET PASSWORD FOR someone@'%' = PASSWORD('hunter2')",
    };
    if db.execute(right).await.is_err() {
        db.execute("ALTER USER someone@'%' IDENTIFIED BY 'hunter2'").await?;
    }
    let broken = set(&[("V1__a.sql", "INSERT INTO nowhere (id) VALUES (1);\n")]);
    let error = refused(jetbase::run_url(&broken, &url), 10 * SECOND).await?;
    assert!(matches!(error.kind(), ErrorKind::Statement(_)), "{error:#}");
    Ok(())
}

async fn unknown_user(ctx: Context) -> TestResult {
    let error =
        refused(jetbase::run_url(&one(), &ctx.db.url_as("no_such_user", SECRET)), 10 * SECOND)
            .await?;
    let (code, help) = database(&error)?;
    assert!(["28000", "28P01", "1045", "1698"].contains(&code), "{error:#}");
    assert_eq!(help, "check user and password");
    assert!(format!("{error:#}").contains("no_such_user"), "{error:#}");
    Ok(())
}

async fn missing_database(ctx: Context) -> TestResult {
    let url = ctx.db.url.replace(&ctx.db.name, "no_such_database");
    for error in [
        refused(jetbase::run_url(&one(), &url), 10 * SECOND).await?,
        jetbase::check(&one(), DatabaseUrl(&url)).await.expect_err("refused"),
    ] {
        let (code, help) = database(&error)?;
        assert!(["3D000", "1049"].contains(&code), "{error:#}");
        assert_eq!(help, "create the database first: jetbase creates tables, not databases");
        assert!(format!("{error:#}").contains("no_such_database"), "{error:#}");
    }
    Ok(())
}

async fn no_database(ctx: Context) -> TestResult {
    let (url, _) =
        ctx.db.url.split_once(&format!("/{}", ctx.db.name)).ok_or("a URL with a database")?;
    for url in [url.to_owned(), format!("{url}/")] {
        let error = refused(jetbase::run_url(&one(), &url), 10 * SECOND).await?;
        assert_eq!(format!("{error:#}"), "the URL names no database; append `/name` to the URL");
    }
    Ok(())
}

async fn server_down(ctx: Context) -> TestResult {
    let port = std::net::TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
    let url = format!("{}://someone:hunter2@127.0.0.1:{port}/x", ctx.kind.name());
    let run = jetbase::run_url(&one(), &url).wait(Wait::Never);
    let error = refused(run, 5 * SECOND).await?;
    assert_eq!(
        database(&error)?,
        ("", "check that the server runs, and that host and port are right"),
        "{error:#}"
    );
    assert!(format!("{error:#}").starts_with("connecting: "), "{error:#}");
    assert!(!format!("{error:#}").contains("os error"), "{error:#}");
    let began = Instant::now();
    assert!(jetbase::check(&one(), DatabaseUrl(&url)).await.is_err());
    assert!(jetbase::lock_status(&one(), DatabaseUrl(&url)).await.is_err());
    assert!(jetbase::unlock(&one(), DatabaseUrl(&url)).await.is_err());
    assert!(began.elapsed() < 10 * SECOND, "{:?}", began.elapsed());
    Ok(())
}

/// A user of the server with rights of its own; `GRANT` is completed with a user.
async fn user(db: &Database, grants: &[&str]) -> Result<(String, String), Error> {
    let name = format!("{}_u", db.name);
    let (create, user) = match db.kind {
        Kind::Mysql => {
            (format!("CREATE USER {name}@'%' IDENTIFIED BY '{SECRET}'"), format!("{name}@'%'"))
        }
        _ => (format!("CREATE ROLE {name} LOGIN PASSWORD '{SECRET}'"), name.clone()),
    };
    db.admin(&create).await?;
    for grant in grants {
        db.execute(&format!("{grant} {user}")).await?;
    }
    Ok((db.url_as(&name, SECRET), user))
}

async fn forget(db: &Database, user: &str) -> TestResult {
    if db.kind == Kind::Postgres {
        db.execute(&format!("DROP OWNED BY {user}")).await?;
    }
    db.admin(&format!("DROP USER {user}")).await?;
    Ok(())
}

async fn no_rights(ctx: Context) -> TestResult {
    let db = &ctx.db;
    let grants = match ctx.kind {
        Kind::Mysql => vec!["GRANT SELECT ON * TO"],
        // Before PostgreSQL 15 everybody might make tables.
        _ => vec!["REVOKE CREATE ON SCHEMA public FROM PUBLIC,"],
    };
    let (url, user) = user(db, &grants).await?;
    let error = refused(jetbase::run_url(&one(), &url), 10 * SECOND).await?;
    let (code, help) = database(&error)?;
    assert!(["42501", "1142"].contains(&code), "{error:#}");
    assert_eq!(help, "grant the right to this user, or run as the owner");
    assert!(format!("{error:#}").starts_with("creating the migration tables: "), "{error:#}");
    assert!(is_empty(db).await?);
    forget(db, &user).await
}

async fn reader(ctx: Context) -> TestResult {
    let db = &ctx.db;
    let set_of_one = one();
    jetbase::run_url(&set_of_one, &db.url).await?;
    let grant = if ctx.kind == Kind::Mysql {
        "GRANT SELECT ON * TO"
    } else {
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO"
    };
    let (url, user) = user(db, &[grant]).await?;
    assert!(jetbase::run_url(&set_of_one, &url).await?.is_up_to_date());
    assert!(jetbase::check(&set_of_one, DatabaseUrl(&url)).await?.is_ready());
    assert_eq!(jetbase::history(&set_of_one, DatabaseUrl(&url)).await?.records.len(), 1);
    assert_eq!(
        jetbase::lock_status(&set_of_one, DatabaseUrl(&url)).await?.to_string(),
        "Status: UNLOCKED"
    );
    let two = set(&[A, ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n")]);
    let error = refused(jetbase::run_url(&two, &url), 10 * SECOND).await?;
    assert!(["42501", "1142"].contains(&database(&error)?.0), "{error:#}");
    assert!(format!("{error:#}").contains("jetbase_lock"), "{error:#}");
    assert!(db.rows("SELECT * FROM b").await.is_err(), "a migration ran");
    lock_is_free(db).await?;

    // Without the right to read, nobody may think that nothing was applied.
    let revoke = if ctx.kind == Kind::Mysql {
        "REVOKE SELECT ON * FROM"
    } else {
        "REVOKE SELECT ON jetbase_migrations FROM"
    };
    db.execute(&format!("{revoke} {user}")).await?;
    let error = jetbase::check(&set_of_one, DatabaseUrl(&url)).await.expect_err("it cannot look");
    assert!(["42501", "1142", "1044"].contains(&database(&error)?.0), "{error:#}");
    forget(db, &user).await
}

const BROKEN: &str = "CREATE TABLE IF NOT EXISTS b (id INTEGER);\nINSERT INTO b (id) VALUES (1);\n\n  INSERT INTO nowhere\n    (id) VALUES (2);\nINSERT INTO b (id) VALUES (3);\n";

async fn fails_in_the_middle(ctx: Context) -> TestResult {
    let db = &ctx.db;
    let last = ("V3__c.sql", "CREATE TABLE c (id INTEGER);\n");
    let error = refused(
        jetbase::run_url(&set(&[A, ("deep/V2__b.sql", BROKEN), last]), &db.url),
        30 * SECOND,
    )
    .await?;
    let text = format!("{error:#}");
    let ErrorKind::Statement(failed) = error.kind() else { return Err(error.into()) };
    assert_eq!(
        (failed.file.as_str(), failed.statement),
        ("deep/V2__b.sql", Some((3, 4))),
        "{text}"
    );
    assert_eq!(failed.position.map(|it| it.line), Some(4), "{text}");
    // Only PostgreSQL points into a statement that it could read.
    let column = if ctx.kind == Kind::Postgres { 15 } else { 3 };
    assert!(
        text.starts_with(&format!("deep/V2__b.sql:4:{column}: statement 3 of 4 failed: ")),
        "{text}"
    );
    let lines: Vec<_> = text.lines().collect();
    let shown = lines
        .iter()
        .position(|line| line.contains("4 |   INSERT INTO nowhere"))
        .ok_or(format!("no snippet: {text}"))?;
    let caret =
        lines.get(shown + 1).and_then(|line| line.find('^')).ok_or(format!("no caret: {text}"))?;
    let word = if ctx.kind == Kind::Postgres { "nowhere" } else { "INSERT" };
    assert_eq!(lines[shown].find(word), Some(caret), "{text}");
    assert!(text.contains("nowhere") && !text.contains("at line"), "{text}");
    assert!(text.ends_with("done before this error, and kept: V1__a.sql"), "{text}");
    let applied: Vec<_> = error.report().applied.iter().map(|it| it.file.as_str()).collect();
    assert_eq!(applied, ["V1__a.sql"]);
    let kept = if ctx.kind == Kind::Mysql { Kept::Statements(1) } else { Kept::Nothing };
    assert_eq!(failed.kept, kept, "{text}");

    let recorded = db.rows("SELECT version FROM jetbase_migrations ORDER BY 1").await?;
    assert_eq!(recorded, [[Some("1".to_owned())]]);
    if ctx.kind == Kind::Mysql {
        // MySQL commits what makes a table at once, and nothing else of the file.
        assert_eq!(db.value("SELECT count(*) FROM b").await?.as_deref(), Some("0"));
    } else {
        assert!(db.rows("SELECT * FROM b").await.is_err(), "half of the file is there");
    }
    assert!(db.rows("SELECT * FROM c").await.is_err(), "a later file ran");
    lock_is_free(db).await?;

    let mended = BROKEN.replace("nowhere", "a");
    let report = jetbase::run_url(&set(&[A, ("deep/V2__b.sql", &mended), last]), &db.url).await?;
    assert_eq!(report.applied.len(), 2);
    assert_eq!(db.value("SELECT count(*) FROM b").await?.as_deref(), Some("2"));
    assert_eq!(db.value("SELECT count(*) FROM a").await?.as_deref(), Some("1"));
    Ok(())
}

async fn fails_at_once(ctx: Context) -> TestResult {
    let db = &ctx.db;
    let broken = set(&[("V1__x.sql", "SELEC 1;\n")]);
    for _ in 0..2 {
        let error = refused(jetbase::run_url(&broken, &db.url), 30 * SECOND).await?;
        assert!(
            format!("{error:#}").starts_with("V1__x.sql:1:1: statement 1 of 1 failed: "),
            "{error:#}"
        );
        assert!(format!("{error:#}").contains("nothing of this file was kept"), "{error:#}");
        assert!(error.report().applied.is_empty());
        lock_is_free(db).await?;
    }
    assert_eq!(db.value("SELECT count(*) FROM jetbase_migrations").await?.as_deref(), Some("0"));
    Ok(())
}

async fn fails_to_roll_back(ctx: Context) -> TestResult {
    let db = &ctx.db;
    let broken = (
        "V2__b.sql",
        "INSERT INTO a (id) VALUES (1);\n-- rollback\nDELETE FROM a;\nDELETE FROM nowhere;\n",
    );
    let set = set(&[A, broken]);
    jetbase::run_url(&set, &db.url).await?;
    let error = refused(jetbase::rollback(&set, DatabaseUrl(&db.url)).all(), 30 * SECOND).await?;
    let text = format!("{error:#}");
    assert!(text.starts_with("V2__b.sql:4:") && text.contains("statement 2 of 2 failed"), "{text}");
    assert_eq!(db.value("SELECT count(*) FROM a").await?.as_deref(), Some("1"));
    assert_eq!(db.value("SELECT count(*) FROM jetbase_migrations").await?.as_deref(), Some("2"));
    lock_is_free(db).await
}

async fn fails_at_the_commit(ctx: Context) -> TestResult {
    let db = &ctx.db;
    let text = "CREATE TABLE child (a INTEGER REFERENCES a (id) DEFERRABLE INITIALLY DEFERRED);\nINSERT INTO child VALUES (7);\n";
    let error =
        refused(jetbase::run_url(&set(&[A, ("V2__child.sql", text)]), &db.url), 30 * SECOND)
            .await?;
    let shown = format!("{error:#}");
    let ErrorKind::Statement(failed) = error.kind() else { return Err(error.into()) };
    assert_eq!((failed.statement, failed.code.as_str()), (None, "23503"), "{shown}");
    assert!(shown.starts_with("V2__child.sql: the commit failed: "), "{shown}");
    assert!(shown.contains("= detail: Key (a)=(7) is not present in table \"a\"."), "{shown}");
    assert!(shown.contains("nothing of this file was kept"), "{shown}");
    assert!(db.rows("SELECT * FROM child").await.is_err(), "the table is there");
    assert_eq!(db.value("SELECT count(*) FROM jetbase_migrations").await?.as_deref(), Some("1"));
    lock_is_free(db).await
}

async fn points_at_the_word(ctx: Context) -> TestResult {
    let text = "-- größe: ä\nCREATE TABLE t (body TEXT);\nINSERT INTO t VALUES ('日本', 'x;y');\n";
    let error =
        refused(jetbase::run_url(&set(&[("V1__t.sql", text)]), &ctx.db.url), 30 * SECOND).await?;
    assert!(
        format!("{error:#}").starts_with("V1__t.sql:3:29: statement 2 of 2 failed: "),
        "{error:#}"
    );
    let late = "CREATE TABLE t (n INTEGER);\nINSERT INTO t VALUES (1);\nINSERT INTO t SELECT 1 / (n - 1) FROM t;\n";
    let error =
        refused(jetbase::run_url(&set(&[("V1__t.sql", late)]), &ctx.db.url), 30 * SECOND).await?;
    // A division by zero has no place: the statement has.
    assert!(
        format!("{error:#}")
            .starts_with("V1__t.sql:3:1: statement 3 of 3 failed: division by zero (22012)"),
        "{error:#}"
    );
    let raised = "DO $$\nBEGIN\n  RAISE EXCEPTION 'no; thanks' USING HINT = 'ask again', DETAIL = 'really';\nEND $$;\n";
    let error =
        refused(jetbase::run_url(&set(&[("V1__t.sql", raised)]), &ctx.db.url), 30 * SECOND).await?;
    let text = format!("{error:#}");
    assert!(
        text.starts_with("V1__t.sql:1:1: statement 1 of 1 failed: no; thanks (P0001)"),
        "{text}"
    );
    assert!(text.contains("= detail: really") && text.contains("= hint: ask again"), "{text}");
    Ok(())
}

async fn transaction_control(ctx: Context) -> TestResult {
    let db = &ctx.db;
    for text in ["BEGIN;\nSELECT 1;\nCOMMIT;\n", "SELECT 1;\nROLLBACK;\n"] {
        let error =
            refused(jetbase::run_url(&set(&[A, ("V2__x.sql", text)]), &db.url), 30 * SECOND)
                .await?;
        assert!(matches!(error.kind(), ErrorKind::Findings(_)), "{error:#}");
        assert!(format!("{error:#}").contains("--> V2__x.sql:"), "{error:#}");
        // It is found before the first statement of the first file.
        assert!(error.report().applied.is_empty());
        assert!(is_empty(db).await?, "something was made");
    }
    Ok(())
}

async fn contradictions(ctx: Context) -> TestResult {
    let target = DatabaseUrl(&ctx.db.url);
    let (two, three) = (("V2__b.sql", "SELECT 2;\n"), ("V3__c.sql", "SELECT 3;\n"));
    jetbase::run(&set(&[A, three]), target).await?;
    let before = ctx.db.rows("SELECT * FROM jetbase_migrations").await?;
    let edited = ("V1__a.sql", "CREATE TABLE a (id BIGINT PRIMARY KEY);\n");
    for (files, sentence) in [
        (vec![edited, three], "V1__a.sql was changed after version 1 had been applied"),
        (vec![three], "version 1 (V1__a.sql) has been applied, but its file is missing"),
        (
            vec![A, two, three],
            "V2__b.sql is new, but its version 2 is below 3, which is applied; rename the file to a version above 3",
        ),
        (
            vec![("V1_0__a.sql", A.1), three],
            "V1_0__a.sql is recorded as version 1, which is another spelling of the same version",
        ),
        (
            vec![("V1__other.sql", "SELECT 1;\n"), three],
            "version 1 was recorded from another set (V1__a.sql, not V1__other.sql)",
        ),
    ] {
        let set = set(&files);
        for error in [
            refused(jetbase::run(&set, target), 30 * SECOND).await?,
            refused(jetbase::run(&set, target).dry_run(), 30 * SECOND).await?,
            jetbase::validate(&set, target).await.expect_err(sentence),
            jetbase::check(&set, target).await.expect_err(sentence),
        ] {
            assert!(matches!(error.kind(), ErrorKind::Refused(_)), "{error:#}");
            assert!(format!("{error:#}").starts_with(sentence), "{error:#}");
        }
        let status = jetbase::status(&set, target).await?;
        assert_eq!(status.problems.len(), 1, "{status}");
        assert!(status.to_string().contains(&format!("problem: {sentence}")), "{status}");
    }
    let all = set(&[A, three, ("V4__d.sql", "SELECT 4;\n")]);
    let version = |text: &str| Version::parse(text).map_err(|error| format!("{error:?}"));
    let error = refused(jetbase::run(&all, target).to_version(version("5")?), 30 * SECOND).await?;
    assert_eq!(format!("{error:#}"), "no migration has the version 5; name a version of the set");
    let error =
        refused(jetbase::rollback(&all, target).to_version(version("4")?), 30 * SECOND).await?;
    assert!(
        matches!(error.kind(), ErrorKind::Refused(refusal) if matches!(refusal.problems[..], [Problem::NotApplied { .. }])),
        "{error:#}"
    );
    let error = refused(jetbase::rollback(&set(&[A]), target), 30 * SECOND).await?;
    assert!(
        format!("{error:#}")
            .starts_with("version 3 cannot be rolled back: its file V3__c.sql is missing"),
        "{error:#}"
    );
    assert_eq!(ctx.db.rows("SELECT * FROM jetbase_migrations").await?, before);
    lock_is_free(&ctx.db).await
}

async fn odd_texts(ctx: Context) -> TestResult {
    let files = [
        ("V1__it's {a} $1 ? %s :name.sql", "CREATE TABLE t (body VARCHAR(100));\n"),
        (
            "V2__größe 日本 🦀.sql",
            "INSERT INTO t (body) VALUES ('{me} {migrations} $1 ? %s :name 🦀');\n",
        ),
        (
            "V3__long_line.sql",
            &format!("INSERT INTO t (body) VALUES ('x'); -- {}\n", "y".repeat(200_000)),
        ),
    ];
    let set = set(&files);
    assert_eq!(jetbase::run_url(&set, &ctx.db.url).await?.applied.len(), 3);
    assert!(jetbase::run_url(&set, &ctx.db.url).await?.is_up_to_date());
    let names = ctx
        .db
        .rows("SELECT filename, description FROM jetbase_migrations ORDER BY order_executed")
        .await?;
    let row = |file: &str, text: &str| vec![Some(file.to_owned()), Some(text.to_owned())];
    assert_eq!(
        names,
        [
            row("V1__it's {a} $1 ? %s :name.sql", "it's {a} $1 ? %s :name"),
            row("V2__größe 日本 🦀.sql", "größe 日本 🦀"),
            row("V3__long_line.sql", "long line"),
        ]
    );
    let body = ctx.db.value("SELECT body FROM t WHERE body <> 'x'").await?;
    assert_eq!(body.as_deref(), Some("{me} {migrations} $1 ? %s :name 🦀"));
    Ok(())
}

async fn locked_file(ctx: Context) -> TestResult {
    let mut other = SqliteConnection::connect(&ctx.db.url).await?;
    sqlx::raw_sql("CREATE TABLE mine (id INTEGER); BEGIN EXCLUSIVE").execute(&mut other).await?;
    let (set, url) = (one(), ctx.db.url.clone());
    let run = jetbase::run_url(&set, &url).wait(Wait::UpTo(2 * SECOND));
    let error = refused(run, 6 * SECOND).await?;
    let (code, help) = database(&error)?;
    assert_eq!(
        (code, help),
        ("5", "another program writes to the file: wait until it is done"),
        "{error:#}"
    );
    assert!(format!("{error:#}").contains("database is locked"), "{error:#}");
    // Who lets go in time is waited for.
    let url = ctx.db.url.clone();
    let run = tokio::spawn(async move { jetbase::run_url(&one(), &url).await });
    tokio::time::sleep(SECOND).await;
    assert!(!run.is_finished());
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await?;
    assert_eq!(run.await??.applied.len(), 1);
    Ok(())
}

const CANNOT_OPEN: &str =
    "check that the file exists (`?mode=rwc` creates it), is not a folder, and may be written";

async fn broken_files(ctx: Context) -> TestResult {
    let folder = std::path::Path::new(&ctx.db.name).parent().ok_or("a folder")?;
    let garbage = folder.join("garbage.db");
    std::fs::write(
        &garbage,
        "this is no database, but a text of more than a few bytes\n".repeat(100),
    )?;
    for (path, code, cure) in [
        (garbage.clone(), "26", "check the path: the file is not an SQLite database"),
        (folder.to_owned(), "14", CANNOT_OPEN),
        (folder.join("missing.db"), "14", CANNOT_OPEN),
        (folder.join("no/such/folder.db"), "14", CANNOT_OPEN),
    ] {
        let url = format!("sqlite://{}", path.display());
        let error = refused(jetbase::run_url(&one(), &url), 10 * SECOND).await?;
        assert_eq!(database(&error)?, (code, cure), "{url}: {error:#}");
        assert!(jetbase::check(&one(), DatabaseUrl(&url)).await.is_err(), "{url}");
    }
    assert!(!folder.join("missing.db").exists(), "a look made a file");
    assert!(std::fs::read_to_string(garbage)?.starts_with("this is no database"));
    Ok(())
}

async fn read_only_file(ctx: Context) -> TestResult {
    jetbase::run_url(&one(), &ctx.db.url).await?;
    let url = format!("sqlite://{}?mode=ro", ctx.db.name);
    let two = set(&[A, ("V2__b.sql", "CREATE TABLE b (id INTEGER);\n")]);
    assert!(jetbase::run_url(&one(), &url).await?.is_up_to_date());
    assert_eq!(jetbase::status(&two, DatabaseUrl(&url)).await?.pending.len(), 1);
    assert_eq!(
        jetbase::lock_status(&two, DatabaseUrl(&url)).await?.to_string(),
        "Status: UNLOCKED"
    );
    let error = refused(jetbase::run_url(&two, &url), 10 * SECOND).await?;
    assert_eq!(database(&error)?, ("8", "open the file with write access"), "{error:#}");
    assert!(ctx.db.rows("SELECT * FROM b").await.is_err(), "a migration ran");
    assert_eq!(jetbase::run_url(&two, &ctx.db.url).await?.applied.len(), 1);
    Ok(())
}
