//! The real Python tool and jetbase's processes on the same database.

use std::time::{Duration, Instant};

use jetbase_test_harness::{Database, DatabaseKind, PythonProject, TestError};

use crate::case::{CaseContext, CaseResult};
use crate::files::{self, check_count};
use crate::worker::{HELD, LOST};
use crate::worker_group::{StartMode, WorkerGroup};

/// Enough files for both tools to get the lock.
const VERSIONS: usize = 30;

/// The number of extra rounds if the Python tool has not acquired the lock.
const EXTRA_ROUNDS: usize = 8;

/// Creates a Python project with the same files as a group of workers.
fn project(files: &[(String, String)]) -> Result<PythonProject, TestError> {
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    PythonProject::with(&files)
}

/// Records every change of the owner of the lock with a trigger.
async fn watch_owners(db: &Database) -> Result<(), TestError> {
    let table = "CREATE TABLE owners (old_id VARCHAR(36), new_id VARCHAR(36))";
    // The trigger runs with the search path of the session that changes the lock.
    let schema = if db.kind == DatabaseKind::Postgres { "public." } else { "" };
    let insert = format!("INSERT INTO {schema}owners VALUES (OLD.process_id, NEW.process_id)");
    let event = "AFTER UPDATE ON jetbase_lock FOR EACH ROW";
    let trigger = match db.kind {
        DatabaseKind::Postgres => format!(
            "CREATE FUNCTION record_owner() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {insert}; RETURN NULL; END $$;
             CREATE TRIGGER record_owner {event} EXECUTE FUNCTION record_owner()"
        ),
        DatabaseKind::Mysql => format!("CREATE TRIGGER record_owner {event} {insert}"),
        DatabaseKind::Sqlite => format!("CREATE TRIGGER record_owner {event} BEGIN {insert}; END"),
    };
    db.execute(table).await?;
    db.execute(&trigger).await
}

/// Returns how often each tool held the lock. Fails if a process took the lock of the Python tool.
async fn owners(db: &Database) -> Result<(usize, usize), TestError> {
    let (mut python, mut ours) = (0, 0);
    for row in db.rows("SELECT old_id, new_id FROM owners").await? {
        let is_ours = |id: &str| id.starts_with("6a6250");
        match (&row[0], &row[1]) {
            (Some(old), Some(new)) if !is_ours(old) => {
                return Err(
                    format!("the process {new} took the lock of the Python tool ({old})").into()
                );
            }
            (_, Some(new)) if is_ours(new) => ours += 1,
            (_, Some(_)) => python += 1,
            _ => {}
        }
    }
    Ok((python, ours))
}

/// Both tools work at the same time until all files are applied.
pub(crate) async fn mixed(ctx: CaseContext) -> CaseResult {
    let rounds = ctx.size.pick(5, 1);
    let (mut python, mut ours, mut refused) = (0, 0, 0);
    let mut round = 0;
    while round < rounds || (python == 0 && round < rounds + EXTRA_ROUNDS) {
        round += 1;
        let db = ctx.fresh().await?;
        let all = files::effects(db.kind, VERSIONS, 50);
        let mut group = WorkerGroup::new(&db, &all[..1])?;
        let first = group.start(&[], StartMode::AtOnce)?;
        group.code(first, Duration::from_secs(30)).await?;
        watch_owners(&db).await?;
        group.write(&all)?;
        let project = project(&all)?;
        let tools = async {
            let tool = || async {
                let mut refused = 0;
                let deadline = Instant::now() + Duration::from_secs(60);
                // The Python tool fails at once if the lock is held.
                while project.python(&db, &["upgrade"]).await?.code != Some(0) {
                    refused += 1;
                    if Instant::now() > deadline {
                        return Err("the Python tool did not succeed within a minute".into());
                    }
                }
                Ok::<usize, TestError>(refused)
            };
            tokio::try_join!(tool(), tool())
        };
        // On a busy machine, the workers have finished before the Python tool has started. So they start
        // more slowly in each round.
        let pause = Duration::from_millis(200).saturating_mul(u32::try_from(round)?);
        let workers = async {
            for number in 0..8 {
                group.start(&[["step=1", "step=2"][number % 2]], StartMode::AtOnce)?;
                tokio::time::sleep(pause).await;
            }
            group.finish(Duration::from_secs(120)).await
        };
        let ((left, right), ()) = tokio::try_join!(tools, workers)?;
        let check = async {
            group.journal.no_errors()?;
            group.journal.no_overlap()?;
            files::verify(&db, VERSIONS).await?;
            owners(&db).await
        };
        let owners = check.await.map_err(|error| format!("round {round}: {error:#}"))?;
        (python, ours, refused) = (python + owners.0, ours + owners.1, refused + left + right);
        db.remove().await;
    }
    if python == 0 {
        return Err("the Python tool never acquired the lock, so the case shows nothing".into());
    }
    Ok(format!(
        "{round} rounds, 8 processes and 2 of the Python tool: it held the lock {python} times, jetbase {ours} times; \
         its lock was never taken, no overlap, each version once; it was refused {refused} times"
    ))
}

