//! Repairs of the history. They use the lock and the fence like the record of a migration.

use jetbase_core::{
    Ahead, Kind, Migrations, Policy, Problem, Record, Refusal, Validation, validate,
};

use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Kept};
use crate::event::Listener;
use crate::lock::{Commits, LockRequest, with_lock};
use crate::session::Session;
use crate::state::{NamespaceOptions, read_state};
use crate::target::{Connect, ConnectionSource, Source};
use crate::wait::{Limit, Wait};

/// What a repair may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RepairScope {
    /// Replaces checksums that differ from those of the files.
    Checksums,
    /// Deletes rows whose files are missing.
    Files,
}

/// One repair of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Repair {
    Checksum { version: String, file: String, from: String, to: String },
    Version { version: String, file: String },
    Repeatable { file: String, kind: Kind },
}

/// The request for a repair: the set, the options, and how long to wait.
pub(crate) struct RepairRequest {
    pub(crate) set: Migrations,
    pub(crate) options: NamespaceOptions,
    pub(crate) wait: Wait,
    pub(crate) scopes: Vec<RepairScope>,
    pub(crate) ahead: Ahead,
    pub(crate) listener: Listener,
}

/// Repairs the history. If there is nothing to repair, it takes no lock.
pub(crate) async fn repair(
    request: &mut RepairRequest,
    source: Source<'_>,
) -> Result<Vec<Repair>, Error> {
    match source.0 {
        ConnectionSource::Shared(mut origin) => from(request, origin.as_mut()).await,
        ConnectionSource::Borrowed(mut origin) => from(request, origin.as_mut()).await,
        ConnectionSource::Broken(why) => Err(Error::place(why)),
    }
}

async fn from(request: &mut RepairRequest, origin: &mut dyn Connect) -> Result<Vec<Repair>, Error> {
    let first = read_state(origin, &request.options).await?;
    let history = first.history.as_deref().unwrap_or_default();
    if request.repairs(history)?.is_empty() {
        return Ok(Vec::new());
    }
    let mut listener = std::mem::take(&mut request.listener);
    let wanted = LockRequest {
        state: &first,
        options: &request.options,
        limit: Limit::begin(request.wait),
        commits: Commits::PerFile,
        cancel: &Cancel::default(),
    };
    let repaired = with_lock(
        origin,
        &wanted,
        &mut listener,
        |_| Ok(()),
        async |session, _, _| write(request, session).await,
    );
    Ok(repaired.await?)
}

/// Decides again, with the history read under the lock, and repairs it in one transaction.
async fn write(request: &RepairRequest, session: &mut Session<'_>) -> Result<Vec<Repair>, Error> {
    let history = session.history().await?;
    let repairs = request.repairs(&history)?;
    let fill = session.bindings.clone();
    let fill = fill.literal("statement_timeout", "0").literal("lock_timeout", "5000");
    let fill = fill.literal("label", "jetbase fix").literal("tx", "fix");
    let sql = session.sql;
    let mut templates: Vec<&str> = session.guard(sql.guard_writing).to_vec();
    let guarded = templates.len();
    templates.push(sql.fence_locking);
    if session.has_server_lock() {
        templates.push(sql.fence_session_lock);
    }
    let opened = sql.open.len();
    let mut parts: Vec<String> =
        sql.open.iter().chain(&templates).map(|part| fill.fill(part)).collect();
    let checked = opened..opened + guarded;
    let fenced = checked.end..parts.len();
    for repair in &repairs {
        let fill = fill.clone();
        let (templates, fill) = match repair {
            Repair::Checksum { version, to, .. } => (
                [sql.repair, sql.repaired],
                fill.literal("version", version).literal("checksum", to),
            ),
            Repair::Version { version, .. } => {
                ([sql.delete, sql.deleted], fill.literal("version", version))
            }
            Repair::Repeatable { file, .. } => {
                ([sql.forget, sql.forgotten], fill.literal("file", file))
            }
        };
        let kind = match repair {
            Repair::Repeatable { kind, .. } => *kind,
            _ => Kind::Versioned,
        };
        let fill = fill.literal("kind", kind.as_str());
        parts.extend(templates.iter().map(|part| fill.fill(part)));
    }
    let written = fenced.end..parts.len();
    parts.extend(sql.still_open.iter().map(|part| fill.fill(part)));
    parts.push("COMMIT".to_owned());
    let result = match session.execute(&parts.join(";\n")).await {
        Ok(_) => Ok(()),
        Err(failure) => {
            let (at, code) = (failure.completed.len(), failure.cause.code.as_str());
            let fails_check = sql.fence_codes.contains(&code);
            Err(if fails_check && fenced.contains(&at) {
                Error::new(ErrorKind::LockLost { file: None, kept: Kept::Nothing })
            } else if checked.contains(&at) && sql.guard_codes.contains(&code) {
                let _ = session.raw("ROLLBACK").await;
                Error::database(
                    "checking jetbase's tables",
                    &session.untrusted_or(failure.cause).await,
                )
            } else if fails_check && written.contains(&at) {
                Error::place(
                    "the history could not be corrected: the database accepted the change of jetbase_migrations and \
                     did not make it; look for a trigger, a rule or a policy on the table",
                )
            } else {
                Error::database("correcting the migration history", &failure.cause)
            })
        }
    };
    if result.is_err() {
        let _ = session.raw("ROLLBACK").await;
    }
    session.reset().await;
    result.map(|_| repairs)
}

impl RepairRequest {
    /// Returns the repairs for the differences in scope. Other differences are refused.
    fn repairs(&self, history: &[Record]) -> Result<Vec<Repair>, Error> {
        let mut repairs = Vec::new();
        for scope in &self.scopes {
            let skip = match scope {
                RepairScope::Checksums => Validation::Files,
                RepairScope::Files => Validation::Checksums,
            };
            let policy = Policy { skip: vec![skip], ahead: self.ahead, ..Policy::default() };
            let Err(Refusal { problems }) = validate(&self.set, history, &policy) else { continue };
            let (found, others): (Vec<_>, Vec<_>) = problems
                .into_iter()
                .map(|problem| (of_problem(&problem, history), problem))
                .partition(|(repair, _)| repair.is_some());
            // A file with a version that is too low is no matter of the history.
            let others = others.into_iter().map(|(_, problem)| problem);
            let others: Vec<_> =
                others.filter(|it| !matches!(it, Problem::OutOfOrder { .. })).collect();
            if !others.is_empty() {
                return Err(Refusal { problems: others }.into());
            }
            repairs.extend(found.into_iter().filter_map(|(repair, _)| repair));
        }
        Ok(repairs)
    }
}

fn of_problem(problem: &Problem, history: &[Record]) -> Option<Repair> {
    match problem {
        Problem::Changed { version, file, recorded, found } => Some(Repair::Checksum {
            version: version.clone(),
            file: file.clone(),
            from: recorded.clone(),
            to: found.clone(),
        }),
        Problem::Missing { version, file } | Problem::Ahead { version, file } => {
            Some(Repair::Version { version: version.clone(), file: file.clone() })
        }
        Problem::MissingRepeatable { file } => {
            let row = history.iter().find(|row| row.version.is_none() && row.file == *file)?;
            Some(Repair::Repeatable { file: file.clone(), kind: row.kind })
        }
        _ => None,
    }
}
