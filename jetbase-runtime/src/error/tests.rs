//! The text of every error, so that a reader can read them in one place.

use std::error::Error as _;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

use jetbase_core::{
    Action, Dialect, Finding, MigrationKind, PlanError, Position, Problem, Version,
};

use super::*;
use crate::Report;
use crate::report::Applied;

/// Returns a cause with the driver's error.
fn cause() -> Cause {
    let driver = sqlx::Error::Protocol("the message of the driver".to_owned());
    Cause { kind: CauseKind::Database, ..Cause::of(driver) }
}

/// Returns the cause that a database reports with this code.
fn coded(code: &str) -> Cause {
    Cause { code: code.to_owned(), message: "the message".to_owned(), ..cause() }
}

/// Lists the texts. The text without the source follows the full text if it is different.
fn texts(errors: impl IntoIterator<Item = Error>) -> String {
    let mut list = String::new();
    for error in errors {
        let (full, plain) = (format!("{error:#}"), error.to_string());
        assert_eq!(format!("{error:?}"), full);
        assert_eq!(full == plain, error.source().is_none(), "{full}");
        let _ = writeln!(list, "{full}");
        if plain != full {
            let _ = writeln!(list, "    without its source: {}", plain.replace('\n', "\n    "));
        }
    }
    list
}

fn kinds(kinds: impl IntoIterator<Item = ErrorKind>) -> String {
    texts(kinds.into_iter().map(Error::new))
}

fn held(alive: Option<bool>, since: Option<&str>, waited: u64) -> ErrorKind {
    ErrorKind::Held {
        holder: "process 7".to_owned(),
        since: since.map(str::to_owned),
        alive,
        waited: Duration::from_secs(waited),
    }
}

fn lost(file: Option<&str>, kept: Kept) -> ErrorKind {
    ErrorKind::LockLost { file: file.map(str::to_owned), kept }
}

fn statement(kept: Kept) -> StatementError {
    StatementError {
        file: "V2__b.sql".to_owned(),
        position: Some(Position { line: 3, column: 13 }),
        snippet: "3 | INSERT INTO nowhere\n  |             ^^^^^^^".to_owned(),
        message: "relation \"nowhere\" does not exist".to_owned(),
        code: "42P01".to_owned(),
        detail: Some("the detail".to_owned()),
        context: None,
        hint: Some("the hint".to_owned()),
        statement: Some((2, 3)),
        leftover: None,
        detaching: None,
        kept,
    }
}

