//! The glue to libtest-mimic: what to register, and how it runs.

use std::any::Any;
use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::runtime::{Builder, Runtime};

use super::{Database, Error, Kind, Server, TestResult, Unavailable, python, scratch, server};

/// How long the body of one trial may take.
const BODY_WITHIN: Duration = Duration::from_secs(120);

/// How many trials run at the same time, unless `--test-threads` is given.
const THREADS: usize = 2;

/// The variable that names what has to be there.
const REQUIRE: &str = "JETBASE_TEST_REQUIRE";

/// What it can name.
const REQUIRABLE: &[&str] = &["all", "postgres", "mysql", "python"];

/// What a trial needs besides a database.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Needs {
    python: bool,
    own_server: bool,
}

impl Needs {
    /// Nothing.
    pub(crate) const NOTHING: Needs = Needs { python: false, own_server: false };

    /// The Python tool.
    pub(crate) const PYTHON: Needs = Needs { python: true, own_server: false };

    /// A server that no other trial uses, so that it can be restarted; nothing for SQLite.
    pub(crate) const OWN_SERVER: Needs = Needs { python: false, own_server: true };

    /// This and that.
    pub(crate) const fn and(self, other: Needs) -> Needs {
        Needs {
            python: self.python || other.python,
            own_server: self.own_server || other.own_server,
        }
    }
}

/// What the body of a trial is given.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// The kind of database that this run of the body is for.
    pub(crate) kind: Kind,
    /// A fresh, empty database.
    pub(crate) db: Database,
    /// The server it is on; none for SQLite.
    pub(crate) server: Option<Arc<Server>>,
    /// All databases to drop at the end.
    databases: Arc<Mutex<Vec<Database>>>,
}

impl Context {
    /// Makes what a trial needs, or says why that is not possible.
    fn new(kind: Kind, needs: Needs) -> Result<Context, Unavailable> {
        if needs.python {
            python::look_for_tool()?;
        }
        let runtime = runtime()?;
        let server = match kind {
            Kind::Sqlite => None,
            _ if needs.own_server => Some(Arc::new(runtime.block_on(Server::start(kind))?)),
            _ => Some(Server::shared(kind)?),
        };
        let db = runtime.block_on(fresh(server.as_ref())).map_err(|error| {
            Unavailable::Broken(format!("cannot make a database for {}: {error:#}", kind.name()))
        })?;
        let databases = Arc::new(Mutex::new(vec![db.clone()]));
        Ok(Context { kind, db, server, databases })
    }

    /// One more fresh database on the same server.
    pub(crate) async fn another(&self) -> Result<Database, Error> {
        let db = fresh(self.server.as_ref()).await?;
        self.databases.lock().unwrap_or_else(PoisonError::into_inner).push(db.clone());
        Ok(db)
    }

    /// The server, for `Needs::OWN_SERVER`; an error for SQLite.
    pub(crate) fn server(&self) -> Result<&Server, Error> {
        self.server.as_deref().ok_or_else(|| "SQLite has no server".into())
    }

    /// Drops what the trial used.
    async fn remove(&self, needs: Needs) {
        if needs.own_server {
            if let Some(server) = &self.server {
                server.stop();
            }
            return;
        }
        let databases = {
            let mut databases = self.databases.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *databases)
        };
        for db in databases {
            db.remove().await;
        }
    }
}

/// A fresh database on a server, or a file without one.
async fn fresh(server: Option<&Arc<Server>>) -> Result<Database, Error> {
    match server {
        Some(server) => Database::on(server).await,
        None => Database::sqlite(),
    }
}

/// The trials of the integration binary.
#[derive(Debug, Default)]
pub(crate) struct Suite {
    trials: Vec<Trial>,
}

impl Suite {
    /// No trials yet.
    pub(crate) fn new() -> Suite {
        Suite::default()
    }

    /// Adds one trial per kind, named `name::kind`, each with a fresh database.
    pub(crate) fn each<B, F>(&mut self, name: &str, kinds: &[Kind], needs: Needs, body: B)
    where
        B: Fn(Context) -> F + Send + Sync + 'static,
        F: Future<Output = TestResult>,
    {
        let body = Arc::new(body);
        for kind in kinds.iter().copied() {
            let body = Arc::clone(&body);
            let run = move || match Context::new(kind, needs) {
                Ok(context) => {
                    let result = bounded(body(context.clone()));
                    runtime()?.block_on(context.remove(needs));
                    finish(result)
                }
                Err(reason) => unavailable(reason),
            };
            self.trials.push(Trial::ignorable_test(format!("{name}::{}", kind.name()), run));
        }
    }

