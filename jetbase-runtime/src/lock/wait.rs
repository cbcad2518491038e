//! How long a run waits for others.

use std::time::{Duration, Instant};

use super::protocol::Patience;

/// Longer than the limit for locks that each statement of ours carries, which is a second.
const SHORTEST_ANSWER: Duration = Duration::from_secs(3);

/// How long a run waits while somebody else holds the lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wait {
    /// While the holder is provably alive; 60 seconds where nobody can know.
    #[default]
    Patiently,
    /// This long, whoever it is.
    UpTo(Duration),
    /// Not at all.
    Never,
}

impl Wait {
    /// What the variable `JETBASE_WAIT` says: a length of time such as `30s`, or `never`.
    pub(crate) fn of_environment() -> Result<Self, String> {
        match std::env::var("JETBASE_WAIT").ok().as_deref().map(str::trim) {
            None | Some("") => Ok(Wait::Patiently),
            Some("never") => Ok(Wait::Never),
            Some(text) => jetbase_core::duration(text).map(Wait::UpTo).ok_or_else(|| {
                format!("JETBASE_WAIT is `{text}`; write a length of time such as `30s` or `5min`, or `never`")
            }),
        }
    }
}

/// What a run has left of its wait: one for the server, the tables and the lock together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    wait: Wait,
    since: Instant,
}

impl Limit {
    pub(crate) fn begin(wait: Wait) -> Self {
        Limit { wait, since: Instant::now() }
    }

    /// The limit of a question, which takes no lock: a minute for the server, and for whoever locks
    /// the tables.
    pub(crate) fn of_question() -> Self {
        Limit::begin(Wait::UpTo(Duration::from_secs(60)))
    }

    /// Begins anew where only the unknown is limited: the server has just answered.
    pub(crate) fn renew(&mut self) {
        if self.wait == Wait::Patiently {
            self.since = Instant::now();
        }
    }

    /// The time left for a holder, or a server, whose liveness cannot be checked.
    pub(crate) fn left(&self) -> Duration {
        self.patience().unknown
    }

    /// How long one question may take: a server that is silent for longer is given up.
    pub(crate) fn of_answer(&self) -> Duration {
        self.left().max(SHORTEST_ANSWER)
    }

    /// How long one try to connect may take, before the run says that it waits.
    pub(crate) fn of_connecting(&self) -> Duration {
        self.left().min(super::FIRST_NOTICE)
    }

    pub(super) fn patience(&self) -> Patience {
        let (living, unknown) = match self.wait {
            Wait::Patiently => (None, Duration::from_secs(60)),
            Wait::UpTo(limit) => (Some(limit), limit),
            Wait::Never => (Some(Duration::ZERO), Duration::ZERO),
        };
        let spent = self.since.elapsed();
        Patience {
            living: living.map(|living| living.saturating_sub(spent)),
            unknown: unknown.saturating_sub(spent),
        }
    }
}
