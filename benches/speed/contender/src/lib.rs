//! What the contenders of the benchmark share: the commands that they read, and the files.
//!
//! A contender is a program that reads one command a line and answers with one line: `ok` and numbers,
//! or `error` and a text. It ends when its input ends.
//!
//! | command | what it does | numbers of the answer |
//! |---|---|---|
//! | `connect KIND URL` | opens a connection or a pool | |
//! | `migrate SET TIMES` | applies the set, as often as `TIMES` says | nanoseconds of each call |
//! | `storm KIND URL SET` | connects and applies the set until it succeeds | failed attempts, nanoseconds |

#[cfg(feature = "files")]
pub mod files;

use std::error::Error;
use std::io::{self, BufRead as _, Write as _};
use std::thread;
use std::time::{Duration, Instant};

/// How long a process of a storm waits before it tries again, as a service that is restarted.
const RESTART: Duration = Duration::from_millis(200);

/// The pause between two calls. A pool takes a connection back, and pings it, after the call has returned:
/// the next call would open another connection.
const PAUSE: Duration = Duration::from_millis(2);

/// How long a process of a storm tries.
const STORM_LIMIT: Duration = Duration::from_secs(60);

/// The error of a contender.
pub type Failure = Box<dyn Error + Send + Sync>;

/// The database of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Mysql,
    Postgres,
    Sqlite,
}

/// The files that are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MigrationSet {
    /// One file of three statements.
    One,
    /// 100 of these files.
    Hundred,
    /// 1000 of these files.
    Thousand,
    /// 5000 files, of which all but the first insert one row.
    History,
}

/// A library that applies migrations.
pub trait Contender: Sized {
    /// Opens a connection or a pool.
    ///
    /// # Errors
    ///
    /// Returns an error if the server refuses it.
    fn connect(backend: Backend, url: &str) -> Result<Self, Failure>;

    /// Applies the pending files of a set.
    ///
    /// # Errors
    ///
    /// Returns the error of the library.
    fn migrate(&mut self, set: MigrationSet) -> Result<(), Failure>;
}

/// The path of an SQLite file in a URL of sqlx.
#[must_use]
pub fn sqlite_path(url: &str) -> &str {
    let path = url.strip_prefix("sqlite://").unwrap_or(url);
    path.split_once('?').map_or(path, |(path, _)| path)
}

/// Reads commands until the input ends.
pub fn serve<C: Contender>() {
    let mut contender: Option<C> = None;
    answer("ok");
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        match obey(&mut contender, &line) {
            Ok(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
                answer(&format!("ok {}", numbers.join(" ")));
            }
            Err(error) => answer(&format!("error {}", format!("{error:#}").replace('\n', " | "))),
        }
    }
}

fn answer(line: &str) {
    let mut out = io::stdout().lock();
    // If nobody reads, the input ends too.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

fn obey<C: Contender>(contender: &mut Option<C>, line: &str) -> Result<Vec<u128>, Failure> {
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        ["connect", kind, url] => {
            *contender = Some(C::connect(backend(kind)?, url)?);
            Ok(Vec::new())
        }
        ["migrate", name, times] => {
            let contender = contender.as_mut().ok_or("`connect` comes first")?;
            let set = set(name)?;
            let mut took = Vec::new();
            for _ in 0..times.parse()? {
                let start = Instant::now();
                contender.migrate(set)?;
                took.push(start.elapsed().as_nanos());
                thread::sleep(PAUSE);
            }
            Ok(took)
        }
        ["storm", kind, url, name] => {
            let (backend, set) = (backend(kind)?, set(name)?);
            let start = Instant::now();
            let mut failed = 0;
            loop {
                let attempt =
                    C::connect(backend, url).and_then(|mut it| it.migrate(set).map(|()| it));
                match attempt {
                    Ok(connected) => {
                        *contender = Some(connected);
                        return Ok(vec![failed, start.elapsed().as_nanos()]);
                    }
                    Err(error) if start.elapsed() > STORM_LIMIT => return Err(error),
                    Err(_) => failed += 1,
                }
                thread::sleep(RESTART);
            }
        }
        _ => Err(format!("not a command: {line}").into()),
    }
}

fn backend(name: &str) -> Result<Backend, Failure> {
    match name {
        "mysql" => Ok(Backend::Mysql),
        "postgres" => Ok(Backend::Postgres),
        "sqlite" => Ok(Backend::Sqlite),
        _ => Err(format!("not a kind of database: {name}").into()),
    }
}

fn set(name: &str) -> Result<MigrationSet, Failure> {
    match name {
        "one" => Ok(MigrationSet::One),
        "hundred" => Ok(MigrationSet::Hundred),
        "thousand" => Ok(MigrationSet::Thousand),
        "history" => Ok(MigrationSet::History),
        _ => Err(format!("not a set: {name}").into()),
    }
}
