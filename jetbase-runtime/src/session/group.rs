//! Clusters of MySQL and MariaDB: what a session reads of the other nodes, and which node accepts
//! writes.

use super::Session;
use crate::connection::ResultSet;
use crate::error::{DatabaseErrorKind, Error};
use crate::target::ConnectionOwner;

/// Which servers write to the tables of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Topology {
    /// One server, even if its name has changed.
    SingleWriter,
    /// Several nodes of a cluster, or another server through a subscription.
    Cluster,
}

/// Whether a server is a node of a MySQL group (group replication).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupNode {
    No,
    Yes,
}

/// Returns the setting with which a session waits for everything that other nodes have committed
/// before, instead of the session's own setting. `None` if the session waits already.
fn waiting_consistency(own: &str) -> Option<&'static str> {
    match own {
        // A server older than 8.0.14 has no such setting.
        "" | "BEFORE" | "BEFORE_AND_AFTER" => None,
        "AFTER" => Some("BEFORE_AND_AFTER"),
        _ => Some("BEFORE"),
    }
}

impl Session<'_> {
    /// Prepares the session for a node of a MySQL group, whose own setting is `consistency`.
    ///
    /// A node applies what other nodes commit a moment later. Until then it shows an old row of the
    /// lock and an old history. So each transaction of the run first waits for what was committed
    /// before.
    pub(super) async fn join_group(&mut self, consistency: &str) {
        self.topology = Topology::Cluster;
        self.group_node = GroupNode::Yes;
        let Some(waiting) = waiting_consistency(consistency) else { return };
        if self.read_with_consistency(waiting).await.is_none() {
            return;
        }
        let setting = |value| {
            let bindings = self.bindings.clone().literal("consistency", value);
            bindings.render(self.sql.read_across_nodes)
        };
        let (set, restore) = (setting(waiting), setting(consistency));
        self.setup.push(set);
        if self.owner == ConnectionOwner::Caller {
            self.restore.push(restore);
        }
    }

    async fn read_with_consistency(&mut self, consistency: &str) -> Option<()> {
        let bindings = self.bindings.clone().literal("consistency", consistency);
        self.raw(&bindings.render(self.sql.read_across_nodes)).await.ok().map(drop)
    }

    /// Returns the fences before the commit of a transaction.
    pub(crate) fn committing_fences(&self) -> Vec<&'static str> {
        let before = match self.topology {
            Topology::Cluster => self.sql.fence_in_cluster,
            Topology::SingleWriter => &[],
        };
        before.iter().copied().chain([self.sql.fence_locking]).collect()
    }

    /// Says in the error of a node that accepts no writes which node of its group accepts them.
    pub(crate) async fn name_primary(&mut self, error: Error) -> Error {
        if self.group_node == GroupNode::No || !error.is_read_only() {
            return error;
        }
        // A node that has left its group answers without waiting for it.
        self.read_with_consistency("EVENTUAL").await;
        // The user may not have the right to read it.
        let sets = self.query(self.sql.group_state).await.unwrap_or_default();
        let Some(row) = sets.first().and_then(|set: &ResultSet| set.rows.first()) else {
            return error.on_group_node(DatabaseErrorKind::Secondary, None);
        };
        if !matches!(row.text("state"), "ONLINE" | "RECOVERING") {
            return error.on_group_node(DatabaseErrorKind::OutsideGroup, None);
        }
        let primary = row.opt("host").map(|host| address(host, row.text("port")));
        error.on_group_node(DatabaseErrorKind::Secondary, primary)
    }
}

/// Returns a host and a port as an address.
fn address(host: &str, port: &str) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_waits_for_other_nodes_and_keeps_a_stricter_setting() {
        let settings =
            ["", "EVENTUAL", "BEFORE_ON_PRIMARY_FAILOVER", "BEFORE", "AFTER", "BEFORE_AND_AFTER"];
        let waiting = settings.map(waiting_consistency);
        let before = Some("BEFORE");
        assert_eq!(waiting, [None, before, before, None, Some("BEFORE_AND_AFTER"), None]);
    }

    #[test]
    fn the_address_of_a_primary_can_be_used_in_a_url() {
        assert_eq!(address("db1", "3306"), "db1:3306");
        assert_eq!(address("fd00::1", "3306"), "[fd00::1]:3306");
    }
}
