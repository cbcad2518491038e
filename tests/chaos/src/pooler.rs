//! Through PgBouncer: storms, a killed holder, and files that change their session.

use std::time::{Duration, Instant};

use jetbase::{DatabaseUrl, Folder, Migrations, Options};
use jetbase_test_harness::{Database, TestError};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, Row};

use crate::bench::{CaseContext, CaseResult};
use crate::bouncer::{Bouncer, PoolMode};
use crate::files;
use crate::storm::storm;
use crate::worker::HELD;
use crate::worker_group::{StartMode, WorkerGroup};

/// What PgBouncer may be told about startup parameters: what our connections send, what sqlx's
/// pools send, nothing.
const IGNORED: [&str; 3] = ["extra_float_digits,options", "extra_float_digits", ""];

/// All settings: how connections are shared, and what is ignored.
fn settings() -> impl Iterator<Item = (PoolMode, &'static str)> {
    let modes = [PoolMode::Transaction, PoolMode::Session];
    modes.into_iter().flat_map(|mode| IGNORED.into_iter().map(move |ignored| (mode, ignored)))
}

/// A setting in words.
fn shown((mode, ignored): (PoolMode, &str)) -> String {
    let ignored = if ignored.is_empty() { "nothing" } else { ignored };
    format!("{} pooling, {ignored} ignored", mode.name())
}

/// 20 processes from an empty database, half of them with pools.
pub(crate) async fn storms(ctx: CaseContext) -> CaseResult {
    let (processes, rounds) = (ctx.size.pick(20, 8), ctx.size.pick(5, 1));
    let mut slowest = Duration::ZERO;
    for setting in settings() {
        let wrong = |error: TestError| format!("{}: {error:#}", shown(setting));
        for round in 0..rounds {
            let db = ctx.fresh().await?;
            let (mode, ignored) = setting;
            // In session pooling a client keeps its connection, and each process may have two.
            let size = if mode == PoolMode::Session { 2 * processes } else { 6 };
            let bouncer = Bouncer::start(&db, mode, ignored, size).await?;
            // A pool of sqlx cannot connect at all where its own parameter is refused.
            let words: &[&str] =
                if ignored.is_empty() || round % 2 == 0 { &[] } else { &["pool=yes"] };
            let (all, _) = storm(&bouncer.before(&db)?, processes, words).await.map_err(wrong)?;
            slowest = slowest.max(all);
            drop(bouncer);
            files::verify(&db, 8).await.map_err(wrong)?;
            db.remove().await;
        }
    }
    Ok(format!(
        "{processes} processes, {rounds} rounds in each of 6 settings; a round at most {slowest:.1?}"
    ))
}

/// How a killed holder is recovered from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Recovery {
    /// By a target past the pooler.
    Direct,
    /// By the clock of those who wait.
    Timed,
    /// Not at all: what it did is not fenced.
    Nobody,
}

/// The holder is killed; with a direct URL the next one goes on at once.
pub(crate) async fn direct(ctx: CaseContext) -> CaseResult {
    let mut told = Vec::new();
    let few = settings().step_by(ctx.size.pick(1, 5));
    for setting in few {
        let wrong = |error: TestError| format!("{}: {error:#}", shown(setting));
        let (time, class) = killed(&ctx, setting, Recovery::Direct).await.map_err(wrong)?;
        if class != "01" || time > Duration::from_secs(5) {
            return Err(
                wrong(format!("class {class}, {time:.1?} to the next holder").into()).into()
            );
        }
        told.push(time);
    }
    let (count, most) = (told.len(), told.iter().max().copied().unwrap_or_default());
    Ok(format!(
        "{count} settings: at most {most:.1?} from the kill to the next holder, each version once"
    ))
}

/// The holder is killed; without a direct URL the others wait for thirty seconds of silence.
pub(crate) async fn timed(ctx: CaseContext) -> CaseResult {
    let mut told = Vec::new();
    let few = settings().filter(|(_, ignored)| *ignored != "extra_float_digits");
    for setting in few {
        let wrong = |error: TestError| format!("{}: {error:#}", shown(setting));
        let (time, class) = killed(&ctx, setting, Recovery::Timed).await.map_err(wrong)?;
        if class != "04" || !(29..45).contains(&time.as_secs()) {
            return Err(
                wrong(format!("class {class}, {time:.1?} to the next holder").into()).into()
            );
        }
        told.push(format!("{time:.1?}"));
    }
    Ok(format!("from the kill to the next holder {}, each version once", told.join(", ")))
}

