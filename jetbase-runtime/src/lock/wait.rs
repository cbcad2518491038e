//! How long a run waits for others.

use std::time::{Duration, Instant};

use super::protocol::Patience;

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
    pub(crate) fn of_environment() -> Self {
        match std::env::var("JETBASE_WAIT").ok().as_deref().map(str::trim) {
            Some("never") => Wait::Never,
            Some(text) => jetbase_core::duration(text).map_or(Wait::Patiently, Wait::UpTo),
            None => Wait::Patiently,
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

    /// Begins anew where only the unknown is limited: the server has just answered.
    pub(crate) fn renew(&mut self) {
        if self.wait == Wait::Patiently {
            self.since = Instant::now();
        }
    }

    /// What is left for somebody, or something, of whom nobody can know.
    pub(crate) fn left(&self) -> Duration {
        self.patience().unknown
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
