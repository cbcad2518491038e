//! The lines about the session that a run would have.

use jetbase_core::Dialect;

use super::facts::{Facts, SessionFacts};
use super::line::{blocked, good, warning};
use super::{Diagnostic, DiagnosticLevel};
use crate::error::TableError;
use crate::run::Published;
use crate::session::{Liveness, Topology};
use crate::target::ConnectionOwner;

/// The connection of a run, how its liveness can be checked, and the publications.
pub(super) fn about_session(facts: &Facts, session: &SessionFacts) -> Vec<Diagnostic> {
    let mut lines = vec![connection(facts, session), liveness(facts, session)];
    lines.extend(time_zone(facts, session));
    if facts.dialect == Dialect::Postgres {
        lines.push(publications(facts, session));
    }
    lines
}

fn connection(facts: &Facts, session: &SessionFacts) -> Diagnostic {
    match (facts.dialect, session.owner) {
        (Dialect::Sqlite, _) => match &session.file {
            Some(file) => good("connection", format!("the file {file}")),
            None => good("connection", "a database in memory"),
        },
        (_, ConnectionOwner::Caller) => good("connection", "a connection of this program"),
        _ if session.pooled => {
            warning("connection", "a pooler stands between this program and the server", DIRECT_URL)
        }
        (Dialect::Postgres, _) if facts.has_direct_url => {
            good("connection", "direct, through the direct URL")
        }
        (Dialect::Postgres, _) => good("connection", "direct: no pooler is in between"),
        (Dialect::MySql, _) => good("connection", "a connection that only the run uses"),
    }
}

const DIRECT_URL: &str =
    "set JETBASE_DIRECT_URL, `direct_url` or --direct-url to the address of the server itself";

fn liveness(facts: &Facts, session: &SessionFacts) -> Diagnostic {
    let proved = |how: &str| format!("{how} proves that a run is alive");
    match (facts.dialect, session.liveness, session.topology) {
        (Dialect::Sqlite, ..) => match &session.file {
            Some(file) => {
                good("liveness", proved(&format!("a lock on the file {file}.jetbase-lock")))
            }
            None => good("liveness", "no other process can open this database"),
        },
        (_, Liveness::Advisory | Liveness::GetLock, Topology::Cluster) => warning(
            "liveness",
            "several servers write to this database, and a run can judge only runs on its own server",
            "let all runs use the same server; after a kill elsewhere, run `jetbase unlock`",
        ),
        (_, Liveness::Advisory, _) => good("liveness", proved("a session advisory lock")),
        (_, Liveness::GetLock, _) => good("liveness", proved("GET_LOCK")),
        _ if session.owner == ConnectionOwner::Caller => warning(
            "liveness",
            "nothing proves that a run on a borrowed connection is alive",
            "pass the pool or a URL, so that the run opens its own connection",
        ),
        _ if session.pooled => warning(
            "liveness",
            "nothing proves that a run behind a pooler is alive: after a kill, the next run waits 30 s, \
             or for `jetbase unlock`",
            DIRECT_URL,
        ),
        (Dialect::Postgres, ..) => warning(
            "liveness",
            "nothing proves that a run is alive, because the identity of the server cannot be read",
            "grant EXECUTE on the function pg_control_system() to this user",
        ),
        _ => warning(
            "liveness",
            "nothing proves that a run is alive, because the server forbids GET_LOCK",
            "after a kill, run `jetbase unlock`",
        ),
    }
}

/// The zone of the times in the history.
fn time_zone(facts: &Facts, session: &SessionFacts) -> Option<Diagnostic> {
    let message = match facts.dialect {
        Dialect::Postgres => format!("the history records times of {}", session.zone),
        Dialect::MySql => {
            let zone = facts.server.as_ref()?.row.opt("zone")?;
            format!("the history records times in UTC, and the server shows them in {zone}")
        }
        Dialect::Sqlite => "the history records times in UTC".to_owned(),
    };
    Some(good("time_zone", message))
}

fn publications(facts: &Facts, session: &SessionFacts) -> Diagnostic {
    let [publication, ..] = session.published.as_slice() else {
        return good("publications", "no publication contains the tables of jetbase");
    };
    let error = blocked(&TableError::Published { publication: publication.clone() }.into());
    match facts.published {
        Published::Refuse => Diagnostic { subject: "publications", ..error },
        Published::Allow => {
            Diagnostic { subject: "publications", level: DiagnosticLevel::Warning, ..error }
        }
    }
}
