//! The cases: what is run, in which size, and the table at the end.

use std::panic::{self, AssertUnwindSafe};
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jetbase_test_harness::{
    Database, DatabaseKind, DatabaseServer, TestError, Unavailable, block_on, find_python_tool,
    is_required,
};

/// How large a case is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// What must be shown.
    Full,
    /// For every change.
    Short,
}

impl Size {
    /// One of two numbers.
    pub(crate) fn pick<T>(self, full: T, short: T) -> T {
        if self == Size::Full { full } else { short }
    }
}

/// What a case is given.
pub(crate) struct CaseContext {
    pub(crate) size: Size,
    /// The server that cases share, if the case asked for one.
    pub(crate) server: Option<Arc<DatabaseServer>>,
}

impl CaseContext {
    /// A fresh database on the server, or an SQLite file.
    pub(crate) async fn fresh(&self) -> Result<Database, TestError> {
        Database::fresh(self.server.as_ref()).await
    }
}

/// What a case returns: its figures in one line.
pub(crate) type CaseResult = Result<String, TestError>;

type CaseBody = fn(CaseContext) -> Pin<Box<dyn Future<Output = CaseResult>>>;

/// One thing to be shown.
pub(crate) struct ChaosCase {
    pub(crate) name: &'static str,
    /// The server it shares with others.
    server: Option<DatabaseKind>,
    /// Whether it needs the Python tool.
    python: bool,
    /// Whether it belongs to the short run.
    short: bool,
    body: CaseBody,
}

impl ChaosCase {
    /// A case of both runs.
    pub(crate) const fn new(name: &'static str, kind: DatabaseKind, body: CaseBody) -> ChaosCase {
        let server = match kind {
            DatabaseKind::Sqlite => None,
            kind => Some(kind),
        };
        ChaosCase { name, server, python: false, short: true, body }
    }

    /// A case that brings its own servers.
    pub(crate) const fn alone(name: &'static str, body: CaseBody) -> ChaosCase {
        ChaosCase { name, server: None, python: false, short: true, body }
    }

    pub(crate) const fn with_python(mut self) -> ChaosCase {
        self.python = true;
        self
    }

    /// Not in the short run.
    pub(crate) const fn long(mut self) -> ChaosCase {
        self.short = false;
        self
    }
}

/// How long one case may take.
const CASE_WITHIN: Duration = Duration::from_secs(900);

/// How a case ended.
enum CaseOutcome {
    Passed(String),
    Ignored(String),
    Failed(String),
}

/// Runs the cases whose names begin with one of the words; returns whether all is well.
pub(crate) fn run(cases: &[ChaosCase], size: Size, words: &[String]) -> bool {
    let begun = Instant::now();
    let asked = |case: &&ChaosCase| {
        let named = words.iter().any(|word| case.name.starts_with(word.as_str()));
        named || (words.is_empty() && (size == Size::Full || case.short))
    };
    let mut rows = Vec::new();
    for case in cases.iter().filter(asked) {
        let started = Instant::now();
        let verdict = one(case, size);
        let seconds = started.elapsed().as_secs_f64();
        let (mark, text) = match &verdict {
            CaseOutcome::Passed(text) => ("ok", text),
            CaseOutcome::Ignored(text) => ("ignored", text),
            CaseOutcome::Failed(text) => ("FAILED", text),
        };
        println!("{mark:7} {:28} {seconds:6.1} s  {text}", case.name);
        rows.push((case.name, seconds, verdict));
    }
    println!("\n{:28} {:>8}  result", "case", "seconds");
    for (name, seconds, verdict) in &rows {
        let text = match verdict {
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
    let total = begun.elapsed().as_secs_f64();
    println!("\n{passed} passed, {ignored} ignored, {failed} failed in {total:.0} s");
    failed == 0 && !rows.is_empty()
}

fn one(case: &ChaosCase, size: Size) -> CaseOutcome {
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
    let body =
        || match block_on(async { tokio::time::timeout(CASE_WITHIN, (case.body)(context)).await })?
        {
            Ok(result) => result,
            Err(_) => Err(format!("it did not end within {CASE_WITHIN:?}").into()),
        };
    match panic::catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(figures)) => CaseOutcome::Passed(figures),
        Ok(Err(error)) => match error.downcast_ref::<Unavailable>() {
            Some(missing) => unavailable(missing),
            None => CaseOutcome::Failed(format!("{error:#}")),
        },
        Err(_) => CaseOutcome::Failed("it panicked".to_owned()),
    }
}

/// What is missing is a failure where it is required.
fn unavailable(reason: &Unavailable) -> CaseOutcome {
    match reason {
        Unavailable::Missing { what, .. } if !is_required(what) => {
            CaseOutcome::Ignored(reason.to_string())
        }
        _ => CaseOutcome::Failed(reason.to_string()),
    }
}
