//! Runs through PgBouncer: many processes, a killed holder, and files that change their session.

use std::time::{Duration, Instant};

use jetbase::{DatabaseUrl, Folder, Migrations, Options};
use jetbase_test_harness::{Database, TestError};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, Row};

use crate::bouncer::{Bouncer, PoolMode};
use crate::case::{CaseContext, CaseResult};
use crate::files;
use crate::storm::storm;
use crate::worker::HELD;
use crate::worker_group::{StartMode, WorkerGroup};

/// The startup parameters that PgBouncer ignores: those that jetbase's connections send, those that
/// sqlx's pools send, and none.
const IGNORED: [&str; 3] = ["extra_float_digits,options", "extra_float_digits", ""];

/// All settings: each pooling mode with each list of ignored parameters.
fn settings() -> impl Iterator<Item = (PoolMode, &'static str)> {
    let modes = [PoolMode::Transaction, PoolMode::Session];
    modes.into_iter().flat_map(|mode| IGNORED.into_iter().map(move |ignored| (mode, ignored)))
}

/// Describes a setting.
fn describe((mode, ignored): (PoolMode, &str)) -> String {
    let ignored = if ignored.is_empty() { "nothing" } else { ignored };
    format!("{} pooling, {ignored} ignored", mode.name())
}

/// Many processes start with an empty database, and half of the rounds use pools.
pub(crate) async fn storms(ctx: CaseContext) -> CaseResult {
    let (processes, rounds) = (ctx.size.pick(20, 8), ctx.size.pick(5, 1));
    let mut slowest = Duration::ZERO;
    for setting in settings() {
        let in_setting = |error: TestError| format!("{}: {error:#}", describe(setting));
        for round in 0..rounds {
            let db = ctx.fresh().await?;
            let (mode, ignored) = setting;
            // In session pooling, a client keeps its connection. A process may have two.
            let size = if mode == PoolMode::Session { 2 * processes } else { 6 };
            let bouncer = Bouncer::start(&db, mode, ignored, size).await?;
            // A pool of sqlx cannot connect if PgBouncer refuses its parameter.
            let arguments: &[&str] =
                if ignored.is_empty() || round % 2 == 0 { &[] } else { &["pool=yes"] };
            let (all, _) =
                storm(&bouncer.pooled(&db)?, processes, arguments).await.map_err(in_setting)?;
            slowest = slowest.max(all);
            drop(bouncer);
            files::verify(&db, 8).await.map_err(in_setting)?;
            db.remove().await;
        }
    }
    Ok(format!(
        "{processes} processes, {rounds} rounds in each of 6 settings; a round at most {slowest:.1?}"
    ))
}

/// How the lock of a killed holder is recovered.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Recovery {
    /// Over a direct connection.
    Direct,
    /// After a timeout.
    Timeout,
    /// Not at all, because a file ran outside a transaction.
    None,
}

/// The holder is killed. With a direct URL, the next process continues at once.
pub(crate) async fn direct(ctx: CaseContext) -> CaseResult {
    let mut times = Vec::new();
    let selected = settings().step_by(ctx.size.pick(1, 5));
    for setting in selected {
        let in_setting = |error: TestError| format!("{}: {error:#}", describe(setting));
        let (time, class) = killed(&ctx, setting, Recovery::Direct).await.map_err(in_setting)?;
        if class != "01" || time > Duration::from_secs(5) {
            return Err(
                in_setting(format!("class {class}, {time:.1?} to the next holder").into()).into()
            );
        }
        times.push(time);
    }
    let (count, most) = (times.len(), times.iter().max().copied().unwrap_or_default());
    Ok(format!(
        "{count} settings: at most {most:.1?} from the kill to the next holder, each version once"
    ))
}

/// The holder is killed. Without a direct URL, the next process continues after thirty seconds.
pub(crate) async fn timeout(ctx: CaseContext) -> CaseResult {
    let mut times = Vec::new();
    let selected = settings().filter(|(_, ignored)| *ignored != "extra_float_digits");
    for setting in selected {
        let in_setting = |error: TestError| format!("{}: {error:#}", describe(setting));
        let (time, class) = killed(&ctx, setting, Recovery::Timeout).await.map_err(in_setting)?;
        if class != "04" || !(29..45).contains(&time.as_secs()) {
            return Err(
                in_setting(format!("class {class}, {time:.1?} to the next holder").into()).into()
            );
        }
        times.push(format!("{time:.1?}"));
    }
    Ok(format!("from the kill to the next holder {}, each version once", times.join(", ")))
}

