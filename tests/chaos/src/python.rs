//! The real Python tool among our processes.

use std::time::{Duration, Instant};

use jetbase_test_harness::{Database, DatabaseKind, PythonProject, TestError};

use crate::bench::{CaseContext, CaseResult};
use crate::files::{self, expect};
use crate::worker::{HELD, LOST};
use crate::worker_group::{StartMode, WorkerGroup};

/// So many files leave time for both tools.
const VERSIONS: usize = 30;

/// How often more it is tried when the Python tool has never got the lock.
const MORE: usize = 5;

/// A Python project with the same files as a group.
fn project(files: &[(String, String)]) -> Result<PythonProject, TestError> {
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    PythonProject::with(&files)
}

/// Notes every change of the lock's owner, whoever makes it.
async fn watch_owners(db: &Database) -> Result<(), TestError> {
    let table = "CREATE TABLE owners (old_id VARCHAR(36), new_id VARCHAR(36))";
    // The trigger runs with the search path of whoever takes the lock.
    let schema = if db.kind == DatabaseKind::Postgres { "public." } else { "" };
    let insert = format!("INSERT INTO {schema}owners VALUES (OLD.process_id, NEW.process_id)");
    let event = "AFTER UPDATE ON jetbase_lock FOR EACH ROW";
    let trigger = match db.kind {
        DatabaseKind::Postgres => format!(
            "CREATE FUNCTION note_owner() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {insert}; RETURN NULL; END $$;
             CREATE TRIGGER note_owner {event} EXECUTE FUNCTION note_owner()"
        ),
        DatabaseKind::Mysql => format!("CREATE TRIGGER note_owner {event} {insert}"),
        DatabaseKind::Sqlite => format!("CREATE TRIGGER note_owner {event} BEGIN {insert}; END"),
    };
    db.execute(table).await?;
    db.execute(&trigger).await
}

/// How often each tool held the lock; fails if the Python tool was robbed once.
async fn owners(db: &Database) -> Result<(usize, usize), TestError> {
    let (mut python, mut ours) = (0, 0);
    for row in db.rows("SELECT old_id, new_id FROM owners").await? {
        let is_ours = |id: &str| id.starts_with("6a6250");
        match (&row[0], &row[1]) {
            (Some(old), Some(new)) if !is_ours(old) => {
                return Err(format!("the Python tool ({old}) was robbed by {new}").into());
            }
            (_, Some(new)) if is_ours(new) => ours += 1,
            (_, Some(_)) => python += 1,
            _ => {}
        }
    }
    Ok((python, ours))
}

/// Both tools work at the same time, until all is done.
pub(crate) async fn among(ctx: CaseContext) -> CaseResult {
    let rounds = ctx.size.pick(5, 1);
    let (mut python, mut ours, mut refused) = (0, 0, 0);
    let mut round = 0;
    while round < rounds || (python == 0 && round < rounds + MORE) {
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
                // Where the lock is held, the Python tool fails at once.
                while project.python(&db, &["upgrade"]).await?.code != Some(0) {
                    refused += 1;
                    if Instant::now() > deadline {
                        return Err("the Python tool did not get through in a minute".into());
                    }
                }
                Ok::<usize, TestError>(refused)
            };
            tokio::try_join!(tool(), tool())
        };
        let workers = async {
            for number in 0..8 {
                group.start(&[["step=1", "step=2"][number % 2]], StartMode::AtOnce)?;
                tokio::time::sleep(Duration::from_millis(200)).await;
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
        let held = check.await.map_err(|error| format!("round {round}: {error:#}"))?;
        (python, ours, refused) = (python + held.0, ours + held.1, refused + left + right);
        db.remove().await;
    }
    if python == 0 {
        return Err("the Python tool never got the lock: nothing is shown".into());
    }
    Ok(format!(
        "{round} rounds, 8 processes and 2 of the Python tool: it held the lock {python} times, we {ours} times; \
         never robbed, no overlap, each version once; it was refused {refused} times"
    ))
}

