//! The environment variables of a run.

use std::time::Duration;

/// Returns how long the server lets a session idle: `JETBASE_LEASE`, else five minutes.
pub(crate) fn lease() -> Result<Duration, String> {
    let Ok(text) = std::env::var("JETBASE_LEASE") else { return Ok(LEASE) };
    match jetbase_core::duration(text.trim()) {
        _ if text.trim().is_empty() => Ok(LEASE),
        Some(lease) if lease >= SHORTEST_LEASE => Ok(lease),
        _ => Err(format!(
            "JETBASE_LEASE is `{text}`; write a length of time of at least one second, such as `30s` or `5min`"
        )),
    }
}

const LEASE: Duration = Duration::from_secs(300);
const SHORTEST_LEASE: Duration = Duration::from_secs(1);

/// Returns the URL that bypasses a pooler, from `JETBASE_DIRECT_URL`.
pub(crate) fn direct_url() -> Option<String> {
    std::env::var("JETBASE_DIRECT_URL").ok().filter(|url| !url.trim().is_empty())
}