/// Kills the holder during the second file. Returns the time to the next holder, and the class in the
/// id of the first one.
async fn killed(
    ctx: &CaseContext,
    setting: (PoolMode, &str),
    recovery: Recovery,
) -> Result<(Duration, String), TestError> {
    let db = ctx.fresh().await?;
    let bouncer = Bouncer::start(&db, setting.0, setting.1, 10).await?;
    let mut group = WorkerGroup::new(
        &bouncer.pooled(&db)?,
        &files::effects(db.kind, 5, ctx.size.pick(1000, 500)),
    )?;
    let direct = format!("direct={}", db.url);
    let arguments: Vec<&str> = if recovery == Recovery::Direct { vec![&direct] } else { vec![] };
    for _ in 0..4 {
        group.start(&arguments, StartMode::AtOnce)?;
    }
    let second =
        |it: &crate::journal::JournalEntry| it.event == "started" && it.detail.starts_with("V2__");
    let holder = group.until(Duration::from_secs(30), second).await?.pid;
    let id = db.value("SELECT process_id FROM jetbase_lock").await?.unwrap_or_default();
    tokio::time::sleep(Duration::from_millis(300)).await;
    group.kill(holder).await?;
    let start = Instant::now();
    let next = |it: &crate::journal::JournalEntry| it.event == "acquired" && it.pid != holder;
    group.until(Duration::from_secs(60), next).await?;
    let time = start.elapsed();
    group.finish(Duration::from_secs(60)).await?;
    group.journal.no_errors()?;
    group.journal.no_overlap()?;
    drop(bouncer);
    files::verify(&db, 5).await?;
    db.remove().await;
    Ok((time, id.get(6..8).unwrap_or_default().to_owned()))
}

/// The holder is killed after its last file. With a direct URL, the next process releases the stale
/// lock. Without one, and after a file outside a transaction, a process cannot check the holder. It
/// fails with an error until the lock is released by `unlock`.
pub(crate) async fn stale(ctx: CaseContext) -> CaseResult {
    let mut message = String::new();
    for recovery in [Recovery::Direct, Recovery::None] {
        let db = ctx.fresh().await?;
        let bouncer = Bouncer::start(&db, PoolMode::Transaction, IGNORED[0], 10).await?;
        let pooled = bouncer.pooled(&db)?;
        let index =
            "-- jetbase: transaction=off\nCREATE INDEX CONCURRENTLY i ON effects (version);\n";
        let files = [files::first(db.kind), ("V2__index.sql".to_owned(), index.to_owned())];
        let pending = if recovery == Recovery::Direct { &files[..1] } else { &files[..] };
        let mut group = WorkerGroup::new(&pooled, pending)?;
        let direct = format!("direct={}", db.url);
        let arguments: &[&str] = if recovery == Recovery::Direct { &[&direct] } else { &[] };
        // A slow listener keeps the lock after each file. The holder is killed after the first file.
        let holder = group.start(&[arguments, &["pause=20"]].concat(), StartMode::AtOnce)?;
        let done = |it: &crate::journal::JournalEntry| it.event == "finished";
        group.until(Duration::from_secs(60), done).await?;
        group.kill(holder).await?;
        let next = group.start(&[arguments, &["wait=3"]].concat(), StartMode::AtOnce)?;
        let code = group.code(next, Duration::from_secs(30)).await?;
        let error = group.last_entry(next, "error");
        match recovery {
            Recovery::Direct if code == 0 => {}
            Recovery::None if code == i32::from(HELD) && error.contains("jetbase unlock") => {
                message = error;
                let set =
                    Migrations::load(Folder::read(&group.migrations()).files, Options::default());
                jetbase::unlock(&set, DatabaseUrl(&pooled.url)).await?;
            }
            _ => return Err(format!("the next one ended with {code}: {error}").into()),
        }
        drop(bouncer);
        files::check_count(&db, "SELECT count(*) FROM jetbase_migrations", 1, "versions recorded")
            .await?;
        files::check_lock_is_free(&db).await?;
        db.remove().await;
    }
    Ok(format!(
        "the next process releases it over a direct URL; without one, and outside a transaction: \"{message}\", then unlocked"
    ))
}

/// The settings of a dump for its session.
const DUMP: &str = "SET statement_timeout = 1234;
SET lock_timeout = 2345;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET client_min_messages = error;
SET row_security = off;
SET default_table_access_method = heap;
SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE;
SET ROLE pg_monitor;
RESET ROLE;
CREATE TABLE public.dumped (id INTEGER);
";

/// A query for the settings of a session.
const SETTINGS: &str =
    "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings
WHERE name IN ('statement_timeout', 'lock_timeout', 'search_path', 'check_function_bodies', 'role',
  'client_min_messages', 'row_security', 'default_transaction_isolation',
  'idle_session_timeout', 'idle_in_transaction_session_timeout')";