/// The Python tool is killed while it holds the lock. No process takes the lock.
pub(crate) async fn killed(ctx: CaseContext) -> CaseResult {
    let db = ctx.fresh().await?;
    let all = [files::first(db.kind), files::effect(db.kind, 2, ctx.size.pick(3000, 1500))];
    let mut group = WorkerGroup::new(&db, &all[..1])?;
    let first = group.start(&[], StartMode::AtOnce)?;
    group.code(first, Duration::from_secs(60)).await?;
    group.write(&all)?;
    let project = project(&all)?;
    // The process of the tool is killed when its future is dropped.
    let killed_id = tokio::select! {
        output = project.python(&db, &["upgrade"]) => {
            return Err(format!("the Python tool ended before it was killed: {output:?}").into());
        }
        id = held_by_python(&db) => id?,
    };
    let start = Instant::now();
    let waiters =
        (0..4).map(|_| group.start(&[ctx.size.pick("wait=8", "wait=3")], StartMode::AtOnce));
    let mut error = String::new();
    for pid in waiters.collect::<Result<Vec<_>, _>>()? {
        let code = group.code(pid, Duration::from_secs(30)).await?;
        error = group.last_entry(pid, "error");
        if code != i32::from(HELD)
            || !error.contains(&killed_id)
            || !error.contains("the Python tool")
        {
            return Err(format!("a waiter ended with {code}: {error}").into());
        }
    }
    let waited = start.elapsed();
    project.python(&db, &["unlock"]).await?.succeeded()?;
    let last = group.start(&[], StartMode::AtOnce)?;
    let code = group.code(last, Duration::from_secs(30)).await?;
    files::verify(&db, 2).await?;
    db.remove().await;
    match code {
        0 => Ok(format!(
            "4 waiters failed after {waited:.1?}: \"{error}\"; after `unlock` the next one continued"
        )),
        code => Err(format!("after `unlock` the next one ended with {code}").into()),
    }
}

/// Waits until the Python tool holds the lock; returns its id.
async fn held_by_python(db: &Database) -> Result<String, TestError> {
    loop {
        if let Some(id) = db.value("SELECT process_id FROM jetbase_lock").await? {
            return Ok(id);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The Python tool runs `unlock` during a run of jetbase while other processes wait.
pub(crate) async fn unlock(ctx: CaseContext) -> CaseResult {
    let rounds = ctx.size.pick(10, 1);
    let (mut lost, mut refused, mut late) = (0, 0, 0);
    for round in 1..=rounds {
        let db = ctx.fresh().await?;
        let versions = 14;
        let all = files::effects(db.kind, versions, ctx.size.pick(250, 150));
        let mut group = WorkerGroup::new(&db, &all)?;
        let project = project(&all)?;
        // In half of the rounds, the holder pauses between two files.
        let holder = group.start(&[["pause=0", "pause=0.2"][round % 2]], StartMode::AtOnce)?;
        let start = format!("V{}__effect.sql", fastrand::usize(2..5));
        group
            .until(Duration::from_secs(30), |it| it.event == "started" && it.detail == start)
            .await?;
        for _ in 0..4 {
            group.start(&[], StartMode::AtOnce)?;
        }
        let unlocked = project.python(&db, &["unlock"]).await?.code == Some(0);
        let code = group.code(holder, Duration::from_secs(60)).await?;
        let error = group.last_entry(holder, "error");
        let done = group.journal.all("finished").filter(|it| it.pid == holder).count();
        group.finish(Duration::from_secs(60)).await?;
        group.journal.no_overlap()?;
        let in_round = |what: &str| {
            format!(
                "round {round}: {what}: the holder ended with {code} after {done} files: {error}"
            )
        };
        match (unlocked, u8::try_from(code)) {
            (true, Ok(LOST)) => lost += 1,
            // On a busy machine, the tool may start after the last file. A holder that continues after
            // an unlock would overlap with a waiter.
            (true, Ok(0)) if done == versions => late += 1,
            // SQLite has one writer, so `unlock` has to wait while a file runs, maybe until the last one.
            (_, Ok(0)) if db.kind == DatabaseKind::Sqlite && done == versions => refused += 1,
            (true, _) => return Err(in_round("unlocked").into()),
            (false, _) => return Err(in_round("`unlock` failed").into()),
        }
        files::verify(&db, versions).await.map_err(|error| in_round(&format!("{error:#}")))?;
        check_count(&db, "SELECT count(*) FROM effects WHERE ended IS NULL", 0, "unfinished")
            .await?;
        db.remove().await;
    }
    if lost == 0 {
        return Err("`unlock` never released the lock, so the case shows nothing".into());
    }
    Ok(format!(
        "{rounds} rounds: {lost} times the holder stopped with `lock lost` and a waiter continued, {refused} times \
         `unlock` had to wait until the end, {late} times it came too late; each version once"
    ))
}
