//! How long a run waits for others.

use std::time::{Duration, Instant};

use crate::error::SettingError;

/// When a waiting run first reports for whom it waits, and how often it repeats the report.
pub(crate) const FIRST_NOTICE: Duration = Duration::from_secs(5);
pub(crate) const NOTICE_INTERVAL: Duration = Duration::from_secs(30);

/// The shortest limit for an answer. It is longer than the lock timeout of each statement, which is
/// a second.
const MIN_ANSWER_TIME: Duration = Duration::from_secs(3);

/// Returns a random pause between half of this one and one and a half of it, so that several runs do
/// not retry at the same moments.
pub(crate) fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64())
}

/// How long a run waits while another process holds the lock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wait {
    /// As long as the holder is alive; 60 seconds if its liveness cannot be checked.
    #[default]
    WhileAlive,
    /// This long, for any holder.
    UpTo(Duration),
    /// Not at all.
    Never,
}

impl Wait {
    /// Reads the variable `JETBASE_WAIT`: a length of time such as `30s`, or `never`.
    pub(crate) fn from_environment() -> Result<Self, SettingError> {
        match std::env::var("JETBASE_WAIT").ok().as_deref().map(str::trim) {
            None | Some("") => Ok(Wait::WhileAlive),
            Some("never") => Ok(Wait::Never),
            Some(text) => jetbase_core::duration(text)
                .map(Wait::UpTo)
                .ok_or_else(|| SettingError::Wait { value: text.to_owned() }),
        }
    }
}

/// How long to wait for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaitLimits {
    /// For a holder that is alive; `None` means without a limit.
    pub(crate) alive: Option<Duration>,
    /// For a holder whose liveness cannot be checked.
    pub(crate) unknown: Duration,
}

/// The remaining wait of a run. The server, the tables and the lock share it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    wait: Wait,
    since: Instant,
}

impl Limit {
    pub(crate) fn start(wait: Wait) -> Self {
        Limit { wait, since: Instant::now() }
    }

    /// Returns the limit of a query, which takes no lock: one minute for the server and for others
    /// that lock the tables.
    pub(crate) fn for_query() -> Self {
        Limit::start(Wait::UpTo(Duration::from_secs(60)))
    }

    /// Starts again if only the wait for unknown holders is limited, because the server has just
    /// answered.
    pub(crate) fn restart(&mut self) {
        if self.wait == Wait::WhileAlive {
            self.since = Instant::now();
        }
    }

    /// The remaining time for a holder, or a server, whose liveness cannot be checked.
    pub(crate) fn time_left(&self) -> Duration {
        self.limits().unknown
    }

    /// How long one query may take. A server that does not answer for longer is given up.
    pub(crate) fn for_answer(&self) -> Duration {
        self.time_left().max(MIN_ANSWER_TIME)
    }

    /// How long one attempt to connect may take before the run reports that it waits.
    pub(crate) fn for_connecting(&self) -> Duration {
        self.time_left().min(FIRST_NOTICE)
    }

    pub(crate) fn limits(&self) -> WaitLimits {
        let (alive, unknown) = match self.wait {
            Wait::WhileAlive => (None, Duration::from_secs(60)),
            Wait::UpTo(limit) => (Some(limit), limit),
            Wait::Never => (Some(Duration::ZERO), Duration::ZERO),
        };
        let spent = self.since.elapsed();
        WaitLimits {
            alive: alive.map(|alive| alive.saturating_sub(spent)),
            unknown: unknown.saturating_sub(spent),
        }
    }
}