/// The Python tool is killed while it holds the lock: nobody takes it away.
pub(crate) async fn dead(ctx: CaseContext) -> CaseResult {
    let db = ctx.fresh().await?;
    let all = [files::first(db.kind), files::effect(db.kind, 2, ctx.size.pick(3000, 1500))];
    let mut group = WorkerGroup::new(&db, &all[..1])?;
    let first = group.start(&[], StartMode::AtOnce)?;
    group.code(first, Duration::from_secs(60)).await?;
    group.write(&all)?;
    let project = project(&all)?;
    // Dropped in the middle of its work, the tool's process is killed.
    let killed = tokio::select! {
        output = project.python(&db, &["upgrade"]) => {
            return Err(format!("the Python tool ended before it was killed: {output:?}").into());
        }
        id = held_by_python(&db) => id?,
    };
    let begun = Instant::now();
    let waiters =
        (0..4).map(|_| group.start(&[ctx.size.pick("wait=8", "wait=3")], StartMode::AtOnce));
    let mut told = String::new();
    for pid in waiters.collect::<Result<Vec<_>, _>>()? {
        let code = group.code(pid, Duration::from_secs(30)).await?;
        told = group.last_entry(pid, "error");
        if code != i32::from(HELD) || !told.contains(&killed) || !told.contains("the Python tool") {
            return Err(format!("a waiter ended with {code}: {told}").into());
        }
    }
    let waited = begun.elapsed();
    project.python(&db, &["unlock"]).await?.succeeded()?;
    let last = group.start(&[], StartMode::AtOnce)?;
    let code = group.code(last, Duration::from_secs(30)).await?;
    files::verify(&db, 2).await?;
    db.remove().await;
    match code {
        0 => Ok(format!(
            "4 waiters gave up after {waited:.1?}: \"{told}\"; behind `unlock` the next one went on"
        )),
        code => Err(format!("behind `unlock` the next one ended with {code}").into()),
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

/// The Python tool's `unlock` in the middle of our run, while others wait.
pub(crate) async fn unlock(ctx: CaseContext) -> CaseResult {
    let rounds = ctx.size.pick(10, 1);
    let (mut lost, mut refused) = (0, 0);
    for round in 1..=rounds {
        let db = ctx.fresh().await?;
        let versions = 14;
        let all = files::effects(db.kind, versions, ctx.size.pick(250, 150));
        let mut group = WorkerGroup::new(&db, &all)?;
        let project = project(&all)?;
        // Half of the time the lock is also held between the files for a while.
        let holder = group.start(&[["pause=0", "pause=0.2"][round % 2]], StartMode::AtOnce)?;
        let start = format!("V{}__effect.sql", fastrand::usize(2..5));
        group.until(Duration::from_secs(30), |it| it.what == "started" && it.rest == start).await?;
        for _ in 0..4 {
            group.start(&[], StartMode::AtOnce)?;
        }
        let unlocked = project.python(&db, &["unlock"]).await?.code == Some(0);
        let code = group.code(holder, Duration::from_secs(60)).await?;
        let told = group.last_entry(holder, "error");
        let done = group.journal.all("finished").filter(|it| it.pid == holder).count();
        group.finish(Duration::from_secs(60)).await?;
        group.journal.no_overlap()?;
        let wrong = |what: &str| {
            format!(
                "round {round}: {what}: the holder ended with {code} behind {done} files: {told}"
            )
        };
        match (unlocked, u8::try_from(code)) {
            (true, Ok(LOST)) => lost += 1,
            // SQLite has one writer: `unlock` does not get in while a file runs, perhaps behind the last.
            (_, Ok(0)) if db.kind == DatabaseKind::Sqlite && done == versions => refused += 1,
            (true, _) => return Err(wrong("unlocked").into()),
            (false, _) => return Err(wrong("`unlock` failed").into()),
        }
        files::verify(&db, versions).await.map_err(|error| wrong(&format!("{error:#}")))?;
        expect(&db, "SELECT count(*) FROM effects WHERE ended IS NULL", 0, "unfinished").await?;
        db.remove().await;
    }
    if lost == 0 {
        return Err("`unlock` never got in: nothing is shown".into());
    }
    Ok(format!(
        "{rounds} rounds: {lost} times the holder stopped with `lock lost` and a waiter went on, {refused} times \
         `unlock` did not get in before the end; each version once"
    ))
}
