use jetbase::{DatabaseUrl, Migrations};
use jetbase_test_harness::{
    Database, DatabaseKind, Needs, Suite, TestContext, TestError, TestResult,
};

use super::{column, result_of};
use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    let (postgres, mysql) = (&[DatabaseKind::Postgres][..], &[DatabaseKind::Mysql][..]);
    let own = Needs::OWN_SERVER;
    suite.each("settings_of_the_server_do_not_change_a_run", mysql, own, server);
    suite.each("the_variable_init_connect_does_not_change_a_run", mysql, own, at_connect);
    suite.each("no_setting_of_a_role_changes_a_run", postgres, Needs::NOTHING, role);
    suite.each("no_setting_of_a_database_changes_a_run", postgres, Needs::NOTHING, database);
}

/// Files of every mode, whose effects can be counted.
fn files() -> Migrations {
    set(&[
        ("V1__table.sql", "CREATE TABLE t (id INTEGER PRIMARY KEY);\n-- rollback\nDROP TABLE t;\n"),
        (
            "V2__rows.sql",
            "INSERT INTO t (id) VALUES (1);\nINSERT INTO t (id) VALUES (2);\n\
             -- rollback\nDELETE FROM t WHERE id IN (1, 2);\n",
        ),
        (
            "V3__both.sql",
            "CREATE TABLE u (id INTEGER PRIMARY KEY);\nINSERT INTO u (id) VALUES (3);\n\
             -- rollback\nDROP TABLE u;\n",
        ),
        (
            "V4__alone.sql",
            "-- jetbase: transaction=off\nINSERT INTO t (id) VALUES (4);\n\
             -- rollback\nDELETE FROM t WHERE id = 4;\n",
        ),
    ])
}

const NAMES: [&str; 4] = ["V1__table.sql", "V2__rows.sql", "V3__both.sql", "V4__alone.sql"];
const ACQUIRE_AS_PYTHON: &str = "UPDATE jetbase_lock SET is_locked = TRUE, locked_at = CURRENT_TIMESTAMP, \
                      process_id = '7f9c24e8-3b12-4fef-91e0-56a2d5a3f1c0' WHERE id = 1";

