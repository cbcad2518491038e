//! Three nodes of a Galera cluster on loopback.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use jetbase_test_harness::process::Account;
use jetbase_test_harness::{
    Database, DatabaseKind, Engine, Mariadb, PrivateServer, TestError, Unavailable, process,
};

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
struct Node {
    base: Mariadb,
    provider: PathBuf,
    number: usize,
    cluster: String,
    ports: Vec<Ports>,
}

impl Engine for Node {
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

/// A running cluster. It stops when the value is dropped.
pub(crate) struct Cluster {
    nodes: Vec<PrivateServer>,
}

impl Cluster {
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
        // All ports are bound at the same time, so that they are different.
        let sockets: Result<Vec<_>, _> =
            (0..9).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect();
        let ports: Result<Vec<u16>, _> =
            sockets?.iter().map(|it| it.local_addr().map(|it| it.port())).collect();
        let ports: Vec<_> = ports?
            .chunks(3)
            .map(|it| Ports { group: it[0], incremental: it[1], full: it[2] })
            .collect();
        let cluster = format!("jetbase_{}_{}", std::process::id(), ports[0].group);
        let mut nodes = Vec::new();
        for number in 0..3 {
            let base = Mariadb::find()?;
            let account = Account::choose("mysql", base.user())?;
            let (provider, cluster, ports) = (provider.clone(), cluster.clone(), ports.clone());
            let node = Node { base, provider, number, cluster, ports };
            nodes.push(PrivateServer::start(Box::new(node), account).await?);
        }
        let cluster = Cluster { nodes };
        cluster.wait_for_size(3).await?;
        Ok(cluster)
    }

    /// Waits until the first node is in a cluster of this size.
    pub(crate) async fn wait_for_size(&self, size: usize) -> Result<(), TestError> {
        let deadline = Instant::now() + Duration::from_secs(60);
        let size = size.to_string();
        let query = "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'wsrep_cluster_size'";
        let mut last = String::new();
        while Instant::now() < deadline {
            match self.node(0, "mysql")?.value(query).await {
                Ok(Some(found)) if found == size => return Ok(()),
                other => last = format!("{other:?}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(format!("the cluster did not get {size} nodes: {last}").into())
    }

    /// Returns a database on a node.
    pub(crate) fn node(&self, number: usize, database: &str) -> Result<Database, TestError> {
        let url = self.nodes[number].url();
        let (server, _) = url.rsplit_once('/').ok_or("a URL has slashes")?;
        Database::at(DatabaseKind::Mysql, &format!("{server}/{database}"))
    }

    /// Creates a fresh database and waits until all nodes have it.
    pub(crate) async fn fresh(&self, name: &str) -> Result<Vec<Database>, TestError> {
        let create = format!("CREATE DATABASE {name} CHARACTER SET utf8mb4");
        self.node(0, "mysql")?.execute(&create).await?;
        let nodes: Result<Vec<_>, _> = (0..3).map(|number| self.node(number, name)).collect();
        let nodes = nodes?;
        for node in &nodes {
            let deadline = Instant::now() + Duration::from_secs(10);
            while let Err(error) = node.execute("SELECT 1").await {
                if Instant::now() > deadline {
                    return Err(error);
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        Ok(nodes)
    }

    /// Ends a node at once.
    pub(crate) fn crash(&self, number: usize) -> Result<(), TestError> {
        self.nodes[number].crash()
    }

    /// Starts a node again. It joins the other nodes.
    pub(crate) async fn start_again(&self, number: usize) -> Result<(), TestError> {
        self.nodes[number].start_again().await
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.nodes.iter().for_each(PrivateServer::stop);
    }
}