/// Kills the holder in the second file; returns the time to the next holder, and the first one's class.
async fn killed(
    ctx: &CaseContext,
    setting: (PoolMode, &str),
    recovery: Recovery,
) -> Result<(Duration, String), TestError> {
    let db = ctx.fresh().await?;
    let bouncer = Bouncer::start(&db, setting.0, setting.1, 10).await?;
    let mut group = WorkerGroup::new(
        &bouncer.before(&db)?,
        &files::effects(db.kind, 5, ctx.size.pick(1000, 500)),
    )?;
    let direct = format!("direct={}", db.url);
    let words: Vec<&str> = if recovery == Recovery::Direct { vec![&direct] } else { vec![] };
    for _ in 0..4 {
        group.start(&words, StartMode::AtOnce)?;
    }
    let second =
        |it: &crate::journal::JournalEntry| it.what == "started" && it.rest.starts_with("V2__");
    let holder = group.until(Duration::from_secs(30), second).await?.pid;
    let id = db.value("SELECT process_id FROM jetbase_lock").await?.unwrap_or_default();
    tokio::time::sleep(Duration::from_millis(300)).await;
    group.kill(holder).await?;
    let begun = Instant::now();
    let next = |it: &crate::journal::JournalEntry| it.what == "acquired" && it.pid != holder;
    group.until(Duration::from_secs(60), next).await?;
    let time = begun.elapsed();
    group.finish(Duration::from_secs(60)).await?;
    group.journal.no_errors()?;
    group.journal.no_overlap()?;
    drop(bouncer);
    files::verify(&db, 5).await?;
    db.remove().await;
    Ok((time, id.get(6..8).unwrap_or_default().to_owned()))
}

/// The holder is killed behind its last file. Over a target past the pooler, the next process frees the
/// row, with nothing else to do. Without one, and with a file outside transactions, nobody can know:
/// the others say so, until somebody unlocks.
pub(crate) async fn left(ctx: CaseContext) -> CaseResult {
    let mut told = String::new();
    for recovery in [Recovery::Direct, Recovery::Nobody] {
        let db = ctx.fresh().await?;
        let bouncer = Bouncer::start(&db, PoolMode::Transaction, IGNORED[0], 10).await?;
        let seen = bouncer.before(&db)?;
        let index =
            "-- jetbase: transaction=off\nCREATE INDEX CONCURRENTLY i ON effects (version);\n";
        let files = [files::first(db.kind), ("V2__index.sql".to_owned(), index.to_owned())];
        let pending = if recovery == Recovery::Direct { &files[..1] } else { &files[..] };
        let mut group = WorkerGroup::new(&seen, pending)?;
        let direct = format!("direct={}", db.url);
        let words: &[&str] = if recovery == Recovery::Direct { &[&direct] } else { &[] };
        // A slow listener keeps the lock behind each file: behind the first it is killed.
        let holder = group.start(&[words, &["pause=20"]].concat(), StartMode::AtOnce)?;
        let done = |it: &crate::journal::JournalEntry| it.what == "finished";
        group.until(Duration::from_secs(60), done).await?;
        group.kill(holder).await?;
        let next = group.start(&[words, &["wait=3"]].concat(), StartMode::AtOnce)?;
        let code = group.code(next, Duration::from_secs(30)).await?;
        let last_entry = group.last_entry(next, "error");
        match recovery {
            Recovery::Direct if code == 0 => {}
            Recovery::Nobody
                if code == i32::from(HELD) && last_entry.contains("jetbase unlock") =>
            {
                told = last_entry;
                let set =
                    Migrations::load(Folder::read(&group.migrations()).files, Options::default());
                jetbase::unlock(&set, DatabaseUrl(&seen.url)).await?;
            }
            _ => return Err(format!("the next one ended with {code}: {last_entry}").into()),
        }
        drop(bouncer);
        files::expect(&db, "SELECT count(*) FROM jetbase_migrations", 1, "versions recorded")
            .await?;
        files::free(&db).await?;
        db.remove().await;
    }
    Ok(format!(
        "freed by the next process over a direct URL; without one, and outside transactions: \"{told}\", then unlocked"
    ))
}

/// What a dump sets at its beginning, for the whole session.
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

/// What another client sees of its session.
const SEEN: &str = "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_settings
WHERE name IN ('statement_timeout', 'lock_timeout', 'search_path', 'check_function_bodies', 'role',
  'client_min_messages', 'row_security', 'default_transaction_isolation',
  'idle_session_timeout', 'idle_in_transaction_session_timeout')";

