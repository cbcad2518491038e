//! The tests of a test program, and how libtest-mimic runs them.

use std::any::Any;
use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use crate::runtime::runtime;
use crate::unavailable::{REQUIRE, required};
use crate::{
    DatabaseKind, Needs, TestContext, TestResult, Unavailable, clean_up, is_required, python,
};

/// The time limit for the body of one test, unless the suite has its own.
const BODY_TIMEOUT: Duration = Duration::from_secs(120);

/// How many tests run at the same time, unless `--test-threads` is given.
const THREADS: usize = 2;

/// What `JETBASE_TEST_REQUIRE` can name.
const REQUIRABLE: &[&str] = &["all", "postgres", "mysql", "python"];

/// The tests of a test program.
#[derive(Debug)]
pub struct Suite {
    trials: Vec<Trial>,
    limit: Duration,
}

impl Default for Suite {
    fn default() -> Suite {
        Suite { trials: Vec::new(), limit: BODY_TIMEOUT }
    }
}

impl Suite {
    /// A suite without tests.
    #[must_use]
    pub fn new() -> Suite {
        Suite::default()
    }

    /// Changes the time limit for the bodies of the tests that are added after it.
    #[must_use]
    pub fn with_limit(mut self, limit: Duration) -> Suite {
        self.limit = limit;
        self
    }

    /// Adds one test for each kind, named `name::kind`, each with a fresh database.
    pub fn each<B, F>(&mut self, name: &str, kinds: &[DatabaseKind], needs: Needs, body: B)
    where
        B: Fn(TestContext) -> F + Send + Sync + 'static,
        F: Future<Output = TestResult>,
    {
        let (body, limit) = (Arc::new(body), self.limit);
        for kind in kinds.iter().copied() {
            let body = Arc::clone(&body);
            let run = move || match TestContext::new(kind, needs) {
                Ok(context) => {
                    let result = bounded(limit, body(context.clone()));
                    runtime()?.block_on(context.remove(needs));
                    finish(result)
                }
                Err(reason) => unavailable(reason),
            };
            self.trials.push(Trial::ignorable_test(format!("{name}::{}", kind.name()), run));
        }
    }

    /// Adds one test without a database.
    pub fn once<B, F>(&mut self, name: &str, needs: Needs, body: B)
    where
        B: FnOnce() -> F + Send + 'static,
        F: Future<Output = TestResult>,
    {
        let limit = self.limit;
        let run = move || {
            if needs.python()
                && let Err(reason) = python::find_python_tool()
            {
                return unavailable(reason);
            }
            finish(bounded(limit, body()))
        };
        self.trials.push(Trial::ignorable_test(name, run));
    }

    /// Adds a test that the caller has created.
    pub fn push(&mut self, trial: Trial) {
        self.trials.push(trial);
    }

    /// Runs the tests that the command line selects, and then stops the servers.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let mut arguments = Arguments::from_args();
        arguments.test_threads.get_or_insert(THREADS);
        let unknown = required().into_iter().find(|name| !REQUIRABLE.contains(&name.as_str()));
        if let Some(name) = unknown {
            let known = REQUIRABLE.join(", ");
            let text = format!("{REQUIRE} names `{name}`; it can name: {known}\n");
            let _ = std::io::stderr().write_all(text.as_bytes());
            return ExitCode::FAILURE;
        }
        let _cleanup = Cleanup;
        libtest_mimic::run(&arguments, self.trials).exit_code()
    }
}

/// Stops the shared servers and removes the temporary folder, also after a panic.
struct Cleanup;

impl Drop for Cleanup {
    fn drop(&mut self) {
        clean_up();
    }
}

/// Runs a body with a time limit. The outer error is a panic.
fn bounded(
    limit: Duration,
    body: impl Future<Output = TestResult>,
) -> Result<TestResult, Box<dyn Any + Send>> {
    let run = || {
        let timed = async { tokio::time::timeout(limit, body).await };
        match runtime()?.block_on(timed) {
            Ok(result) => result,
            Err(_) => Err(format!("the test did not end within {limit:?}").into()),
        }
    };
    panic::catch_unwind(AssertUnwindSafe(run))
}

/// Converts the result of a body for libtest-mimic. A panic is resumed.
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

/// Ignores a test with a reason. The test fails if the missing program is required.
fn unavailable(reason: Unavailable) -> Result<Completion, Failed> {
    match &reason {
        Unavailable::Missing { what, .. } => {
            if is_required(what) {
                return Err(format!("{REQUIRE} asks for `{what}`, but {reason}").into());
            }
            Ok(Completion::ignored_with(reason))
        }
        Unavailable::OtherServer(_) => Ok(Completion::ignored_with(reason)),
        Unavailable::Broken(_) => Err(reason.into()),
    }
}
