//! The cases: how they run, and the table of their results.

use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jetbase_test_harness::{
    Database, DatabaseKind, DatabaseServer, TestError, Unavailable, block_on, find_python_tool,
    is_required,
};

/// The size of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// For a release.
    Full,
    /// For every change.
    Short,
}

impl Size {
    /// Returns the value for this size.
    pub(crate) fn pick<T>(self, full: T, short: T) -> T {
        if self == Size::Full { full } else { short }
    }
}

/// The context of a case.
pub(crate) struct CaseContext {
    pub(crate) size: Size,
    /// The shared server, if the case uses one.
    pub(crate) server: Option<Arc<DatabaseServer>>,
}

impl CaseContext {
    /// A fresh database on the server, or an SQLite file.
    pub(crate) async fn fresh(&self) -> Result<Database, TestError> {
        Database::fresh(self.server.as_ref()).await
    }
}

/// The result of a case: its figures in one line.
pub(crate) type CaseResult = Result<String, TestError>;

type CaseBody = fn(CaseContext) -> Pin<Box<dyn Future<Output = CaseResult>>>;

/// A stress test.
pub(crate) struct ChaosCase {
    pub(crate) name: &'static str,
    /// The shared server that it uses.
    server: Option<DatabaseKind>,
    /// Whether it needs the Python tool.
    python: bool,
    /// Whether it belongs to the short run.
    short: bool,
    body: CaseBody,
}

impl ChaosCase {
    /// Creates a case of the full and the short run.
    pub(crate) const fn new(name: &'static str, kind: DatabaseKind, body: CaseBody) -> ChaosCase {
        let server = match kind {
            DatabaseKind::Sqlite => None,
            kind => Some(kind),
        };
        ChaosCase { name, server, python: false, short: true, body }
    }

    /// Creates a case that starts its own servers.
    pub(crate) const fn alone(name: &'static str, body: CaseBody) -> ChaosCase {
        ChaosCase { name, server: None, python: false, short: true, body }
    }

    pub(crate) const fn with_python(mut self) -> ChaosCase {
        self.python = true;
        self
    }

    /// Removes the case from the short run.
    pub(crate) const fn long(mut self) -> ChaosCase {
        self.short = false;
        self
    }
}

/// The time limit for one case.
const CASE_TIMEOUT: Duration = Duration::from_secs(2700);

/// The outcome of a case.
enum CaseOutcome {
    Passed(String),
    Ignored(String),
    Failed(String),
}

/// Runs the cases whose names start with one of the prefixes. Returns whether no case failed.
pub(crate) fn run(cases: &[ChaosCase], size: Size, prefixes: &[String]) -> bool {
    let start = Instant::now();
    let is_selected = |case: &&ChaosCase| {
        let is_named = prefixes.iter().any(|prefix| case.name.starts_with(prefix.as_str()));
        is_named || (prefixes.is_empty() && (size == Size::Full || case.short))
    };
    let mut rows = Vec::new();
    for case in cases.iter().filter(is_selected) {
        let started = Instant::now();
        let outcome = run_case(case, size);
        let seconds = started.elapsed().as_secs_f64();
        let (label, text) = match &outcome {
            CaseOutcome::Passed(text) => ("ok", text),
            CaseOutcome::Ignored(text) => ("ignored", text),
            CaseOutcome::Failed(text) => ("FAILED", text),
        };
        println!("{label:7} {:28} {seconds:6.1} s  {text}", case.name);
        rows.push((case.name, seconds, outcome));
    }
    println!("\n{:28} {:>8}  result", "case", "seconds");
    for (name, seconds, outcome) in &rows {
        let text = match outcome {
            CaseOutcome::Passed(text) => text.clone(),
            CaseOutcome::Ignored(text) => format!("ignored: {text}"),
            CaseOutcome::Failed(text) => {
                let line = text.lines().next().unwrap_or_default();
                format!("FAILED: {}", line.chars().take(300).collect::<String>())
            }
        };
        println!("{name:28} {seconds:8.1}  {text}");
    }
    let count = |is_it: fn(&CaseOutcome) -> bool| rows.iter().filter(|row| is_it(&row.2)).count();
    let failed = count(|it| matches!(it, CaseOutcome::Failed(_)));
    let ignored = count(|it| matches!(it, CaseOutcome::Ignored(_)));
    let passed = rows.len() - failed - ignored;
    let total = start.elapsed().as_secs_f64();
    println!("\n{passed} passed, {ignored} ignored, {failed} failed in {total:.0} s");
    failed == 0 && !rows.is_empty()
}

fn run_case(case: &ChaosCase, size: Size) -> CaseOutcome {
    let context = || -> Result<CaseContext, Unavailable> {
        if case.python {
            find_python_tool()?;
        }
        let server = case.server.map(DatabaseServer::shared).transpose()?;
        Ok(CaseContext { size, server })
    };
    let context = match context() {
        Ok(context) => context,
        Err(missing) => return unavailable(&missing),
    };
    let body = || match block_on(async {
        tokio::time::timeout(CASE_TIMEOUT, (case.body)(context)).await
    })? {
        Ok(result) => result,
        Err(_) => Err(format!("the case did not end within {CASE_TIMEOUT:?}").into()),
    };
    match panic::catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(figures)) => CaseOutcome::Passed(figures),
        Ok(Err(error)) => match error.downcast_ref::<Unavailable>() {
            Some(missing) => unavailable(missing),
            None => CaseOutcome::Failed(format!("{error:#}")),
        },
        Err(_) => CaseOutcome::Failed("the case panicked".to_owned()),
    }
}

/// A missing program is a failure if it is required.
fn unavailable(reason: &Unavailable) -> CaseOutcome {
    match reason {
        Unavailable::OtherServer(_) => CaseOutcome::Ignored(reason.to_string()),
        Unavailable::Missing { what, .. } if !is_required(what) => {
            CaseOutcome::Ignored(reason.to_string())
        }
        _ => CaseOutcome::Failed(reason.to_string()),
    }
}
