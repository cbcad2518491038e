//! The migrations of the stress tests, and the checks of a database after them.

use jetbase::{Folder, Migrations, Options};
use jetbase_test_harness::{Database, DatabaseKind, TestError, scratch};

/// The first file creates the table that records what was executed.
pub(crate) fn first(kind: DatabaseKind) -> (String, String) {
    let moment = match kind {
        DatabaseKind::Postgres => "TIMESTAMP",
        DatabaseKind::Mysql => "DATETIME(6)",
        DatabaseKind::Sqlite => "TEXT",
    };
    // A MySQL group refuses rows of a table without a primary key.
    let id = match kind {
        DatabaseKind::Mysql => "id INTEGER AUTO_INCREMENT PRIMARY KEY, ",
        DatabaseKind::Postgres | DatabaseKind::Sqlite => "",
    };
    // On MySQL, a crash between the statement and its record must not make the next run fail.
    let text = format!(
        "CREATE TABLE IF NOT EXISTS effects ({id}version INTEGER NOT NULL, began {moment}, ended {moment});\n"
    );
    ("V1__effects.sql".to_owned(), text)
}

/// A file that runs for some milliseconds in a transaction and records its start and end.
pub(crate) fn effect(kind: DatabaseKind, version: usize, millis: u32) -> (String, String) {
    let now = moment(kind);
    let sleep = sleep(kind, millis);
    let text = format!(
        "INSERT INTO effects (version, began) VALUES ({version}, {now});\n{sleep};\n\
         UPDATE effects SET ended = {now} WHERE version = {version};\n"
    );
    (format!("V{version}__effect.sql"), text)
}

/// `first` and `effect`s up to a version.
pub(crate) fn effects(kind: DatabaseKind, versions: usize, millis: u32) -> Vec<(String, String)> {
    let rest = (2..=versions).map(|version| effect(kind, version, millis));
    std::iter::once(first(kind)).chain(rest).collect()
}

/// The set of these files.
pub(crate) fn load(files: &[(String, String)]) -> Result<Migrations, TestError> {
    let folder = scratch::folder("set")?;
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text)?;
    }
    Ok(Migrations::load(Folder::read(folder.path()).files, Options::default()))
}

fn moment(kind: DatabaseKind) -> &'static str {
    match kind {
        DatabaseKind::Postgres => "clock_timestamp()",
        DatabaseKind::Mysql => "SYSDATE(6)",
        DatabaseKind::Sqlite => "strftime('%Y-%m-%d %H:%M:%f', 'now')",
    }
}

/// A statement that takes this many milliseconds.
pub(crate) fn sleep(kind: DatabaseKind, millis: u32) -> String {
    let seconds = f64::from(millis) / 1000.0;
    match kind {
        DatabaseKind::Postgres => format!("SELECT pg_sleep({seconds})"),
        DatabaseKind::Mysql => format!("DO SLEEP({seconds})"),
        // SQLite cannot sleep, so it counts.
        DatabaseKind::Sqlite => format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) SELECT count(*) FROM n",
            millis * 2000
        ),
    }
}

/// Checks that every version up to this one was executed once and recorded once, that no two ran at
/// the same time, and that the lock is free.
pub(crate) async fn verify(db: &Database, versions: usize) -> Result<(), TestError> {
    let repeated = "SELECT version, count(*) FROM effects GROUP BY version HAVING count(*) <> 1";
    let repeated = db.rows(repeated).await?;
    if !repeated.is_empty() {
        return Err(format!("executed more than once (version, times): {repeated:?}").into());
    }
    check_count(db, "SELECT count(*) FROM effects", versions - 1, "versions were executed").await?;
    check_count(db, "SELECT count(*) FROM jetbase_migrations", versions, "versions are recorded")
        .await?;
    let distinct = "SELECT count(DISTINCT version) FROM jetbase_migrations";
    check_count(db, distinct, versions, "different versions are recorded").await?;
    let overlap = "SELECT a.version, b.version FROM effects a JOIN effects b
        ON a.version <> b.version AND a.began < b.ended AND b.began < a.ended";
    let overlap = db.rows(overlap).await?;
    if !overlap.is_empty() {
        return Err(format!("executed at the same time: {overlap:?}").into());
    }
    check_lock_is_free(db).await
}

/// Checks that the row is not locked and that no session lock is held.
pub(crate) async fn check_lock_is_free(db: &Database) -> Result<(), TestError> {
    let row = "SELECT is_locked, process_id FROM jetbase_lock";
    let row = db.rows(row).await?;
    let is_free = row.len() == 1 && row[0][0].as_deref() == Some("0") && row[0][1].is_none();
    if !is_free {
        return Err(format!("the lock is held: {row:?}").into());
    }
    if db.kind == DatabaseKind::Postgres {
        let held =
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 1784835700
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        check_count(db, held, 0, "session locks are held").await?;
    }
    Ok(())
}

/// Checks a count.
pub(crate) async fn check_count(
    db: &Database,
    sql: &str,
    count: usize,
    what: &str,
) -> Result<(), TestError> {
    let found = db.value(sql).await?.unwrap_or_default();
    if found != count.to_string() {
        return Err(format!("{found} instead of {count} {what}").into());
    }
    Ok(())
}