/// A dump changes its session. The changes do not reach other clients of the pooler.
pub(crate) async fn dump(ctx: CaseContext) -> CaseResult {
    for setting in settings() {
        let db = ctx.fresh().await?;
        // All clients share one connection to the server.
        let bouncer = Bouncer::start(&db, setting.0, setting.1, 1).await?;
        let pooled = bouncer.pooled(&db)?;
        let before = settings_of_client(&pooled).await?;
        let own = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let broken = format!("{DUMP}SELECT 1 / 0;\n");
        let files = [own("V1__dump.sql", DUMP), own("V2__broken.sql", &broken)];
        let mut group = WorkerGroup::new(&pooled, &files[..1])?;
        for (count, code) in [(1, 0), (2, 1)] {
            group.write(&files[..count])?;
            let pid = group.start(&[], StartMode::AtOnce)?;
            let found = group.code(pid, Duration::from_secs(30)).await?;
            let error = group.last_entry(pid, "error");
            let after = settings_of_client(&pooled).await?;
            if found != code || after != before {
                let setting = describe(setting);
                return Err(format!(
                    "{setting}: file {count} ended with {found} ({error}); before {before}, afterwards {after}"
                )
                .into());
            }
        }
        drop(bouncer);
        files::check_count(&db, "SELECT count(*) FROM jetbase_migrations", 1, "versions recorded")
            .await?;
        files::check_lock_is_free(&db).await?;
        db.remove().await;
    }
    Ok("6 settings, one shared connection: a file with 9 settings for its session, and one that then fails, do \
        not change other clients"
        .to_owned())
}

/// A file outside a transaction that changes settings of its session.
const NO_TRANSACTION: &str = "-- jetbase: transaction=off
SET statement_timeout = 4321;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE INDEX CONCURRENTLY dumped_id ON public.dumped (id);
";

/// A file outside a transaction is refused without a direct URL, because the pooler may send each
/// statement to another session. Other clients work at the same time.
pub(crate) async fn no_transaction(ctx: CaseContext) -> CaseResult {
    let rounds = ctx.size.pick(5, 1);
    let mut message = String::new();
    for _ in 0..rounds {
        let db = ctx.fresh().await?;
        let bouncer = Bouncer::start(&db, PoolMode::Transaction, IGNORED[0], 3).await?;
        let pooled = bouncer.pooled(&db)?;
        let mut sessions = Vec::new();
        for _ in 0..3 {
            sessions.push(connect(&pooled).await?);
        }
        let before = settings_of_sessions(&mut sessions).await?;
        let own = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let plain = "-- jetbase: transaction=off\nCREATE INDEX CONCURRENTLY d ON dumped (id);\n";
        let files = [
            own("V1__dump.sql", DUMP),
            own("V2__plain.sql", plain),
            own("V3__off.sql", NO_TRANSACTION),
        ];
        let mut group = WorkerGroup::new(&pooled, &files)?;
        let direct = format!("direct={}", db.url);
        for (arguments, expected) in [(vec![], 1), (vec![direct.as_str()], 0)] {
            let pid = group.start(&arguments, StartMode::AtOnce)?;
            loop {
                // The other clients run short transactions.
                for session in &mut sessions {
                    sqlx::raw_sql("BEGIN; SELECT pg_sleep(0.002); COMMIT").execute(session).await?;
                }
                group.journal.refresh()?;
                if group.journal.all("end").any(|it| it.pid == pid) {
                    break;
                }
            }
            let code = group.code(pid, Duration::from_secs(10)).await?;
            let (error, after) =
                (group.last_entry(pid, "error"), settings_of_sessions(&mut sessions).await?);
            if code != expected
                || after != before
                || (expected == 1 && !error.contains("direct_url"))
            {
                return Err(
                    format!("ended with {code} ({error:#}); {before:?} became {after:?}").into()
                );
            }
            if expected == 1 {
                message = error;
            }
        }
        files::check_count(&db, "SELECT count(*) FROM jetbase_migrations", 3, "versions recorded")
            .await?;
        drop((sessions, bouncer));
        db.remove().await;
    }
    Ok(format!(
        "{rounds} rounds, 3 sessions, other clients did not change: \"{message}\"; with a direct URL it runs"
    ))
}

/// Returns the settings of all sessions of the pooler. Each client keeps its session meanwhile.
async fn settings_of_sessions(clients: &mut [PgConnection]) -> Result<Vec<String>, TestError> {
    for client in &mut *clients {
        sqlx::raw_sql("BEGIN").execute(client).await?;
    }
    let mut settings = Vec::new();
    for client in &mut *clients {
        let row = sqlx::raw_sql(SETTINGS).fetch_one(client).await?;
        settings.push(row.try_get_unchecked::<String, _>(0)?);
    }
    for client in &mut *clients {
        sqlx::raw_sql("COMMIT").execute(client).await?;
    }
    Ok(settings)
}

async fn connect(pooled: &Database) -> Result<PgConnection, TestError> {
    let options: PgConnectOptions = pooled.url.parse()?;
    Ok(options.extra_float_digits(None).connect().await?)
}

/// Returns the settings of another client, which sends no startup parameter of sqlx.
async fn settings_of_client(pooled: &Database) -> Result<String, TestError> {
    let mut connection = connect(pooled).await?;
    let row = sqlx::raw_sql(SETTINGS).fetch_one(&mut connection).await?;
    let text = row.try_get_unchecked::<String, _>(0)?;
    connection.close().await?;
    Ok(text)
}
