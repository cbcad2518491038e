//! A process or its server is killed at each statement of a file whose statements commit by
//! themselves. The next run goes on with the file.

use std::sync::Arc;
use std::time::Duration;

use jetbase::{DatabaseUrl, ErrorKind, Folder, JournalError, Migrations, Options, Resume};
use jetbase_test_harness::{Database, DatabaseKind, DatabaseServer, TestError};

use crate::case::{CaseContext, CaseResult};
use crate::files::{check_count, check_lock_is_free};
use crate::holding_relay::HoldingRelay;
use crate::worker_group::{StartMode, WorkerGroup};

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KillTarget {
    Process,
    Server,
}

/// The number of statements in the file.
const STATEMENTS: usize = 10;

/// The sums over all kills.
#[derive(Debug, Default)]
struct KillTotals {
    kills: usize,
    of_servers: usize,
    /// How many statements were permanent after a kill, and how often.
    permanent: [usize; STATEMENTS + 1],
    /// How often a run has asked about a statement in doubt.
    asked: usize,
}

/// Ten statements. Each has a mark, and leaves an effect that can be counted.
fn text(kind: DatabaseKind) -> String {
    let (mode, index) = match kind {
        DatabaseKind::Mysql => ("", "CREATE /*s7*/ INDEX i7 ON k1 (id)"),
        DatabaseKind::Postgres => {
            ("-- jetbase: transaction=off\n", "CREATE /*s7*/ INDEX CONCURRENTLY i7 ON k1 (id)")
        }
        DatabaseKind::Sqlite => {
            ("-- jetbase: transaction=off\n", "CREATE /*s7*/ INDEX i7 ON k1 (id)")
        }
    };
    let row = |number| {
        // SQLite has no server that the test could stop in a statement, and MySQL gets several statements in
        // one packet. So their statements are slow.
        let slow = match kind {
            DatabaseKind::Sqlite => {
                " WHERE 0 < (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT max(i) FROM n)"
            }
            DatabaseKind::Mysql => " FROM (SELECT SLEEP(0.01)) AS pause",
            DatabaseKind::Postgres => "",
        };
        format!("INSERT /*s{number}*/ INTO effects SELECT {number}{slow};\n")
    };
    format!(
        "{mode}CREATE /*s1*/ TABLE k1 (id INTEGER);\n{}CREATE /*s3*/ TABLE k3 (id INTEGER);\n{}\
         ALTER /*s5*/ TABLE k1 ADD COLUMN c5 INTEGER;\n{}{index};\n{}\
         CREATE /*s9*/ TABLE k9 (id INTEGER);\n{}",
        row(2),
        row(4),
        row(6),
        row(8),
        row(10)
    )
}

const FILE: &str = "V1__ten.sql";

fn set(group: &WorkerGroup) -> Migrations {
    Migrations::load(Folder::read(&group.migrations()).files, Options::NONE)
}

/// A case on a server of its own. The process is killed at each statement.
pub(crate) async fn processes(kind: DatabaseKind, ctx: CaseContext) -> CaseResult {
    on_server(kind, KillTarget::Process, ctx).await
}

/// A case on a server of its own, which is killed at each statement.
pub(crate) async fn servers(kind: DatabaseKind, ctx: CaseContext) -> CaseResult {
    on_server(kind, KillTarget::Server, ctx).await
}

async fn on_server(kind: DatabaseKind, victim: KillTarget, ctx: CaseContext) -> CaseResult {
    let server = Arc::new(DatabaseServer::start(kind).await?);
    let mut sum = KillTotals::default();
    for round in 0..ctx.size.pick(100, 10) {
        let statement = round % STATEMENTS + 1;
        let db = Database::fresh(Some(&server)).await?;
        kill_at(&server, &db, victim, statement, &mut sum).await.map_err(|error| {
            format!("round {round}, {victim:?} at statement {statement}: {error:#}")
        })?;
        db.remove().await;
    }
    server.stop();
    Ok(shown(&sum))
}

/// A case on SQLite files: the process is killed at moments that are spread over the whole file.
pub(crate) async fn sqlite(ctx: CaseContext) -> CaseResult {
    let mut sum = KillTotals::default();
    let rounds = ctx.size.pick(200, 20);
    // The moment moves back when the file had already ended, and forward otherwise.
    let mut longest = 0.25_f64;
    let mut round = 0;
    while sum.kills < rounds {
        round += 1;
        let db = Database::sqlite()?;
        db.execute("CREATE TABLE effects (id INTEGER)").await?;
        let mut group = WorkerGroup::new(&db, &[(FILE.to_owned(), text(db.kind))])?;
        let worker = group.start(&[], StartMode::AtOnce)?;
        let started = |it: &crate::journal::JournalEntry| it.event == "started";
        group.until(Duration::from_secs(60), started).await?;
        let part = (sum.kills as f64 + fastrand::f64()) / rounds as f64;
        tokio::time::sleep(Duration::from_secs_f64(longest * part)).await;
        if group.kill(worker).await? {
            longest *= 1.01;
            sum.kills += 1;
            go_on(&db, &set(&group), &mut sum)
                .await
                .map_err(|error| format!("round {round}: {error:#}"))?;
        } else {
            longest *= 0.95;
        }
        db.remove().await;
    }
    Ok(shown(&sum))
}

