//! Several servers that are nodes of one cluster.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use jetbase_test_harness::{Database, DatabaseKind, PrivateServer, TestError};

/// A running cluster. It stops when the value is dropped.
pub(crate) struct Cluster {
    nodes: Vec<PrivateServer>,
    /// Returns the number of nodes that a node sees.
    size: &'static str,
    /// Lets a node that was started again join the others.
    join: &'static str,
}

impl Cluster {
    pub(crate) fn new(nodes: Vec<PrivateServer>, size: &'static str, join: &'static str) -> Self {
        Cluster { nodes, size, join }
    }

    /// Returns different ports of the loopback interface that are free now.
    pub(crate) fn free_ports(count: usize) -> Result<Vec<u16>, TestError> {
        // All ports are bound at the same time, so that they are different.
        let sockets: Result<Vec<_>, _> =
            (0..count).map(|_| TcpListener::bind(("127.0.0.1", 0))).collect();
        let ports: Result<Vec<u16>, _> =
            sockets?.iter().map(|it| it.local_addr().map(|it| it.port())).collect();
        Ok(ports?)
    }

    /// Waits until this many nodes are in a cluster of this size.
    pub(crate) async fn wait_for_size(&self, size: usize) -> Result<(), TestError> {
        let deadline = Instant::now() + Duration::from_secs(90);
        let mut seen = Vec::new();
        while Instant::now() < deadline {
            seen.clear();
            for number in 0..self.nodes.len() {
                let node = self.node(number, "mysql")?;
                let answer = node.value(self.size);
                let answer = tokio::time::timeout(Duration::from_secs(5), answer).await;
                seen.push(answer.ok().and_then(Result::ok).flatten().unwrap_or_default());
            }
            if seen.iter().filter(|it| **it == size.to_string()).count() == size {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err(format!("the cluster did not get {size} nodes; the nodes see {seen:?}").into())
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
        let nodes: Result<Vec<_>, _> =
            (0..self.nodes.len()).map(|number| self.node(number, name)).collect();
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
        self.nodes[number].start_again().await?;
        self.node(number, "mysql")?.execute(self.join).await
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.nodes.iter().for_each(PrivateServer::stop);
    }
}
