//! Three nodes of a Galera cluster on loopback.

use std::path::{Path, PathBuf};
use std::process::Command;

use jetbase_test_harness::process::Account;
use jetbase_test_harness::{Engine, Mariadb, PrivateServer, TestError, Unavailable, process};

use crate::cluster::Cluster;

/// The paths of the replication library.
const PROVIDERS: &[&str] = &[
    "/usr/lib/galera/libgalera_smm.so",
    "/usr/lib64/galera-4/libgalera_smm.so",
    "/usr/lib64/galera/libgalera_smm.so",
    "/usr/lib/libgalera_smm.so",
];

/// The ports of a node besides the one for clients: for the group, for incremental and for full
/// transfers.
#[derive(Clone, Copy, Debug)]
struct Ports {
    group: u16,
    incremental: u16,
    full: u16,
}

/// A MariaDB that is a node of a cluster.
#[derive(Debug)]
struct GaleraNode {
    base: Mariadb,
    provider: PathBuf,
    number: usize,
    cluster: String,
    ports: Vec<Ports>,
}

impl Engine for GaleraNode {
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
        let own = self.ports[self.number];
        let others: Vec<_> =
            self.ports.iter().map(|it| format!("127.0.0.1:{}", it.group)).collect();
        let provider = self.provider.display();
        let Ports { group, incremental, full } = own;
        command.args(["--wsrep-on=ON", "--binlog-format=ROW", "--innodb-autoinc-lock-mode=2"]);
        command.args(["--wsrep-sst-method=rsync", "--wsrep-slave-threads=2"]);
        command.arg(format!("--wsrep-provider={provider}"));
        command.arg(format!("--wsrep-cluster-name={}", self.cluster));
        command.arg(format!("--wsrep-cluster-address=gcomm://{}", others.join(",")));
        command.arg(format!("--wsrep-node-name=node{}", self.number + 1));
        command.arg(format!("--wsrep-node-address=127.0.0.1:{group}"));
        command.arg(format!("--wsrep-sst-receive-address=127.0.0.1:{full}"));
        // The cluster suspects a node after two seconds of silence and removes it after four.
        command.arg(format!(
            "--wsrep-provider-options=base_port={group};gmcast.listen_addr=tcp://127.0.0.1:{group};\
             ist.recv_addr=127.0.0.1:{incremental};evs.keepalive_period=PT0.5S;evs.suspect_timeout=PT2S;evs.inactive_timeout=PT4S;\
             gcache.size=16M"
        ));
        // Only the first start of the first node creates the cluster. Every other start joins it.
        if self.number == 0 && !folder.join("data/grastate.dat").exists() {
            command.arg("--wsrep-new-cluster");
        }
        command
    }

    fn kill_signal(&self) -> &'static str {
        self.base.kill_signal()
    }

    fn url(&self, port: u16) -> String {
        self.base.url(port)
    }
}

/// The number of nodes that a node sees.
const SIZE: &str = "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'wsrep_cluster_size'";

/// Starts three nodes.
pub(crate) async fn start() -> Result<Cluster, TestError> {
    let provider = PROVIDERS.iter().map(PathBuf::from).find(|file| file.is_file());
    let provider = provider.ok_or_else(|| Unavailable::Missing {
        what: "galera",
        reason: "Galera is not installed (no `libgalera_smm.so`)".to_owned(),
    })?;
    if process::find(&["rsync"]).is_none() {
        let reason = "rsync is not installed; Galera needs it to copy nodes".to_owned();
        return Err(Unavailable::Missing { what: "galera", reason }.into());
    }
    let ports: Vec<_> = Cluster::free_ports(9)?
        .chunks(3)
        .map(|it| Ports { group: it[0], incremental: it[1], full: it[2] })
        .collect();
    let name = format!("jetbase_{}_{}", std::process::id(), ports[0].group);
    let mut nodes = Vec::new();
    for number in 0..3 {
        let base = Mariadb::find()?;
        let account = Account::choose("mysql", base.user())?;
        let (provider, cluster, ports) = (provider.clone(), name.clone(), ports.clone());
        let node = GaleraNode { base, provider, number, cluster, ports };
        nodes.push(PrivateServer::start(Box::new(node), account).await?);
    }
    let cluster = Cluster::new(nodes, SIZE, "SELECT 1");
    cluster.wait_for_size(3).await?;
    Ok(cluster)
}
