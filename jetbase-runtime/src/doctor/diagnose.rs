//! Decides what the facts mean for a run. Each function writes the lines of one subject.

use jetbase_core::Dialect;

use super::Diagnostic;
use super::about_session::about_session;
use super::facts::{Facts, ServerFacts};
use super::line::{blocked, blocker, good, warning};
use crate::error::ErrorKind;
use crate::journal::Unfinished;
use crate::query::LockStatus;
use crate::wait::Wait;

/// Returns the lines, in the order in which a run meets their subjects.
pub(super) fn diagnose(facts: &Facts) -> Vec<Diagnostic> {
    let mut lines = Vec::new();
    lines.extend(settings(facts));
    if let Some(server) = &facts.server {
        lines.extend(about_server(facts, server));
    }
    lines.extend(schema(facts));
    if let Some(session) = &facts.session {
        match session {
            Ok(session) => lines.extend(about_session(facts, session)),
            Err(error) => lines.push(blocked(error)),
        }
    }
    if let Some(server) = &facts.server {
        lines.extend(rights(facts, server));
        lines.extend(row_security(server));
        lines.extend(tables(facts, server));
    }
    lines.extend(history(facts));
    lines.extend(journal(facts));
    lines.extend(lock(facts));
    lines
}

/// The variables of the environment.
fn settings(facts: &Facts) -> Vec<Diagnostic> {
    let mut lines = Vec::new();
    if let Err(error) = &facts.wait {
        lines.push(blocked(&error.clone().into()));
    }
    if let Err(error) = &facts.lease {
        lines.push(blocked(&error.clone().into()));
    }
    if let (Ok(wait), Ok(lease)) = (&facts.wait, &facts.lease) {
        let waits = match wait {
            Wait::WhileAlive => {
                "a run waits while the holder of the lock is alive, else 60 s".to_owned()
            }
            Wait::UpTo(limit) => format!("a run waits up to {limit:?} for the lock"),
            Wait::Never => "a run does not wait for the lock".to_owned(),
        };
        let closed = match facts.dialect {
            Dialect::Sqlite => String::new(),
            Dialect::Postgres | Dialect::MySql => {
                format!("; the server closes its session after {lease:?} without a statement")
            }
        };
        lines.push(good("settings", format!("{waits}{closed}")));
    }
    lines
}

/// The server, the user, the timeouts and the limits.
fn about_server(facts: &Facts, server: &ServerFacts) -> Vec<Diagnostic> {
    let row = &server.row;
    let mut lines = Vec::new();
    if let Some(cause) = &server.refused
        && row.opt("server").is_none()
    {
        let message = format!("the server did not answer all questions: {}", cause.message);
        return vec![warning("server", message, "read the log of the server")];
    }
    lines.push(match (row.is_true("is_read_only"), facts.dialect) {
        (false, _) => good("server", row.text("server")),
        (true, Dialect::Sqlite) => blocker(
            "server",
            format!("{}, and this connection may not write", row.text("server")),
            "turn `PRAGMA query_only` off",
        ),
        (true, Dialect::Postgres | Dialect::MySql) => blocker(
            "server",
            format!("{}, which accepts no changes: it is a replica", row.text("server")),
            "put the address of the primary server into the URL",
        ),
    });
    if facts.dialect == Dialect::Sqlite {
        return lines;
    }
    let user = row.text("user_name");
    lines.push(match &facts.role {
        Some(role) => good("user", format!("{}, as the role {role}", row.text("login"))),
        None if row.is_true("is_superuser") => good("user", format!("{user}, a superuser")),
        None => good("user", user),
    });
    lines.push(good(
        "timeouts",
        match row.text("timeouts") {
            "" => "no timeout of the server ends a statement".to_owned(),
            timeouts => format!("a run turns these off for itself: {timeouts}"),
        },
    ));
    lines.extend(limits(server));
    lines
}

/// How many more connections the server accepts.
fn limits(server: &ServerFacts) -> Option<Diagnostic> {
    let number = |column| server.row.text(column).parse::<u64>().ok();
    let (used, most) = (number("connections")?, number("most_connections")?);
    let message = format!("{used} of {most} connections are in use");
    Some(if used + 1 < most {
        good("limits", message)
    } else {
        warning(
            "limits",
            format!("{message}, and a run needs one of its own"),
            "close other connections, or raise the limit of the server or of the user",
        )
    })
}

/// The schema, or why a run cannot work there.
fn schema(facts: &Facts) -> Vec<Diagnostic> {
    let namespace = match &facts.namespace {
        Ok(namespace) => namespace,
        Err(error) => return vec![blocked(error)],
    };
    match facts.dialect {
        Dialect::Sqlite => Vec::new(),
        Dialect::MySql => vec![good("schema", format!("the database {}", namespace.schema))],
        Dialect::Postgres => vec![good(
            "schema",
            format!(
                "{} in the database {}; the search path is {}",
                namespace.schema, namespace.database, namespace.search_path
            ),
        )],
    }
}

