//! A process that migrates, and notes what happens in the journal.
//!
//! `chaos worker url=… folder=… journal=… [pool=yes] [step=N] [wait=SECONDS] [pause=SECONDS] [direct=URL] [limit=SECONDS]`

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jetbase::{
    DatabaseUrl, Error, ErrorKind, Event, Folder, Migrations, Options, Report, Run, Wait,
};
use sqlx::mysql::MySqlPoolOptions;
use sqlx::postgres::PgPoolOptions;
use sqlx::sqlite::SqlitePoolOptions;

use crate::journal::JournalWriter;

/// Exit codes, for the orchestrator.
pub(crate) const FAILED: u8 = 1;
pub(crate) const LOST: u8 = 10;
pub(crate) const HELD: u8 = 11;
pub(crate) const INTERRUPTED: u8 = 12;

/// What the command line says.
struct Task {
    words: HashMap<String, String>,
}

impl Task {
    fn word(&self, name: &str) -> &str {
        self.words.get(name).map(String::as_str).unwrap_or_default()
    }

    fn seconds(&self, name: &str) -> Option<Duration> {
        self.word(name).parse().ok().map(Duration::from_secs_f64)
    }
}

/// Where to: a pool that holds an idle connection, or a URL.
enum WorkerTarget {
    Url(String),
    Postgres(sqlx::PgPool),
    Mysql(sqlx::MySqlPool),
    Sqlite(sqlx::SqlitePool),
}

pub(crate) fn main(words: impl Iterator<Item = String>) -> ExitCode {
    let words = words.filter_map(|word| {
        let (name, value) = word.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    let task = Task { words: words.collect() };
    let limit = task.seconds("limit").unwrap_or(Duration::from_secs(180));
    let writer = Arc::new(Mutex::new(
        JournalWriter::open(Path::new(task.word("journal"))).expect("the journal"),
    ));
    let me = std::process::id();
    let note = move |what: &str, rest: &str| writer.lock().expect("no panic").note(me, what, rest);
    {
        // Nothing of the chaos outlives its time.
        let note = note.clone();
        std::thread::spawn(move || {
            std::thread::sleep(limit);
            note("error", "the worker's time is up");
            std::process::exit(124);
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let code = runtime.expect("a runtime").block_on(work(&task, note.clone()));
    note("end", &code.to_string());
    ExitCode::from(code)
}

async fn work(task: &Task, note: impl Fn(&str, &str) + Clone + Send + 'static) -> u8 {
    let folder = Folder::read(Path::new(task.word("folder")));
    if let Some(finding) = folder.findings.first() {
        note("error", &finding.render(""));
        return FAILED;
    }
    let set = Migrations::load(folder.files, Options::default());
    note("ready", "");
    // All workers of a storm begin when the orchestrator closes this.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    let target = match target(task).await {
        Ok(target) => target,
        Err(error) => {
            note("error", &format!("connecting: {error:#}"));
            return FAILED;
        }
    };
    let step: Option<usize> = task.word("step").parse().ok();
    let begun = Instant::now();
    loop {
        let mut run = match &target {
            WorkerTarget::Url(url) => jetbase::run(&set, DatabaseUrl(url)),
            WorkerTarget::Postgres(pool) => jetbase::run(&set, pool),
            WorkerTarget::Mysql(pool) => jetbase::run(&set, pool),
            WorkerTarget::Sqlite(pool) => jetbase::run(&set, pool),
        };
        if let Some(step) = step {
            run = run.count(step);
        }
        match once(run, task, note.clone()).await {
            Ok(report) => {
                report.warnings.iter().for_each(|it| note("warning", it));
                if step.is_none() || report.applied.is_empty() {
                    note("took", &begun.elapsed().as_micros().to_string());
                    return 0;
                }
            }
            Err(error) => {
                note("applied", &error.report().applied.len().to_string());
                note("error", &format!("{error:#}"));
                return match error.kind() {
                    ErrorKind::LockLost { .. } => LOST,
                    ErrorKind::Held { .. } => HELD,
                    ErrorKind::Interrupted { .. } => INTERRUPTED,
                    _ => FAILED,
                };
            }
        }
    }
}

async fn once(
    mut run: Run<'_>,
    task: &Task,
    note: impl Fn(&str, &str) + Send + 'static,
) -> Result<Report, Error> {
    if let Some(limit) = task.seconds("wait") {
        run = run.wait(Wait::UpTo(limit));
    }
    if !task.word("direct").is_empty() {
        run = run.direct_url(task.word("direct"));
    }
    let pause = task.seconds("pause").unwrap_or_default();
    run.on_event(move |event| match event {
        Event::Acquired { .. } => note("acquired", ""),
        Event::Recovered { from } => note("recovered", from),
        Event::Started { file, .. } => note("started", file),
        Event::Finished { file, .. } => {
            note("finished", file);
            // A slow listener: the lock is held, and nothing runs.
            std::thread::sleep(pause);
        }
        Event::LockLost => note("lost", ""),
        Event::Released => note("released", ""),
        // A warning stands in the report too.
        other => note("event", &other.to_string()),
    })
    .await
}

async fn target(task: &Task) -> Result<WorkerTarget, sqlx::Error> {
    let url = task.word("url").to_owned();
    if task.word("pool").is_empty() {
        return Ok(WorkerTarget::Url(url));
    }
    // As a service would: its pool connects at the start, and keeps that connection.
    let begun = Instant::now();
    let patience = Duration::from_secs(60);
    loop {
        let made = match url.split(':').next().unwrap_or_default() {
            "postgres" => PgPoolOptions::new()
                .max_connections(3)
                .acquire_timeout(patience)
                .connect(&url)
                .await
                .map(WorkerTarget::Postgres),
            "mysql" => MySqlPoolOptions::new()
                .max_connections(3)
                .acquire_timeout(patience)
                .connect(&url)
                .await
                .map(WorkerTarget::Mysql),
            _ => SqlitePoolOptions::new()
                .max_connections(3)
                .connect(&url)
                .await
                .map(WorkerTarget::Sqlite),
        };
        match made {
            Err(error) if begun.elapsed() > patience => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            target => return target,
        }
    }
}
