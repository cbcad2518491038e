//! The environment variables of a run.

use std::time::Duration;

use crate::error::SettingError;

/// Returns how long the server keeps an idle session: `JETBASE_LEASE`, else five minutes.
pub(crate) fn lease() -> Result<Duration, SettingError> {
    let Ok(text) = std::env::var("JETBASE_LEASE") else { return Ok(LEASE) };
    match jetbase_core::duration(text.trim()) {
        _ if text.trim().is_empty() => Ok(LEASE),
        Some(lease) if lease >= SHORTEST_LEASE => Ok(lease),
        _ => Err(SettingError::Lease { value: text }),
    }
}

const LEASE: Duration = Duration::from_secs(300);
const SHORTEST_LEASE: Duration = Duration::from_secs(1);

/// Returns the URL that bypasses a pooler, from `JETBASE_DIRECT_URL`.
pub(crate) fn direct_url() -> Option<String> {
    std::env::var("JETBASE_DIRECT_URL").ok().filter(|url| !url.trim().is_empty())
}