/// The rights that a run needs for the tables of jetbase.
fn rights(facts: &Facts, server: &ServerFacts) -> Option<Diagnostic> {
    if facts.dialect == Dialect::Sqlite || server.row.opt("server").is_none() {
        return None;
    }
    if server.missing_rights.is_empty() {
        return Some(good("rights", "all that jetbase's own tables need"));
    }
    let all = |column| {
        let texts: Vec<_> = server.missing_rights.iter().map(|row| row.text(column)).collect();
        texts.join(", ")
    };
    let message = format!("{} lacks {}", server.row.text("user_name"), all("missing"));
    let grants = all("grant_statement").replace(", GRANT", "; GRANT");
    Some(if !server.roles.is_empty() {
        let roles = server.roles.join(", ");
        let message = format!("{message}; the role {roles} may have it");
        warning("rights", message, format!("if a run is refused: run {grants}"))
    } else if server.missing_rights.iter().any(|row| row.is_true("is_required")) {
        blocker("rights", message, format!("run {grants}"))
    } else {
        warning(
            "rights",
            format!("{message}: enough for files that need no more, not for a rollback"),
            format!("run {grants}"),
        )
    })
}

/// Row-level security of PostgreSQL.
fn row_security(server: &ServerFacts) -> Option<Diagnostic> {
    let filtered = server.row.opt("filtered")?;
    Some(blocker(
        "row_security",
        format!("row-level security hides rows of {filtered} from this user"),
        "run as the owner of the table, grant BYPASSRLS, or disable row-level security for the table",
    ))
}

/// Which tables exist, and whether the history has its index.
fn tables(facts: &Facts, server: &ServerFacts) -> Option<Diagnostic> {
    facts.namespace.as_ref().ok()?;
    let row = &server.row;
    Some(match row.text("tables") {
        "" => good("tables", "there are none yet; the first run creates them"),
        names if names.contains("jetbase_migrations") && !row.is_true("has_index") => warning(
            "tables",
            format!("{names}; the history has no unique index on its versions"),
            format!("run {}", server.add_index.split_whitespace().collect::<Vec<_>>().join(" ")),
        ),
        names => good("tables", names),
    })
}

/// What is applied, and what a run would do.
fn history(facts: &Facts) -> Vec<Diagnostic> {
    match &facts.work {
        None => Vec::new(),
        Some(Ok(work)) => {
            vec![good("history", format!("{} applied, {} pending", work.applied, work.pending))]
        }
        Some(Err(error)) => match error.kind() {
            ErrorKind::Refused(refusal) => {
                let problems = refusal.problems.iter();
                problems
                    .map(|it| blocker("history", it.to_string(), it.help().to_string()))
                    .collect()
            }
            ErrorKind::Findings(findings) => findings
                .iter()
                .map(|it| {
                    let at = it
                        .position
                        .map_or_else(String::new, |at| format!(":{}:{}", at.line, at.column));
                    blocker("files", format!("{}{at}: {}", it.file, it.message), it.help.clone())
                })
                .collect(),
            _ => vec![blocked(error)],
        },
    }
}

/// The files that an earlier run has not finished.
fn journal(facts: &Facts) -> Vec<Diagnostic> {
    let unfinished = facts.unfinished.iter();
    let line = |it: &Unfinished| {
        warning("journal", it.state(), format!("run `jetbase {}` to go on", it.direction))
    };
    unfinished.map(line).collect()
}

/// Who holds the lock.
fn lock(facts: &Facts) -> Option<Diagnostic> {
    let Some(Ok(session)) = &facts.session else { return None };
    let status = match &session.lock {
        None => return Some(good("lock", "free: there is no table yet")),
        Some(Err(error)) => {
            return Some(match error.kind() {
                ErrorKind::Blocked { obstacle, .. } => blocker(
                    "lock",
                    format!("free, but a run cannot acquire it: {obstacle}"),
                    "remove the obstacle, or wait until it ends",
                ),
                _ => Diagnostic { subject: "lock", ..blocked(error) },
            });
        }
        Some(Ok(status)) => status,
    };
    let LockStatus { locked: true, holder, locked_at, alive, .. } = status else {
        return Some(good("lock", "free"));
    };
    let holder = holder.as_deref().unwrap_or("an unknown process");
    let since = locked_at.as_deref().map_or_else(String::new, |at| format!(" since {at}"));
    let message = format!("held by {holder}{since}");
    Some(match alive {
        Some(true) => warning("lock", message, "wait until that run ends"),
        Some(false) => {
            good("lock", format!("{message}, which is dead: the next run takes it over"))
        }
        None => warning(
            "lock",
            format!("{message}; whether it is alive cannot be checked from here"),
            "if you are sure that it is dead, run `jetbase unlock`",
        ),
    })
}