#[test]
fn texts_of_refusals_and_findings() {
    let problem = Problem::NotApplied { version: Version::parse("9").unwrap() };
    let finding = Finding::error("name", "V2__b.sql", "the message").help("the help");
    insta::assert_snapshot!(kinds([
        ErrorKind::Refused(PlanError { problems: vec![problem] }),
        ErrorKind::Findings(vec![finding]),
    ]), @r#"
version 9 is not applied; name a version that the history shows as applied
the message
 --> V2__b.sql
  = help: the help
"#);
}

#[test]
fn texts_about_the_namespace() {
    let (history, schema) = ("app".to_owned(), "public".to_owned());
    let (user, role) = ("joe".to_owned(), "owner".to_owned());
    let search_path = "\"$user\", public".to_owned();
    let not_found = |dialect| NamespaceError::SchemaNotFound { schema: "app".to_owned(), dialect };
    let other_user = |dialect| NamespaceError::OtherUser {
        expected: "owner".to_owned(),
        connected: "joe".to_owned(),
        dialect,
    };
    insta::assert_snapshot!(texts([
        NamespaceError::InTransaction,
        not_found(Dialect::Postgres),
        not_found(Dialect::MySql),
        NamespaceError::NoSchema { search_path: search_path.clone() },
        NamespaceError::NoDatabase,
        NamespaceError::OtherSchema { history, schema: schema.clone(), search_path },
        NamespaceError::SchemaUnsupported { schema },
        NamespaceError::RoleUnsupported { role: role.clone() },
        NamespaceError::RoleDenied { user, role, code: "42501".to_owned() },
        other_user(Dialect::Postgres),
        other_user(Dialect::MySql),
        NamespaceError::OtherDatabase { expected: "app".to_owned(), connected: "test".to_owned() },
    ].map(Error::from)), @r#"
the connection is inside a transaction, and a migration needs its own; commit the transaction, or pass the pool
this user sees no schema `app`; correct the name, or run CREATE SCHEMA "app": jetbase creates tables, not schemas
this user sees no database `app`; correct the name, or run CREATE DATABASE `app`: jetbase creates tables, not databases
no schema of the search path ("$user", public) exists; create one with CREATE SCHEMA, or name another one with `schema`
the URL names no database; append `/name` to the URL
the migration history is in the schema `app`, but new tables would go to `public`, the first schema of the search path ("$user", public); name the right schema with `schema`, or change the search path
SQLite has no schema `public`; remove the option `schema`, or open another file
the role `owner` cannot be set: only PostgreSQL can set a role for a run; remove the option `role`, and put the user into the URL
the connection works as `joe`, which may not set the role `owner` (42501); run GRANT "owner" TO "joe", or put another user into the URL
the run must work as `owner`, but its own connection works as `joe` and cannot change to `owner`; run GRANT "owner" TO "joe", or put `owner` into the URL
the run must work as `owner`, but its own connection works as `joe` and cannot change to `owner`; put `owner` into the URL: the pool's hooks do not run on this connection
the direct URL leads to the database `test`, but the program works on `app`; correct `direct_url` or JETBASE_DIRECT_URL
"#);
}

#[test]
fn texts_about_jetbases_tables() {
    insta::assert_snapshot!(texts([
        TableError::RowsFiltered,
        TableError::RowsMissing { received: 2, expected: 5 },
        TableError::InvalidVersion {
            order: 4,
            file: "V1__a.sql".to_owned(),
            version: "1\n".to_owned(),
        },
        TableError::UntrustedOwner {
            table: "jetbase_lock".to_owned(),
            owner: "mallory".to_owned(),
            fault: "has a rule".to_owned(),
        },
        TableError::Published { publication: "everything".to_owned() },
        TableError::NotTransactional {
            tables: vec!["jetbase_lock".to_owned(), "jetbase_migrations".to_owned()],
        },
        TableError::SequenceBehind { file: "V2__b.sql".to_owned(), schema: "public".to_owned() },
        TableError::ChangeIgnored {
            operation: "unlocking".to_owned(),
            table: "jetbase_lock".to_owned(),
        },
    ].map(Error::from)), @r#"
row-level security hides rows of jetbase_migrations from this user, so applied migrations would look pending; run as the owner of the table, grant BYPASSRLS, or run ALTER TABLE jetbase_migrations DISABLE ROW LEVEL SECURITY
the server sent 2 of the 5 rows of jetbase_migrations; a setting of the server or of this user limits or hides rows: remove it, and run again
the row 4 of jetbase_migrations (V1__a.sql) has the version `1\n`, which is not a version; run UPDATE jetbase_migrations SET version = '1' WHERE order_executed = 4
the table jetbase_lock belongs to `mallory` and has a rule, so it could run code of `mallory` with the rights of this user; make this user, a superuser or the database's owner the owner of the table, drop what is named, or trust `mallory` with `trust_owner`
the publication everything sends jetbase's tables to its subscribers, whose history would then list migrations that they do not have; run ALTER PUBLICATION "everything" DROP TABLE jetbase_lock, jetbase_migrations (if it is FOR ALL TABLES, create it again with a list of tables), or allow it with `Published::Allow`
the storage engine of jetbase_lock and jetbase_migrations has no transactions, so a file and its history row could not be committed together; run ALTER TABLE jetbase_lock ENGINE = InnoDB; ALTER TABLE jetbase_migrations ENGINE = InnoDB
V2__b.sql cannot be recorded: the sequence of jetbase_migrations is behind its rows, as after a copy without the sequence; run SELECT setval(pg_get_serial_sequence('"public".jetbase_migrations', 'order_executed'), (SELECT max(order_executed) FROM "public".jetbase_migrations)), then run again
unlocking failed: the database accepted the change of jetbase_lock and did not make it; remove the trigger, the rule or the policy on jetbase_lock that prevents it, and run again
"#);
}

#[test]
fn texts_about_settings() {
    let feature = UrlError::MissingFeature { scheme: "mariadb".to_owned(), feature: "mysql" };
    insta::assert_snapshot!(texts([
        SettingError::Wait { value: "soon".to_owned() },
        SettingError::Lease { value: "1ms".to_owned() },
        SettingError::DatabaseUrl(UrlError::UnknownScheme),
        SettingError::DatabaseUrl(feature),
        SettingError::DatabaseUrl(UrlError::Unreadable { reason: "invalid port number".to_owned() }),
        SettingError::DirectUrl(UrlError::OtherDialect { expected: Dialect::Postgres }),
    ].map(Error::from)), @r#"
JETBASE_WAIT is `soon`; write a length of time such as `30s` or `5min`, or `never`
JETBASE_LEASE is `1ms`; write a length of time of at least one second, such as `30s` or `5min`
the database URL does not begin with `postgres://`, `mysql://`, `mariadb://` or `sqlite://`; correct it
the database URL begins with `mariadb:`, but this program is built without the feature `mysql` of jetbase; run `cargo add jetbase --features mysql` and build it again
the database URL cannot be read: invalid port number; correct it
the direct URL leads to another kind of database than PostgreSQL; correct it
"#);
}

#[test]
fn texts_about_the_side_file() {
    let faults = [
        LockFileErrorKind::Empty,
        LockFileErrorKind::NotPlain { found: "a symbolic link" },
        LockFileErrorKind::HardLinks { count: 2 },
        LockFileErrorKind::Owner { user: 4321 },
        LockFileErrorKind::Refused { operation: "opened", reason: "permission denied".to_owned() },
    ];
    let path = PathBuf::from("app.db.jetbase-lock");
    let errors = faults.map(|kind| Error::from(LockFileError { path: path.clone(), kind }));
    insta::assert_snapshot!(texts(errors), @r#"
the lock file app.db.jetbase-lock is empty and another process holds a lock on it; end that process or remove the file, and run again
the lock file app.db.jetbase-lock is a symbolic link; remove it while no run is active, and run again
the lock file app.db.jetbase-lock has 2 names (hard links); remove it while no run is active, and run again
the lock file app.db.jetbase-lock belongs to user 4321, who may not write to the database; remove it while no run is active, and run again
the lock file app.db.jetbase-lock cannot be opened: permission denied; correct that, or remove the file while no run is active, and run again
"#);
}

#[test]
fn texts_about_files() {
    insta::assert_snapshot!(texts([
        FileErrorKind::ChangedDuringBuild,
        FileErrorKind::NeedsSession,
        FileErrorKind::EmptiesSession,
        FileErrorKind::LeavesObjects,
    ].map(|kind| Error::file("V2__b.sql", kind))), @r#"
V2__b.sql was changed while this program was compiled; compile it again
V2__b.sql changes its session beyond the end of a transaction, but behind a pooler each statement may run in another session, and other programs may get its settings; connect without the pooler: set `direct_url` or JETBASE_DIRECT_URL
V2__b.sql empties its session (DISCARD, RESET ALL, DEALLOCATE ALL, CLOSE ALL or UNLISTEN *), but this connection is borrowed, and its owner would lose what the session holds; pass a pool or a URL instead of `&mut` a connection
V2__b.sql creates something that lives as long as its session, such as a temporary table or a variable, but this connection is borrowed, and jetbase cannot remove it from there; pass a pool or a URL instead of `&mut` a connection
"#);
}

#[test]
fn texts_about_the_lock() {
    let obstacle = "another connection that locks the table jetbase_lock".to_owned();
    insta::assert_snapshot!(kinds([
        held(Some(true), Some("2026-01-01 12:00:00"), 5),
        held(None, None, 0),
        ErrorKind::Blocked { obstacle, waited: Duration::from_secs(3) },
        ErrorKind::HolderBusy { holder: "process 7".to_owned() },
        lost(None, Kept::Nothing),
        lost(Some("V2__b.sql"), Kept::Nothing),
        lost(Some("V2__b.sql"), Kept::Statements(1)),
        ErrorKind::SessionLockNotMoved,
        ErrorKind::PlanChanged,
        ErrorKind::Cancelled,
    ]), @r#"
the migration lock is held by process 7 since 2026-01-01 12:00:00, and was not released within 5.0s; the holder is alive: wait until it is done, or end it; only `jetbase unlock --force` takes the lock away
the migration lock is held by process 7; if you are sure that the holder is dead, run `jetbase unlock`
the migration lock is free, but could not be acquired within 3.0s; the obstacle is another connection that locks the table jetbase_lock; remove it, or wait until it ends, and run again
the lock cannot be released now: process 7 is executing a migration under it; wait until it is done, or end it, and run `jetbase unlock` again
another process took the migration lock away during the run; run again when no other process migrates
another process took the migration lock away during the run; V2__b.sql is not recorded, and nothing of it was kept: run again when no other process migrates
another process took the migration lock away during the run; V2__b.sql is not recorded, its first statement is permanent: correct the statements after it and run again, and the run goes on at statement 2
the session lock could not be moved to the new session of the next file, because another session holds it; run again
while this run waited for the lock, files became pending that commit by themselves; nothing was executed: run again
the run was stopped before it executed anything; run again
"#);
}

#[test]
fn texts_of_failed_statements() {
    let failed = |statement| Error::new(ErrorKind::Statement(Box::new(statement)));
    let commit = StatementError {
        position: None,
        snippet: String::new(),
        detail: None,
        hint: None,
        statement: None,
        ..statement(Kept::Statements(1))
    };
    let own = StatementError {
        message: "it ends its transaction itself".to_owned(),
        code: String::new(),
        hint: Some("remove it".to_owned()),
        kept: Kept::Nothing,
        ..commit.clone()
    };
    let applied = Applied {
        file: "V1__a.sql".to_owned(),
        version: Version::parse("1").ok(),
        kind: MigrationKind::Versioned,
        action: Action::Apply,
        elapsed: Duration::ZERO,
    };
    let report = Report { applied: vec![applied], ..Report::default() };
    insta::assert_snapshot!(texts([
        failed(statement(Kept::Nothing)).caused_by(&cause()).reporting(report),
        failed(commit).caused_by(&cause()),
        failed(own),
        failed(statement(Kept::Statements(2))),
        failed(statement(Kept::Perhaps(1))),
        failed(statement(Kept::Perhaps(2))),
    ]), @r#"
V2__b.sql:3:13: statement 2 of 3 failed: relation "nowhere" does not exist (42P01)
   3 | INSERT INTO nowhere
     |             ^^^^^^^
   = detail: the detail
   = hint: the hint
nothing of this file was kept; correct it and run again
done before this error, and kept: V1__a.sql
    without its source: V2__b.sql:3:13: statement 2 of 3 failed (42P01)
       3 | INSERT INTO nowhere
         |             ^^^^^^^
       = detail: the detail
       = hint: the hint
    nothing of this file was kept; correct it and run again
    done before this error, and kept: V1__a.sql
V2__b.sql: the commit failed: relation "nowhere" does not exist (42P01)
its first statement is permanent: correct the statements after it and run again, and the run goes on at statement 2
    without its source: V2__b.sql: the commit failed (42P01)
    its first statement is permanent: correct the statements after it and run again, and the run goes on at statement 2
V2__b.sql: it ends its transaction itself
   = hint: remove it
nothing of this file was kept; correct it and run again
V2__b.sql:3:13: statement 2 of 3 failed: relation "nowhere" does not exist (42P01)
   3 | INSERT INTO nowhere
     |             ^^^^^^^
   = detail: the detail
   = hint: the hint
its first 2 statements are permanent: correct the statements after them and run again, and the run goes on at statement 3
V2__b.sql:3:13: statement 2 of 3 failed: relation "nowhere" does not exist (42P01)
   3 | INSERT INTO nowhere
     |             ^^^^^^^
   = detail: the detail
   = hint: the hint
the effects of its first statement may be permanent, because the transaction had ended before the failure, or because a table has no transactions: check the database before you run again
V2__b.sql:3:13: statement 2 of 3 failed: relation "nowhere" does not exist (42P01)
   3 | INSERT INTO nowhere
     |             ^^^^^^^
   = detail: the detail
   = hint: the hint
the effects of its first 2 statements may be permanent, because the transaction had ended before the failure, or because a table has no transactions: check the database before you run again
"#);
}

#[test]
fn texts_of_lost_connections() {
    let outcomes = [Outcome::Committed, Outcome::RolledBack, Outcome::InDoubt, Outcome::Unknown];
    let errors = outcomes.map(|outcome| {
        let (file, message) = ("V2__b.sql".to_owned(), cause().message);
        Error::new(ErrorKind::Interrupted { file, outcome, message }).caused_by(&cause())
    });
    insta::assert_snapshot!(texts(errors), @r#"
the connection was lost during V2__b.sql (the message of the driver); the history shows that the file was committed: run again for the rest
    without its source: the connection was lost during V2__b.sql; the history shows that the file was committed: run again for the rest
the connection was lost during V2__b.sql (the message of the driver); the history shows that the file was not committed, and nothing of it was kept: run again
    without its source: the connection was lost during V2__b.sql; the history shows that the file was not committed, and nothing of it was kept: run again
the connection was lost during V2__b.sql (the message of the driver); the file is not recorded, but one of its statements may have taken effect: check the database, then run again
    without its source: the connection was lost during V2__b.sql; the file is not recorded, but one of its statements may have taken effect: check the database, then run again
the connection was lost during V2__b.sql (the message of the driver); it is not known whether the file was committed: run `jetbase history` to see it, then run again
    without its source: the connection was lost during V2__b.sql; it is not known whether the file was committed: run `jetbase history` to see it, then run again
"#);
}

#[test]
fn texts_of_database_errors() {
    let lost = Cause { kind: CauseKind::Lost, ..cause() };
    let pool = Cause::of(sqlx::Error::PoolTimedOut);
    let codes = [
        "28P01", "3D000", "1046", "3F000", "42501", "25006", "8", "53300", "57P03", "55P03", "5",
        "14", "26", "13", "3101", "XX000",
    ];
    let coded = codes.map(|code| Error::database("connecting", &coded(code)));
    let kept = Error::database("recording V2__b.sql", &cause()).keeping(Kept::Statements(2));
    let others = [Error::database("connecting", &lost), Error::database("connecting", &pool), kept];
    insta::assert_snapshot!(texts(others.into_iter().chain(coded)), @r#"
connecting: the message of the driver; check that the server runs, and that host and port are right
    without its source: connecting failed; check that the server runs, and that host and port are right
connecting: every connection of the pool is in use, and none came back in time; check the URL and the pool's settings
    without its source: connecting failed; check the URL and the pool's settings
recording V2__b.sql: the message of the driver; its first 2 statements are permanent: correct the statements after them and run again, and the run goes on at statement 3
    without its source: recording V2__b.sql failed; its first 2 statements are permanent: correct the statements after them and run again, and the run goes on at statement 3
connecting: the message (28P01); check user and password
    without its source: connecting failed (28P01); check user and password
connecting: the message (3D000); create the database first: jetbase creates tables, not databases
    without its source: connecting failed (3D000); create the database first: jetbase creates tables, not databases
connecting: the message (1046); name a database in the URL
    without its source: connecting failed (1046); name a database in the URL
connecting: the message (3F000); create the schema first: jetbase creates tables, not schemas
    without its source: connecting failed (3F000); create the schema first: jetbase creates tables, not schemas
connecting: the message (42501); grant the right to this user, or run as the owner
    without its source: connecting failed (42501); grant the right to this user, or run as the owner
connecting: the message (25006); the server accepts no writes: connect to the primary, with write access
    without its source: connecting failed (25006); the server accepts no writes: connect to the primary, with write access
connecting: the message (8); open the file with write access
    without its source: connecting failed (8); open the file with write access
connecting: the message (53300); wait, or raise the limit of connections
    without its source: connecting failed (53300); wait, or raise the limit of connections
connecting: the message (57P03); wait until the server has started
    without its source: connecting failed (57P03); wait until the server has started
connecting: the message (55P03); another connection locks the table jetbase_lock or jetbase_migrations: end it, or wait until it ends
    without its source: connecting failed (55P03); another connection locks the table jetbase_lock or jetbase_migrations: end it, or wait until it ends
connecting: the message (5); another program writes to the file: wait until it is done
    without its source: connecting failed (5); another program writes to the file: wait until it is done
connecting: the message (14); check that the file exists (`?mode=rwc` creates it), is not a folder, and may be written
    without its source: connecting failed (14); check that the file exists (`?mode=rwc` creates it), is not a folder, and may be written
connecting: the message (26); check the path: the file is not an SQLite database
    without its source: connecting failed (26); check the path: the file is not an SQLite database
connecting: the message (13); free space on the disk
    without its source: connecting failed (13); free space on the disk
connecting: the message (3101); the group of this MySQL server refuses transactions of this node at the moment: run again when the node has caught up with the group
    without its source: connecting failed (3101); the group of this MySQL server refuses transactions of this node at the moment: run again when the node has caught up with the group
connecting: the message (XX000)
    without its source: connecting failed (XX000)
"#);
}
