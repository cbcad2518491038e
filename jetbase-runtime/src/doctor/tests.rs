use std::time::Duration;

use jetbase_core::{Dialect, PlanError, Problem, Version};

use super::diagnose::diagnose;
use super::facts::{Facts, ServerFacts, SessionFacts, WorkFacts};
use super::{Diagnosis, DiagnosticLevel};
use crate::connection::{Cause, ResultRow};
use crate::error::{Error, ErrorKind, NamespaceError, SettingError, TableError};
use crate::query::LockStatus;
use crate::run::Published;
use crate::session::{Liveness, Topology};
use crate::state::Namespace;
use crate::target::ConnectionOwner;
use crate::wait::Wait;

/// The facts of a database where nothing is wrong.
fn facts(dialect: Dialect) -> Facts {
    let row = [
        ("server", "PostgreSQL 15.6"),
        ("is_read_only", "f"),
        ("login", "app"),
        ("user_name", "app"),
        ("zone", "UTC"),
        ("timeouts", ""),
        ("connections", "3"),
        ("most_connections", "97"),
        ("tables", "jetbase_lock, jetbase_migrations"),
        ("has_index", "t"),
    ];
    let liveness = match dialect {
        Dialect::Postgres => Liveness::Advisory,
        Dialect::MySql => Liveness::GetLock,
        Dialect::Sqlite => Liveness::None,
    };
    Facts {
        dialect,
        role: None,
        wait: Ok(Wait::WhileAlive),
        lease: Ok(Duration::from_secs(300)),
        has_direct_url: false,
        published: Published::Refuse,
        server: Some(ServerFacts { row: ResultRow::of(&row), ..ServerFacts::default() }),
        namespace: Ok(Namespace {
            schema: "public".to_owned(),
            user: "app".to_owned(),
            search_path: "\"$user\", public".to_owned(),
            database: "shop".to_owned(),
            syntax: jetbase_core::Syntax::of(dialect),
            trusted: Vec::new(),
        }),
        work: Some(Ok(WorkFacts { applied: 3, pending: 1 })),
        unfinished: Vec::new(),
        session: Some(Ok(SessionFacts {
            owner: ConnectionOwner::Run,
            liveness,
            topology: Topology::SingleWriter,
            pooled: false,
            published: Vec::new(),
            zone: "Europe/Berlin".to_owned(),
            file: (dialect == Dialect::Sqlite).then(|| "/data/app.db".to_owned()),
            lock: Some(Ok(free())),
        })),
    }
}

fn free() -> LockStatus {
    LockStatus {
        locked: false,
        locked_at: None,
        process_id: None,
        holder: None,
        alive: None,
        unfinished: Vec::new(),
    }
}

fn held(alive: Option<bool>) -> LockStatus {
    LockStatus {
        locked: true,
        locked_at: Some("2026-11-23 14:30:22".to_owned()),
        process_id: Some("7f9c24e8".to_owned()),
        holder: Some("process 7f9c24e8".to_owned()),
        alive,
        unfinished: Vec::new(),
    }
}

/// Changes the row of the server.
fn with(facts: Facts, changes: &[(&str, &str)]) -> Facts {
    let mut server = facts.server.clone().unwrap_or_default();
    let names = [
        "server",
        "is_read_only",
        "login",
        "user_name",
        "is_superuser",
        "zone",
        "timeouts",
        "connections",
        "most_connections",
        "filtered",
        "tables",
        "has_index",
    ];
    let values = names.map(|name| {
        let change = changes.iter().find(|(changed, _)| *changed == name);
        (name, change.map(|(_, value)| *value).or(server.row.opt(name)))
    });
    let row: Vec<_> = values.iter().filter_map(|(name, value)| Some((*name, (*value)?))).collect();
    server.row = ResultRow::of(&row);
    Facts { server: Some(server), ..facts }
}

/// Changes the session.
fn in_session(mut facts: Facts, change: impl FnOnce(&mut SessionFacts)) -> Facts {
    if let Some(Ok(session)) = &mut facts.session {
        change(session);
    }
    facts
}

/// Changes the answers of the server besides its row.
fn in_server(mut facts: Facts, change: impl FnOnce(&mut ServerFacts)) -> Facts {
    if let Some(server) = &mut facts.server {
        change(server);
    }
    facts
}

fn right(missing: &str, is_required: &str) -> ResultRow {
    let grant = format!("GRANT {missing} TO app");
    ResultRow::of(&[
        ("missing", missing),
        ("grant_statement", &grant),
        ("is_required", is_required),
    ])
}