/// Runs every command under a setting, and checks the results without it.
async fn check_commands(db: &Database, url: &str, on: &str, off: &str) -> TestResult {
    let (set, target) = (files(), DatabaseUrl(url));
    db.admin(on).await?;
    let report = jetbase::run(&set, target).await;
    db.admin(off).await?;
    same("files that were applied", report?.applied.len(), 4)?;
    check_tables(db, &NAMES, &["1", "2", "4"]).await?;

    db.admin(on).await?;
    let again = jetbase::run(&set, target).await;
    let history = jetbase::history(&set, target).await;
    let status = jetbase::status(&set, target).await;
    let rolled = jetbase::rollback(&set, target).await;
    db.admin(off).await?;
    same("files that were applied again", again?.applied.len(), 0)?;
    same("rows of the history", history?.records.len(), 4)?;
    same("applied files in the status", status?.applied.len(), 4)?;
    same("files that were rolled back", rolled?.applied.len(), 1)?;
    check_tables(db, &NAMES[..3], &["1", "2"]).await?;

    db.execute(ACQUIRE_AS_PYTHON).await?;
    db.admin(on).await?;
    let locked = jetbase::lock_status(&set, target).await;
    let unlocked = jetbase::unlock(&set, target).await;
    let free = jetbase::lock_status(&set, target).await;
    db.admin(off).await?;
    same("whether it is locked", locked?.locked, true)?;
    same("whether a holder was unlocked", unlocked?.holder.is_some(), true)?;
    same("whether it is locked afterwards", free?.locked, false)?;
    check_tables(db, &NAMES[..3], &["1", "2"]).await?;

    if db.kind == DatabaseKind::Mysql {
        let engines = format!(
            "SELECT DISTINCT engine FROM information_schema.tables \
             WHERE table_schema = '{}' AND table_name LIKE 'jetbase%'",
            db.name
        );
        same(
            "engines of jetbase's tables",
            column(db, &engines).await?,
            vec!["InnoDB".to_owned()],
        )?;
    }
    Ok(())
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> TestResult {
    if found == expected {
        return Ok(());
    }
    Err(format!("{what}: {found:?} instead of {expected:?}").into())
}

/// Checks the history, the lock and the table of the files.
async fn check_tables(db: &Database, files: &[&str], ids: &[&str]) -> TestResult {
    let recorded = column(db, "SELECT filename FROM jetbase_migrations ORDER BY 1").await?;
    let found = column(db, "SELECT id FROM t ORDER BY id").await?;
    let locked = db.value("SELECT is_locked FROM jetbase_lock").await?;
    let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    same("recorded files", recorded, own(files))?;
    same("rows of t", found, own(ids))?;
    same("the lock", locked.as_deref(), Some("0"))
}

/// Global variables and values that change how statements behave.
const VARIABLES: &[(&str, &str)] = &[
    ("sql_select_limit", "1"),
    ("sql_select_limit", "0"),
    ("sql_safe_updates", "1"),
    ("autocommit", "0"),
    ("completion_type", "1"),
    ("completion_type", "2"),
    ("default_storage_engine", "MyISAM"),
    ("default_storage_engine", "Aria"),
    ("default_storage_engine", "MEMORY"),
    ("transaction_read_only", "1"),
    ("tx_read_only", "1"),
    ("tx_isolation", "'SERIALIZABLE'"),
    ("tx_isolation", "'READ-UNCOMMITTED'"),
    ("sql_mode", "'ANSI,NO_BACKSLASH_ESCAPES'"),
    ("sql_mode", "'ORACLE'"),
    ("sql_mode", "'IGNORE_SPACE,HIGH_NOT_PRECEDENCE,PIPES_AS_CONCAT,NO_UNSIGNED_SUBTRACTION'"),
    ("sql_mode", "'TRADITIONAL'"),
    ("sql_auto_is_null", "1"),
    ("max_join_size", "1"),
    ("group_concat_max_len", "4"),
    ("lock_wait_timeout", "1"),
    ("innodb_lock_wait_timeout", "1"),
    ("max_statement_time", "0.005"),
    ("max_execution_time", "5"),
    ("idle_transaction_timeout", "1"),
    ("character_set_server", "latin1"),
    ("collation_server", "latin1_german1_ci"),
    ("character_set_client", "latin1"),
    ("character_set_results", "latin1"),
    ("explicit_defaults_for_timestamp", "0"),
    ("sql_notes", "0"),
    ("max_error_count", "0"),
    ("auto_increment_increment", "5"),
    ("sql_if_exists", "1"),
    ("low_priority_updates", "1"),
    ("check_constraint_checks", "0"),
    ("div_precision_increment", "0"),
    ("time_zone", "'-11:00'"),
];

/// The values that MySQL does not have.
const UNKNOWN_TO_MYSQL: &[&str] = &["Aria", "'ORACLE'"];

/// Creates a user without special rights. `init_connect` applies only to such users.
async fn user(db: &Database, name: &str) -> Result<String, TestError> {
    db.admin(&format!("CREATE USER IF NOT EXISTS {name}@'%' IDENTIFIED BY 'x'")).await?;
    db.admin(&format!("GRANT ALL ON {}.* TO {name}@'%'", db.name)).await?;
    Ok(db.url_as(name, "x"))
}

async fn server(ctx: TestContext) -> TestResult {
    let mut errors = Vec::new();
    let is_mysql = !ctx.db.is_mariadb().await?;
    for (name, value) in VARIABLES {
        let known = ctx.db.rows(&format!("SHOW GLOBAL VARIABLES LIKE '{name}'")).await?;
        if known.is_empty() || (is_mysql && UNKNOWN_TO_MYSQL.contains(value)) {
            continue;
        }
        let db = ctx.another().await?;
        let url = user(&db, "plain").await?;
        let on = format!("SET GLOBAL {name} = {value}");
        let old = known[0][1].clone().unwrap_or_default();
        let number = old.parse::<f64>().is_ok();
        let off = format!("SET GLOBAL {name} = {}", if number { old } else { format!("'{old}'") });
        // A change of `max_join_size` also changes `sql_big_selects`.
        let off = format!("{off}; SET GLOBAL sql_big_selects = 1");
        if let Err(error) = check_commands(&db, &url, &on, &off).await {
            db.admin(&off).await?;
            errors.push(format!("{name} = {value}: {error:#}"));
        }
    }
    result_of(errors)
}

async fn at_connect(ctx: TestContext) -> TestResult {
    let mut errors = Vec::new();
    for text in [
        "SET autocommit = 0",
        "SET NAMES latin1",
        "SET SESSION sql_select_limit = 1, sql_safe_updates = 1, completion_type = 1",
        "SET SESSION TRANSACTION READ ONLY",
        "SET SESSION default_storage_engine = MyISAM, sql_mode = 'ANSI_QUOTES'",
    ] {
        let db = ctx.another().await?;
        let url = user(&db, "plain").await?;
        let on = format!("SET GLOBAL init_connect = \"{text}\"");
        let off = "SET GLOBAL init_connect = ''";
        if let Err(error) = check_commands(&db, &url, &on, off).await {
            db.admin(off).await?;
            errors.push(format!("{text}: {error:#}"));
        }
    }
    result_of(errors)
}

/// Settings that change how statements behave.
const SETTINGS: &[&str] = &[
    "default_transaction_read_only = on",
    "default_transaction_isolation = 'serializable'",
    "default_transaction_isolation = 'repeatable read'",
    "default_transaction_deferrable = on",
    "search_path = 'public, pg_catalog'",
    "client_encoding = 'LATIN1'",
    "statement_timeout = '1ms'",
    "lock_timeout = '1ms'",
    "idle_in_transaction_session_timeout = '1ms'",
    "row_security = off",
    "transform_null_equals = on",
    "intervalstyle = 'sql_standard'",
    "intervalstyle = 'iso_8601'",
    "datestyle = 'German, DMY'",
    "datestyle = 'SQL, DMY'",
    "bytea_output = 'escape'",
    "standard_conforming_strings = off",
    "backslash_quote = off",
    "quote_all_identifiers = on",
    "array_nulls = off",
    "extra_float_digits = -15",
    "timezone = 'Pacific/Kiritimati'",
    "client_min_messages = 'debug5'",
    "check_function_bodies = off",
    "default_tablespace = ''",
    "enable_seqscan = off",
    "enable_indexscan = off",
    "plan_cache_mode = 'force_generic_plan'",
    "force_parallel_mode = on",
    "from_collapse_limit = 1",
    "escape_string_warning = on",
    "xmloption = 'document'",
    "work_mem = '64kB'",
    "default_toast_compression = 'pglz'",
    "synchronous_commit = off",
    "application_name = 'other'",
];

async fn role(ctx: TestContext) -> TestResult {
    let name = format!("{}_plain", ctx.db.name);
    ctx.db.admin(&format!("CREATE ROLE {name} LOGIN PASSWORD 'x'")).await?;
    let mut errors = Vec::new();
    for setting in SETTINGS {
        if !is_known(&ctx.db, setting).await {
            continue;
        }
        let db = ctx.another().await?;
        db.execute(&format!("GRANT ALL ON SCHEMA public TO {name}")).await?;
        let on = format!("ALTER ROLE {name} SET {}", listed(setting));
        let off = format!("ALTER ROLE {name} RESET ALL");
        if let Err(error) = check_commands(&db, &db.url_as(&name, "x"), &on, &off).await {
            db.admin(&off).await?;
            errors.push(format!("{setting}: {error:#}"));
        }
        db.execute(&format!("DROP OWNED BY {name} CASCADE")).await?;
    }
    ctx.db.admin(&format!("DROP ROLE {name}")).await?;
    result_of(errors)
}

/// Whether the server has the setting. Versions before 14 lack some of them.
async fn is_known(db: &Database, setting: &str) -> bool {
    let name = setting.split(' ').next().unwrap_or_default();
    db.rows(&format!("SHOW {name}")).await.is_ok()
}

/// Removes the quotes of a list of schemas, because they would make it one name.
fn listed(setting: &str) -> String {
    if setting.starts_with("search_path") { setting.replace('\'', "") } else { setting.to_owned() }
}

async fn database(ctx: TestContext) -> TestResult {
    let mut errors = Vec::new();
    for setting in SETTINGS {
        if !is_known(&ctx.db, setting).await {
            continue;
        }
        let db = ctx.another().await?;
        let on = format!("ALTER DATABASE {} SET {}", db.name, listed(setting));
        let off = format!("ALTER DATABASE {} RESET ALL", db.name);
        if let Err(error) = check_commands(&db, &db.url, &on, &off).await {
            db.admin(&off).await?;
            errors.push(format!("{setting}: {error:#}"));
        }
    }
    result_of(errors)
}
