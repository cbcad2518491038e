//! Corrections of the history, under the lock and behind the fence, as a migration is recorded.

use jetbase_core::{
    Ahead, Dialect, Kind, Migrations, Policy, Problem, Record, Refusal, Validation, validate,
};

use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Kept};
use crate::event::{Event, Listener};
use crate::lock::{self, Limit, Release, Wait, Work};
use crate::look::Wish;
use crate::run::first_look;
use crate::session::{Session, nonce};
use crate::target::{Open, Source, Way};

/// What a correction is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Matter {
    /// Checksums that differ become those of the files.
    Checksums,
    /// Rows whose files are gone are forgotten.
    Files,
}

/// One correction of the history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Repair {
    Checksum { version: String, file: String, from: String, to: String },
    Version { version: String, file: String },
    Repeatable { file: String, kind: Kind },
}

/// What is to be corrected, where, and with how much patience.
pub(crate) struct Plea {
    pub(crate) set: Migrations,
    pub(crate) wish: Wish,
    pub(crate) wait: Wait,
    pub(crate) matters: Vec<Matter>,
    pub(crate) ahead: Ahead,
    pub(crate) listener: Listener,
}

/// Corrects the history; with nothing to correct, no lock is taken.
pub(crate) async fn repair(plea: &mut Plea, source: Source<'_>) -> Result<Vec<Repair>, Error> {
    match source.0 {
        Way::Shared(mut origin) => from(plea, origin.as_mut()).await,
        Way::Borrowed(mut origin) => from(plea, origin.as_mut()).await,
        Way::Broken(why) => Err(Error::place(why)),
    }
}

async fn from(plea: &mut Plea, origin: &mut dyn Open) -> Result<Vec<Repair>, Error> {
    let first = first_look(origin, &plea.wish).await?;
    let history = first.history.as_deref().unwrap_or_default();
    if plea.repairs(history)?.is_empty() {
        return Ok(Vec::new());
    }
    let nonce = nonce();
    let limit = Limit::begin(plea.wait);
    let mut session = Session::open(origin, &first, &nonce, limit).await?;
    let result = under_lock(plea, &mut session, limit).await;
    session.close().await;
    result
}

async fn under_lock(
    plea: &mut Plea,
    session: &mut Session<'_>,
    limit: Limit,
) -> Result<Vec<Repair>, Error> {
    let cancel = Cancel::default();
    let held = lock::acquire(session, limit, &mut plea.listener, &cancel, Work::Fenced).await?;
    let result = write(plea, session).await;
    let warning = match lock::release(session, held).await {
        Ok(Release::Done) => return result,
        Ok(Release::NotOurs) => "the lock was taken away; the work was done before".to_owned(),
        Err(cause) => Error::database("releasing the migration lock", &cause).to_string(),
    };
    if result.is_ok() {
        plea.listener.tell(&Event::Warning { message: warning });
    }
    result
}

/// Decides again, on the history as it is under the lock, and corrects it in one transaction.
async fn write(plea: &Plea, session: &mut Session<'_>) -> Result<Vec<Repair>, Error> {
    let history = session.history().await?;
    let repairs = plea.repairs(&history)?;
    let fill = session.fill.clone();
    let fill = fill.literal("statement_timeout", "0").literal("lock_timeout", "5000");
    let fill = fill.literal("label", "jetbase fix").literal("tx", "fix");
    let sql = session.sql;
    let mut templates: Vec<&str> = session.guard(sql.guard_writing).to_vec();
    let guarded = templates.len();
    templates.push(sql.fence_locking);
    if session.proof.is_proof() && session.dialect != Dialect::Sqlite {
        templates.push(sql.fence_proof);
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

impl Plea {
    /// What differs and can be corrected; what differs otherwise is refused.
    fn repairs(&self, history: &[Record]) -> Result<Vec<Repair>, Error> {
        let mut repairs = Vec::new();
        for matter in &self.matters {
            let skip = match matter {
                Matter::Checksums => Validation::Files,
                Matter::Files => Validation::Checksums,
            };
            let policy = Policy { skip: vec![skip], ahead: self.ahead, ..Policy::default() };
            let Err(Refusal { problems }) = validate(&self.set, history, &policy) else { continue };
            let (found, others): (Vec<_>, Vec<_>) = problems
                .into_iter()
                .map(|problem| (of_problem(&problem, history), problem))
                .partition(|(repair, _)| repair.is_some());
            // A file that sorts too low is no matter of the history's.
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
