//! The plan of a run, and the texts that newer programs have replaced.

use jetbase_core::{Action, Dialect, MigrationKind, Migrations, Plan, Policy, Record, Step, plan};

use super::RunRequest;
use crate::error::Error;
use crate::execute::Job;
use crate::lock::Commits;
use crate::session::Session;
use crate::state::DatabaseState;
use crate::target::Connect;
use crate::wait::Limit;

/// Whether the fence guards everything that these jobs do.
pub(super) fn commits_of(jobs: &[Job<'_>], dialect: Dialect) -> Commits {
    if jobs.iter().all(|job| job.commits(dialect) == Commits::PerFile) {
        Commits::PerFile
    } else {
        Commits::PerStatement
    }
}

/// Plans the run. If the plan replaces a text with another one, plans again with the texts that
/// newer programs have replaced.
pub(super) async fn plan_run(
    request: &RunRequest,
    history: &[Record],
    superseded: impl AsyncFnOnce() -> Result<Vec<(String, String)>, Error>,
) -> Result<Plan, Error> {
    let planned = plan(&request.set, history, &request.goal, &request.policy)?;
    if !replaces(&request.set, history, &planned) {
        return Ok(planned);
    }
    let policy = Policy { superseded: superseded().await?, ..request.policy.clone() };
    Ok(plan(&request.set, history, &request.goal, &policy)?)
}

/// Whether a plan replaces the text of a `ROC__` file with another one.
pub(super) fn replaces(set: &Migrations, history: &[Record], planned: &Plan) -> bool {
    let replaced = |step: &Step| {
        let Some(migration) = set.get(step.index) else { return false };
        let checksum = migration.checksum().to_string();
        let differs = |row: &Record| {
            let same_file = row.kind == migration.kind() && row.file == migration.file();
            same_file && !row.checksum.eq_ignore_ascii_case(&checksum)
        };
        step.action == Action::Reapply
            && migration.kind() == MigrationKind::RunsOnChange
            && history.iter().any(differs)
    };
    planned.steps.iter().any(replaced)
}

/// Reads, without the lock, the texts that newer ones have replaced.
pub(super) async fn read_superseded(
    source: &mut dyn Connect,
    state: &DatabaseState,
    limit: Limit,
) -> Result<Vec<(String, String)>, Error> {
    let mut session = Session::open_for_reading(source, state, limit).await?;
    let superseded = session.superseded().await;
    session.close().await;
    superseded
}
