//! Unfinished files: what a run refuses because of them, and where they go on.

use jetbase_core::{Ahead, Goal, Name};

use super::RunRequest;
use crate::error::{Error, JournalError};
use crate::event::Listener;
use crate::execute::Job;
use crate::journal::{Direction, JournalRow, Unfinished};
use crate::session::Session;

/// Refuses what would leave an unfinished file behind.
pub(super) fn refuse_unfinished(
    request: &RunRequest,
    entries: &[JournalRow],
    jobs: &[Job<'_>],
    listener: &mut Listener,
) -> Result<(), Error> {
    let open = Unfinished::of(entries);
    if request.resume.is_some() && open.is_empty() {
        return Err(JournalError::NothingToResume.into());
    }
    let direction = match request.goal {
        Goal::Upgrade(_) => Direction::Upgrade,
        Goal::Rollback(_) => Direction::Rollback,
        // Neither would go on where the file has stopped.
        Goal::Redo(_) | Goal::Reapply(_) => {
            let first = open.into_iter().next();
            return first.map_or(Ok(()), |it| Err(JournalError::Unfinished(it).into()));
        }
    };
    for unfinished in open {
        let is_in_set = request.set.iter().any(|it| it.file() == unfinished.file);
        let is_first = jobs.first().is_some_and(|it| it.concerns(&unfinished.file, direction));
        if unfinished.direction != direction || (direction == Direction::Rollback && !is_first) {
            return Err(JournalError::Unfinished(unfinished).into());
        }
        if is_in_set {
            continue;
        }
        if !(jobs.is_empty() && is_ahead(request, &unfinished)) {
            return Err(JournalError::FileGone(unfinished).into());
        }
        listener.warn(format!(
            "a newer program has not finished its work: {}; this run executes nothing",
            unfinished.state()
        ));
    }
    Ok(())
}

/// Whether a newer program has begun the file, and this one may start all the same.
fn is_ahead(request: &RunRequest, unfinished: &Unfinished) -> bool {
    let version = Name::parse(&unfinished.file).ok().and_then(|name| name.version);
    let latest = request.set.iter().filter_map(|it| it.version()).max();
    request.policy.ahead == Ahead::Allow && version.is_some() && version > latest
}

/// Finds out where the unfinished files of a plan go on, and creates the journal if a file needs it.
pub(super) async fn resume_files(
    request: &RunRequest,
    session: &mut Session<'_>,
    jobs: &mut [Job<'_>],
    listener: &mut Listener,
) -> Result<(), Error> {
    let mut entries = session.read_journal().await?;
    for job in jobs.iter_mut() {
        job.has_entries = entries.iter().any(|it| job.concerns(&it.file, it.direction));
    }
    entries.retain(|entry| !entry.is_stale);
    refuse_unfinished(request, &entries, jobs, listener)?;
    if jobs.iter().any(|job| job.needs_journal(session.dialect)) {
        session.create_journal().await?;
    }
    for job in jobs {
        let of_file = entries.iter().filter(|entry| job.concerns(&entry.file, entry.direction));
        let of_file: Vec<_> = of_file.cloned().collect();
        if !of_file.is_empty() {
            job.resume(session, &of_file, request.resume).await?;
        }
    }
    Ok(())
}
