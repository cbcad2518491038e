//! The identity of a lock holder: a UUID that says how, and on which server, its liveness can be
//! checked.

use std::fmt;

use jetbase_core::Checksum;

use crate::session::{Liveness, Session, Topology};

/// The value of `process_id`: a UUID of version 8, `6a6250CC-ssss-8sss-vrrr-rrrrrrrrrrrr`.
///
/// `6a62` is "jb" in ASCII, `50` is the protocol, `CC` is the [`Liveness`], `s` are 28 bits of the
/// server's identity, `r` is random. The ids of the Python tool have version 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProcessId(String);

/// Returns the first 28 bits of a text's SHA-256.
fn digest28(text: &str) -> u32 {
    let checksum = Checksum::of_text(text);
    checksum.as_bytes().iter().take(4).fold(0, |sum: u32, byte| (sum << 8) | u32::from(*byte)) >> 4
}

impl ProcessId {
    pub(crate) fn new(liveness: Liveness, server: &str) -> Self {
        let random = uuid::Uuid::new_v4().to_string();
        let tail = random.get(19..).unwrap_or_default();
        ProcessId(format!("{}{tail}", prefix(liveness, server)))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Returns the prefix of all ids with one liveness on one server, up to and including the third
/// hyphen.
pub(super) fn prefix(liveness: Liveness, server: &str) -> String {
    let server = digest28(server);
    format!("6a6250{:02x}-{:04x}-8{:03x}-", liveness as u8, server >> 12, server & 0xfff)
}

/// Returns the prefix of all ids with one liveness, on any server.
fn class(liveness: Liveness) -> String {
    format!("6a6250{:02x}-", liveness as u8)
}

/// Returns the prefix of the ids whose owners' liveness this session can check.
pub(super) fn same_class(session: &Session<'_>, liveness: Liveness) -> String {
    match session.topology {
        // An SQLite file may have several names, each with its own side file.
        Topology::SingleWriter if liveness != Liveness::File => class(liveness),
        Topology::SingleWriter | Topology::Cluster => prefix(liveness, &session.server),
    }
}

/// Whether an id is one of jetbase for Rust, with any liveness and server.
pub(crate) fn is_rust_process_id(id: &str) -> bool {
    id.len() == 36 && id.starts_with("6a6250")
}

impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_8() {
        let id = ProcessId::new(Liveness::Advisory, "7301");
        let uuid = uuid::Uuid::parse_str(id.as_str()).unwrap();
        assert_eq!(uuid.get_version_num(), 8);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
        assert!(id.as_str().starts_with(&prefix(Liveness::Advisory, "7301")));
        assert!(!id.as_str().starts_with(&prefix(Liveness::None, "7301")));
        assert!(is_rust_process_id(id.as_str()));
        assert!(!is_rust_process_id(&uuid::Uuid::new_v4().to_string()));
    }
}
