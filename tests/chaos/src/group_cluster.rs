//! Three nodes of a MySQL group (group replication) on loopback.

use std::path::Path;
use std::process::Command;

use jetbase_test_harness::process::Account;
use jetbase_test_harness::{Engine, Mariadb, PrivateServer, TestError};

use crate::cluster::Cluster;

/// Which nodes of a group accept writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GroupMode {
    SinglePrimary,
    MultiPrimary,
}

/// A MySQL that is a node of a group.
#[derive(Debug)]
struct MysqlGroupNode {
    base: Mariadb,
    number: usize,
    mode: GroupMode,
    /// The ports for the traffic of the group.
    ports: Vec<u16>,
}

impl Engine for MysqlGroupNode {
    fn user(&self) -> &'static str {
        self.base.user()
    }

    fn prepare_command(&self, folder: &Path) -> Command {
        self.base.prepare_command(folder)
    }

    fn write_settings(&self, folder: &Path) -> std::io::Result<()> {
        self.base.write_settings(folder)
    }

    fn server_command(&self, folder: &Path, port: u16) -> Command {
        let mut command = self.base.server_command(folder, port);
        let address = |port: &u16| format!("127.0.0.1:{port}");
        let seeds = self.ports.iter().map(address).collect::<Vec<_>>().join(",");
        let (single, checks) = match self.mode {
            GroupMode::SinglePrimary => ("ON", "OFF"),
            GroupMode::MultiPrimary => ("OFF", "ON"),
        };
        command.args(["--log-bin=binlog", "--sync-binlog=0", "--gtid-mode=ON"]);
        command.args(["--enforce-gtid-consistency=ON", "--report-host=127.0.0.1"]);
        command.arg(format!("--server-id={}", self.number + 1));
        command.arg(format!("--report-port={port}"));
        command.arg("--plugin-load-add=group_replication.so");
        let mut group = |setting: &str, value: &str| {
            command.arg(format!("--loose-group-replication-{setting}={value}"));
        };
        group("group-name", &group_name(&self.ports));
        group("start-on-boot", "OFF");
        group("local-address", &address(&self.ports[self.number]));
        group("group-seeds", &seeds);
        group("single-primary-mode", single);
        group("enforce-update-everywhere-checks", checks);
        group("recovery-get-public-key", "ON");
        // The group removes a node as soon as it suspects it, after five seconds of silence.
        group("member-expel-timeout", "0");
        command
    }

    fn kill_signal(&self) -> &'static str {
        self.base.kill_signal()
    }

    fn url(&self, port: u16) -> String {
        self.base.url(port)
    }
}

/// The name of a group, a UUID that depends on its ports.
fn group_name(ports: &[u16]) -> String {
    format!("6a627465-7374-4000-8000-{:012x}", ports[0])
}

/// The number of nodes that a node sees.
const SIZE: &str = "SELECT COUNT(*) FROM performance_schema.replication_group_members WHERE member_state = 'ONLINE'";

/// Lets a node join the group. The group gives it the data of another node, as the user root.
const JOIN: &str =
    "CHANGE REPLICATION SOURCE TO SOURCE_USER = 'root' FOR CHANNEL 'group_replication_recovery';
START GROUP_REPLICATION";

/// Lets a node leave the group. Afterwards it accepts no writes.
pub(crate) const LEAVE: &str = "STOP GROUP_REPLICATION";

/// The node that accepts writes, according to a node: its address, as the group knows it.
const PRIMARY: &str =
    "SELECT CONCAT(member_host, ':', member_port) FROM performance_schema.replication_group_members
WHERE member_role = 'PRIMARY' AND member_state = 'ONLINE'";

/// Starts three nodes. In single-primary mode, the first one is the primary.
pub(crate) async fn start(mode: GroupMode) -> Result<Cluster, TestError> {
    let ports = Cluster::free_ports(3)?;
    let mut nodes = Vec::new();
    for number in 0..3 {
        let base = Mariadb::find_mysql("group-replication")?;
        let account = Account::choose("mysql", base.user())?;
        let node = MysqlGroupNode { base, number, mode, ports: ports.clone() };
        nodes.push(PrivateServer::start(Box::new(node), account).await?);
    }
    let cluster = Cluster::new(nodes, SIZE, JOIN);
    let bootstrap = "SET GLOBAL group_replication_bootstrap_group = ";
    let create = format!("{bootstrap}ON;\n{JOIN};\n{bootstrap}OFF");
    cluster.node(0, "mysql")?.execute(&create).await?;
    for number in 1..3 {
        cluster.node(number, "mysql")?.execute(JOIN).await?;
    }
    cluster.wait_for_size(3).await?;
    Ok(cluster)
}

/// Returns the address of the primary according to a node.
pub(crate) async fn primary(cluster: &Cluster, number: usize) -> Result<Option<String>, TestError> {
    cluster.node(number, "mysql")?.value(PRIMARY).await
}
