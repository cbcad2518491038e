//! A process that migrates and writes its events to the journal.
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

/// The exit codes of a worker.
pub(crate) const FAILED: u8 = 1;
pub(crate) const LOST: u8 = 10;
pub(crate) const HELD: u8 = 11;
pub(crate) const INTERRUPTED: u8 = 12;

/// The arguments of a worker.
struct WorkerArgs {
    values: HashMap<String, String>,
}

impl WorkerArgs {
    fn value(&self, name: &str) -> &str {
        self.values.get(name).map(String::as_str).unwrap_or_default()
    }

    fn seconds(&self, name: &str) -> Option<Duration> {
        self.value(name).parse().ok().map(Duration::from_secs_f64)
    }
}

/// The target of the runs: a pool with an idle connection, or a URL.
enum WorkerTarget {
    Url(String),
    Postgres(sqlx::PgPool),
    Mysql(sqlx::MySqlPool),
    Sqlite(sqlx::SqlitePool),
}

pub(crate) fn main(arguments: impl Iterator<Item = String>) -> ExitCode {
    let values = arguments.filter_map(|argument| {
        let (name, value) = argument.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    });
    let args = WorkerArgs { values: values.collect() };
    let limit = args.seconds("limit").unwrap_or(Duration::from_secs(180));
    let writer = Arc::new(Mutex::new(
        JournalWriter::open(Path::new(args.value("journal"))).expect("the journal can be opened"),
    ));
    let pid = std::process::id();
    let record =
        move |event: &str, detail: &str| writer.lock().expect("no panic").write(pid, event, detail);
    {
        // A worker ends at its time limit.
        let record = record.clone();
        std::thread::spawn(move || {
            std::thread::sleep(limit);
            record("error", "the worker reached its time limit");
            std::process::exit(124);
        });
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let code = runtime.expect("the runtime starts").block_on(work(&args, record.clone()));
    record("end", &code.to_string());
    ExitCode::from(code)
}

async fn work(args: &WorkerArgs, record: impl Fn(&str, &str) + Clone + Send + 'static) -> u8 {
    let folder = Folder::read(Path::new(args.value("folder")));
    if let Some(finding) = folder.findings.first() {
        record("error", &finding.render(""));
        return FAILED;
    }
    let set = Migrations::load(folder.files, Options::default());
    record("ready", "");
    // A worker waits until its standard input is closed.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    let target = match connect(args).await {
        Ok(target) => target,
        Err(error) => {
            record("error", &format!("connecting: {error:#}"));
            return FAILED;
        }
    };
    let step: Option<usize> = args.value("step").parse().ok();
    let start = Instant::now();
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
        match run_once(run, args, record.clone()).await {
            Ok(report) => {
                report.warnings.iter().for_each(|it| record("warning", it));
                if step.is_none() || report.applied.is_empty() {
                    record("took", &start.elapsed().as_micros().to_string());
                    return 0;
                }
            }
            Err(error) => {
                record("applied", &error.report().applied.len().to_string());
                record("error", &format!("{error:#}"));
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

async fn run_once(
    mut run: Run<'_>,
    args: &WorkerArgs,
    record: impl Fn(&str, &str) + Send + 'static,
) -> Result<Report, Error> {
    if let Some(limit) = args.seconds("wait") {
        run = run.wait(Wait::UpTo(limit));
    }
    if !args.value("direct").is_empty() {
        run = run.direct_url(args.value("direct"));
    }
    let pause = args.seconds("pause").unwrap_or_default();
    run.on_event(move |event| match event {
        Event::Acquired { .. } => record("acquired", ""),
        Event::Recovered { from } => record("recovered", from),
        Event::Started { file, .. } => record("started", file),
        Event::Finished { file, .. } => {
            record("finished", file);
            // A slow listener: the run holds the lock between two files.
            std::thread::sleep(pause);
        }
        Event::LockLost => record("lost", ""),
        Event::Released => record("released", ""),
        // A warning is also in the report.
        other => record("event", &other.to_string()),
    })
    .await
}

async fn connect(args: &WorkerArgs) -> Result<WorkerTarget, sqlx::Error> {
    let url = args.value("url").to_owned();
    if args.value("pool").is_empty() {
        return Ok(WorkerTarget::Url(url));
    }
    // As in a service, the pool connects at the start and keeps the connection.
    let start = Instant::now();
    let limit = Duration::from_secs(60);
    loop {
        let result = match url.split(':').next().unwrap_or_default() {
            "postgres" => PgPoolOptions::new()
                .max_connections(3)
                .acquire_timeout(limit)
                .connect(&url)
                .await
                .map(WorkerTarget::Postgres),
            "mysql" => MySqlPoolOptions::new()
                .max_connections(3)
                .acquire_timeout(limit)
                .connect(&url)
                .await
                .map(WorkerTarget::Mysql),
            _ => SqlitePoolOptions::new()
                .max_connections(3)
                .connect(&url)
                .await
                .map(WorkerTarget::Sqlite),
        };
        match result {
            Err(error) if start.elapsed() > limit => return Err(error),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            target => return target,
        }
    }
}