fn shown(sum: &KillTotals) -> String {
    let KillTotals { kills, of_servers, permanent, asked } = sum;
    format!(
        "{kills} kills, {of_servers} of them of the server: each effect exactly once; permanent after the kill \
         (from 0 to {STATEMENTS} statements): {permanent:?}; {asked} statements were in doubt, and the run asked"
    )
}

/// Runs the file and kills the victim at a statement: before the server gets it, or a moment after. If the server gets
/// the whole file in one packet, the moments are spread over the file.
async fn kill_at(
    server: &DatabaseServer,
    db: &Database,
    victim: KillTarget,
    statement: usize,
    sum: &mut KillTotals,
) -> Result<(), TestError> {
    db.execute("CREATE TABLE effects (id INTEGER)").await?;
    let mut trigger = HoldingRelay::start(db, format!("/*s{statement}*/")).await?;
    let mut group = WorkerGroup::new(db, &[(FILE.to_owned(), text(db.kind))])?;
    let url = format!("url={}", trigger.relayed(db)?.url);
    let worker = group.start(&[&url], StartMode::AtOnce)?;
    trigger.wait(Duration::from_secs(60)).await?;
    let in_one_packet = db.kind == DatabaseKind::Mysql;
    if in_one_packet || fastrand::bool() {
        trigger.forward();
        let longest = if in_one_packet { 120_000 } else { 8_000 };
        tokio::time::sleep(Duration::from_micros(fastrand::u64(0..longest))).await;
    }
    match victim {
        KillTarget::Process => drop(group.kill(worker).await?),
        KillTarget::Server => {
            server.crash()?;
            sum.of_servers += 1;
            server.start_again().await?;
            trigger.forward();
            group.code(worker, Duration::from_secs(60)).await?;
        }
    }
    drop(trigger);
    sum.kills += 1;
    go_on(db, &set(&group), sum).await
}

/// Runs until the file is recorded, answers what a run asks, and checks each effect.
async fn go_on(db: &Database, set: &Migrations, sum: &mut KillTotals) -> Result<(), TestError> {
    let unfinished = jetbase::journal(set, DatabaseUrl(&db.url)).await?.files;
    let done = match unfinished.first() {
        Some(unfinished) => unfinished.done,
        None if db.rows("SELECT * FROM k1").await.is_err() => 0,
        None => STATEMENTS,
    };
    sum.permanent[done.min(STATEMENTS)] += 1;
    let mut resume = None;
    loop {
        let mut run = jetbase::run(set, DatabaseUrl(&db.url));
        if let Some(resume) = resume {
            run = run.resume(resume);
        }
        let error = match run.await {
            Ok(_) => break,
            Err(error) => error,
        };
        let ErrorKind::Journal(JournalError::InDoubt { statement, .. }) = error.kind() else {
            return Err(format!("{error:#}").into());
        };
        sum.asked += 1;
        let has_effect = has_effect(db, *statement).await?;
        resume = Some(if has_effect { Resume::After(*statement) } else { Resume::At(*statement) });
    }
    for number in [2, 4, 6, 8, 10] {
        let count = format!("SELECT count(*) FROM effects WHERE id = {number}");
        check_count(db, &count, 1, &format!("effects of statement {number}")).await?;
    }
    for number in [1, 3, 5, 7, 9] {
        if !has_effect(db, number).await? {
            return Err(format!("statement {number} has no effect").into());
        }
    }
    check_count(db, "SELECT count(*) FROM jetbase_migrations", 1, "versions are recorded").await?;
    check_count(db, "SELECT count(*) FROM jetbase_journal", 0, "rows in the journal").await?;
    check_lock_is_free(db).await
}

async fn has_effect(db: &Database, statement: usize) -> Result<bool, TestError> {
    let query = match statement {
        1 | 3 | 9 => format!("SELECT count(*) FROM k{statement}"),
        5 => "SELECT count(c5) FROM k1".to_owned(),
        7 => match db.kind {
            DatabaseKind::Postgres => {
                "SELECT 1 / count(*) FROM pg_index WHERE indexrelid = 'i7'::regclass AND indisvalid"
                    .to_owned()
            }
            DatabaseKind::Mysql => "SELECT count(*) FROM k1 FORCE INDEX (i7)".to_owned(),
            DatabaseKind::Sqlite => "SELECT count(*) FROM k1 INDEXED BY i7 WHERE id = 1".to_owned(),
        },
        number => {
            let count = format!("SELECT count(*) FROM effects WHERE id = {number}");
            return Ok(db.value(&count).await?.as_deref() != Some("0"));
        }
    };
    Ok(db.rows(&query).await.is_ok())
}