/// A file like a dump changes its session; nothing of it reaches the pooler's other clients.
pub(crate) async fn dump(ctx: CaseContext) -> CaseResult {
    for setting in settings() {
        let db = ctx.fresh().await?;
        // All clients share one connection to the server.
        let bouncer = Bouncer::start(&db, setting.0, setting.1, 1).await?;
        let seen = bouncer.before(&db)?;
        let before = look(&seen).await?;
        let own = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let broken = format!("{DUMP}SELECT 1 / 0;\n");
        let files = [own("V1__dump.sql", DUMP), own("V2__broken.sql", &broken)];
        let mut group = WorkerGroup::new(&seen, &files[..1])?;
        for (count, code) in [(1, 0), (2, 1)] {
            group.write(&files[..count])?;
            let pid = group.start(&[], StartMode::AtOnce)?;
            let found = group.code(pid, Duration::from_secs(30)).await?;
            let told = group.last_entry(pid, "error");
            let after = look(&seen).await?;
            if found != code || after != before {
                let setting = shown(setting);
                return Err(format!(
                    "{setting}: file {count} ended with {found} ({told}); before {before}, behind it {after}"
                )
                .into());
            }
        }
        drop(bouncer);
        files::expect(&db, "SELECT count(*) FROM jetbase_migrations", 1, "versions recorded")
            .await?;
        files::free(&db).await?;
        db.remove().await;
    }
    Ok("6 settings, one shared connection: a file that sets 9 things for its session, and one that fails behind \
        them, leave other clients as they were"
        .to_owned())
}

/// What a file sets that works outside a transaction, statement by statement.
const OFF: &str = "-- jetbase: transaction=off
SET statement_timeout = 4321;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE INDEX CONCURRENTLY dumped_id ON public.dumped (id);
";

/// The same with a file outside transactions, while other clients are at work: the pooler may send
/// each of its statements to another session, so it is refused, unless there is a target past the pooler.
pub(crate) async fn off(ctx: CaseContext) -> CaseResult {
    let rounds = ctx.size.pick(5, 1);
    let mut told = String::new();
    for _ in 0..rounds {
        let db = ctx.fresh().await?;
        let bouncer = Bouncer::start(&db, PoolMode::Transaction, IGNORED[0], 3).await?;
        let seen = bouncer.before(&db)?;
        let mut sessions = Vec::new();
        for _ in 0..3 {
            sessions.push(connect(&seen).await?);
        }
        let before = pinned(&mut sessions).await?;
        let own = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let plain = "-- jetbase: transaction=off\nCREATE INDEX CONCURRENTLY d ON dumped (id);\n";
        let files =
            [own("V1__dump.sql", DUMP), own("V2__plain.sql", plain), own("V3__off.sql", OFF)];
        let mut group = WorkerGroup::new(&seen, &files)?;
        let direct = format!("direct={}", db.url);
        for (words, wanted) in [(vec![], 1), (vec![direct.as_str()], 0)] {
            let pid = group.start(&words, StartMode::AtOnce)?;
            loop {
                // Short transactions, in turn, of clients that know nothing of it.
                for session in &mut sessions {
                    sqlx::raw_sql("BEGIN; SELECT pg_sleep(0.002); COMMIT").execute(session).await?;
                }
                group.journal.refresh()?;
                if group.journal.all("end").any(|it| it.pid == pid) {
                    break;
                }
            }
            let code = group.code(pid, Duration::from_secs(10)).await?;
            let (error, after) = (group.last_entry(pid, "error"), pinned(&mut sessions).await?);
            if code != wanted || after != before || (wanted == 1 && !error.contains("direct_url")) {
                return Err(
                    format!("ended with {code} ({error:#}); {before:?} became {after:?}").into()
                );
            }
            if wanted == 1 {
                told = error;
            }
        }
        files::expect(&db, "SELECT count(*) FROM jetbase_migrations", 3, "versions recorded")
            .await?;
        drop((sessions, bouncer));
        db.remove().await;
    }
    Ok(format!(
        "{rounds} rounds, 3 sessions, other clients unharmed: \"{told}\"; with a direct URL it runs"
    ))
}

/// What all sessions of the pooler show, each held for a moment.
async fn pinned(clients: &mut [PgConnection]) -> Result<Vec<String>, TestError> {
    for client in &mut *clients {
        sqlx::raw_sql("BEGIN").execute(client).await?;
    }
    let mut told = Vec::new();
    for client in &mut *clients {
        let row = sqlx::raw_sql(SEEN).fetch_one(client).await?;
        told.push(row.try_get_unchecked::<String, _>(0)?);
    }
    for client in &mut *clients {
        sqlx::raw_sql("COMMIT").execute(client).await?;
    }
    Ok(told)
}

async fn connect(seen: &Database) -> Result<PgConnection, TestError> {
    let options: PgConnectOptions = seen.url.parse()?;
    Ok(options.extra_float_digits(None).connect().await?)
}

/// What another client sees, one that sends no parameter of sqlx's own.
async fn look(seen: &Database) -> Result<String, TestError> {
    let mut connection = connect(seen).await?;
    let row = sqlx::raw_sql(SEEN).fetch_one(&mut connection).await?;
    let text = row.try_get_unchecked::<String, _>(0)?;
    connection.close().await?;
    Ok(text)
}