/// Returns the lines that are not good.
fn not_good(facts: &Facts) -> String {
    let diagnostics = diagnose(facts).into_iter();
    let lines = diagnostics.filter(|line| line.level != DiagnosticLevel::Good);
    Diagnosis { diagnostics: lines.collect() }.to_string()
}

#[test]
fn a_database_where_nothing_is_wrong_has_good_lines_only() {
    let texts = Dialect::ALL
        .map(|dialect| Diagnosis { diagnostics: diagnose(&facts(dialect)) }.to_string());
    insta::assert_snapshot!(texts.join("\n\n"));
}

#[test]
fn each_line_that_is_not_good_says_what_to_do() {
    let postgres = || facts(Dialect::Postgres);
    let mysql = || facts(Dialect::MySql);
    let published = |published| {
        let facts = in_session(postgres(), |it| it.published = vec!["everything".to_owned()]);
        Facts { published, ..facts }
    };
    let blocked = |error: Error| Facts {
        namespace: Err(error),
        work: None,
        session: None,
        server: None,
        ..postgres()
    };
    let missing =
        Problem::Missing { version: Version::parse("2").unwrap(), file: "V2__b.sql".to_owned() };
    let lock = |alive| in_session(postgres(), |it| it.lock = Some(Ok(held(alive))));
    let cases = [
        Facts { wait: Err(SettingError::Wait { value: "x".to_owned() }), ..postgres() },
        Facts { lease: Err(SettingError::Lease { value: "x".to_owned() }), ..postgres() },
        with(postgres(), &[("is_read_only", "t")]),
        with(facts(Dialect::Sqlite), &[("server", "SQLite 3.51.3"), ("is_read_only", "1")]),
        in_server(postgres(), |it| {
            it.row = ResultRow::default();
            it.refused =
                Some(Cause { message: "permission denied".to_owned(), ..Cause::default() });
        }),
        with(postgres(), &[("connections", "96")]),
        in_session(postgres(), |it| (it.pooled, it.liveness) = (true, Liveness::None)),
        in_session(postgres(), |it| it.liveness = Liveness::None),
        in_session(mysql(), |it| it.liveness = Liveness::None),
        in_session(mysql(), |it| it.topology = Topology::Cluster),
        in_session(postgres(), |it| {
            (it.owner, it.liveness) = (ConnectionOwner::Caller, Liveness::None);
        }),
        published(Published::Refuse),
        published(Published::Allow),
        in_server(postgres(), |it| {
            it.missing_rights = vec![
                right("CREATE on the schema public", "t"),
                right("DELETE on the table x", "f"),
            ];
        }),
        in_server(postgres(), |it| it.missing_rights = vec![right("DELETE on the table x", "f")]),
        in_server(mysql(), |it| {
            it.missing_rights = vec![right("CREATE on the database shop", "1")];
            it.roles = vec!["migrator".to_owned()];
        }),
        with(postgres(), &[("filtered", "jetbase_migrations")]),
        in_server(with(postgres(), &[("has_index", "f")]), |it| {
            it.add_index = "CREATE UNIQUE INDEX i\n  ON jetbase_migrations (version)".to_owned();
        }),
        blocked(NamespaceError::InTransaction.into()),
        blocked(NamespaceError::NoDatabase.into()),
        blocked(TableError::RowsFiltered.into()),
        Facts { work: Some(Err(PlanError { problems: vec![missing] }.into())), ..postgres() },
        lock(Some(true)),
        lock(None),
        in_session(postgres(), |it| {
            let (obstacle, waited) = ("a session that locks the table".to_owned(), Duration::ZERO);
            it.lock = Some(Err(Error::new(ErrorKind::Blocked { obstacle, waited })));
        }),
    ];
    let texts = cases.iter().map(not_good).collect::<Vec<_>>();
    insta::assert_snapshot!(texts.join("\n\n"));
    for facts in &cases {
        for line in diagnose(facts) {
            assert_eq!(line.help.is_empty(), line.level == DiagnosticLevel::Good, "{line:?}");
        }
    }
}

#[test]
fn the_lock_of_a_dead_holder_is_no_warning() {
    let facts = in_session(facts(Dialect::Postgres), |it| {
        it.lock = Some(Ok(held(Some(false))));
    });
    let lines = diagnose(&facts);
    let lock = lines.iter().find(|line| line.subject == "lock").unwrap();
    assert_eq!(
        (lock.level, lock.message.as_str()),
        (
            DiagnosticLevel::Good,
            "held by process 7f9c24e8 since 2026-11-23 14:30:22, which is dead: the next run takes it over"
        )
    );
}