    /// Adds one trial without a database.
    pub(crate) fn once<B, F>(&mut self, name: &str, needs: Needs, body: B)
    where
        B: FnOnce() -> F + Send + 'static,
        F: Future<Output = TestResult>,
    {
        let run = move || {
            if needs.python
                && let Err(reason) = python::look_for_tool()
            {
                return unavailable(reason);
            }
            finish(bounded(body()))
        };
        self.trials.push(Trial::ignorable_test(name, run));
    }

    /// Adds a trial made elsewhere.
    pub(crate) fn push(&mut self, trial: Trial) {
        self.trials.push(trial);
    }

    /// Runs what the command line selects, and ends the servers afterwards.
    pub(crate) fn run(self) -> ExitCode {
        let mut arguments = Arguments::from_args();
        arguments.test_threads.get_or_insert(THREADS);
        let unknown = required().into_iter().find(|name| !REQUIRABLE.contains(&name.as_str()));
        if let Some(name) = unknown {
            let known = REQUIRABLE.join(", ");
            let _ = writeln!(std::io::stderr(), "{REQUIRE} names `{name}`; it can name: {known}");
            return ExitCode::FAILURE;
        }
        let _cleanup = Cleanup;
        libtest_mimic::run(&arguments, self.trials).exit_code()
    }
}

/// Ends the shared servers and removes the temporary folder, also after a panic.
struct Cleanup;

impl Drop for Cleanup {
    fn drop(&mut self) {
        server::stop_shared();
        if let Err(error) = scratch::remove() {
            let _ = writeln!(std::io::stderr(), "the temporary folder stays: {error:#}");
        }
    }
}

/// The one runtime that all bodies run on.
pub(super) fn runtime() -> Result<&'static Runtime, Unavailable> {
    static RUNTIME: OnceLock<Result<Runtime, Unavailable>> = OnceLock::new();
    let make = || {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        runtime.map_err(|error| Unavailable::Broken(format!("no tokio runtime: {error:#}")))
    };
    RUNTIME.get_or_init(make).as_ref().map_err(Clone::clone)
}

/// Runs a body within its time; the outer error is a panic.
fn bounded(body: impl Future<Output = TestResult>) -> Result<TestResult, Box<dyn Any + Send>> {
    let run = || {
        let timed = async { tokio::time::timeout(BODY_WITHIN, body).await };
        match runtime()?.block_on(timed) {
            Ok(result) => result,
            Err(_) => Err(format!("the test did not end within {BODY_WITHIN:?}").into()),
        }
    };
    panic::catch_unwind(AssertUnwindSafe(run))
}

/// Turns what a body did into what libtest-mimic wants; a panic goes on.
fn finish(result: Result<TestResult, Box<dyn Any + Send>>) -> Result<Completion, Failed> {
    match result {
        Ok(Ok(())) => Ok(Completion::Completed),
        Ok(Err(error)) => {
            let mut text = format!("{error:#}");
            let mut source = error.source();
            while let Some(cause) = source {
                let _ = write!(text, "\n  caused by: {cause}");
                source = cause.source();
            }
            Err(text.into())
        }
        Err(panic) => panic::resume_unwind(panic),
    }
}

/// Ignores a trial for a reason, unless what is missing is required.
fn unavailable(reason: Unavailable) -> Result<Completion, Failed> {
    match &reason {
        Unavailable::Missing { what, .. } => {
            if required().iter().any(|name| name == "all" || name == what) {
                return Err(format!("{REQUIRE} asks for `{what}`, but {reason}").into());
            }
            Ok(Completion::ignored_with(reason))
        }
        Unavailable::Broken(_) => Err(reason.into()),
    }
}

/// The names in `JETBASE_TEST_REQUIRE`.
fn required() -> Vec<String> {
    let names = std::env::var(REQUIRE).unwrap_or_default();
    names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
}
