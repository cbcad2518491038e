//! What `doctor` says through a pooler, on a standby and on the nodes of a cluster.

use std::future::IntoFuture as _;

use jetbase::{DatabaseUrl, Diagnosis, DiagnosticLevel};
use jetbase_test_harness::{Database, DatabaseKind, DatabaseServer, TestError};

use crate::bouncer::{Bouncer, PoolMode, port_of};
use crate::case::{CaseContext, CaseResult};
use crate::cluster::Cluster;
use crate::files;
use crate::second_server::SecondServer;
use crate::{galera_cluster, group_cluster};

const FILES: usize = 2;

/// Checks the lines that are not good, and what a run does after them.
async fn expect(
    db: &Database,
    direct: Option<&str>,
    expected: &[(&str, DiagnosticLevel, &str)],
) -> Result<Diagnosis, TestError> {
    let set = files::load(&files::effects(db.kind, FILES, 1))?;
    let request = jetbase::doctor(&set, DatabaseUrl(&db.url));
    let diagnosis = match direct {
        Some(url) => request.direct_url(url).into_future().await?,
        None => request.into_future().await?,
    };
    let not_good = diagnosis.diagnostics.iter().filter(|it| it.level != DiagnosticLevel::Good);
    let not_good: Vec<_> = not_good.map(|it| (it.subject, it.level, &*it.message)).collect();
    let is_equal = not_good.len() == expected.len()
        && not_good.iter().zip(expected).all(|(found, wanted)| {
            (found.0, found.1) == (wanted.0, wanted.1) && found.2.contains(wanted.2)
        });
    if !is_equal {
        return Err(format!("not {expected:?}:\n{diagnosis}").into());
    }
    let would_fail = expected.iter().any(|it| it.1 == DiagnosticLevel::Blocker);
    if jetbase::run(&set, DatabaseUrl(&db.url)).await.is_err() != would_fail {
        return Err(format!("a run does something else than this:\n{diagnosis}").into());
    }
    Ok(diagnosis)
}

/// Checks that a line is good and contains a text.
fn has_line(diagnosis: &Diagnosis, subject: &str, text: &str) -> Result<(), TestError> {
    let is_this = |it: &&jetbase::Diagnostic| it.subject == subject && it.message.contains(text);
    match diagnosis.diagnostics.iter().find(is_this) {
        Some(_) => Ok(()),
        None => Err(format!("the line {subject} does not say `{text}`:\n{diagnosis}").into()),
    }
}

/// A pooler is found in both of its modes, and the direct URL is the cure.
pub(crate) async fn pooler(ctx: CaseContext) -> CaseResult {
    const WARNINGS: [(&str, DiagnosticLevel, &str); 2] = [
        ("connection", DiagnosticLevel::Warning, "a pooler stands between"),
        ("liveness", DiagnosticLevel::Warning, "nothing proves that a run behind a pooler"),
    ];
    for mode in [PoolMode::Transaction, PoolMode::Session] {
        let db = ctx.fresh().await?;
        let bouncer = Bouncer::start(&db, mode, "extra_float_digits,options", 10).await?;
        let pooled = bouncer.pooled(&db)?;
        let in_mode = |error: TestError| format!("{} pooling: {error:#}", mode.name());
        expect(&pooled, None, &WARNINGS).await.map_err(in_mode)?;
        let diagnosis = expect(&pooled, Some(&db.url), &[]).await.map_err(in_mode)?;
        has_line(&diagnosis, "connection", "direct, through the direct URL")?;
        drop(bouncer);
        db.remove().await;
    }
    Ok("a warning in both modes, and none with a direct URL".to_owned())
}

/// A standby is a blocker.
pub(crate) async fn standby(_: CaseContext) -> CaseResult {
    let server = std::sync::Arc::new(DatabaseServer::start(DatabaseKind::Postgres).await?);
    let db = Database::fresh(Some(&server)).await?;
    let standby = SecondServer::standby(port_of(&db.url)?).await?;
    let there = standby.database(&db.name)?;
    let blocker =
        [("server", DiagnosticLevel::Blocker, "which accepts no changes: it is a replica")];
    expect(&there, None, &blocker).await?;
    server.stop();
    Ok("a blocker on the standby".to_owned())
}

/// The diagnosis on each node names the cluster.
async fn on_nodes(cluster: &Cluster) -> CaseResult {
    const CLUSTER: (&str, DiagnosticLevel, &str) =
        ("liveness", DiagnosticLevel::Warning, "several servers write to this database");
    let nodes = cluster.fresh("doctor").await?;
    for (number, node) in nodes.iter().enumerate() {
        expect(node, None, &[CLUSTER])
            .await
            .map_err(|error| format!("node {number}: {error:#}"))?;
    }
    Ok("each node names the cluster".to_owned())
}

pub(crate) async fn galera(_: CaseContext) -> CaseResult {
    on_nodes(&galera_cluster::start().await?).await
}

pub(crate) async fn group(_: CaseContext) -> CaseResult {
    on_nodes(&group_cluster::start(group_cluster::GroupMode::MultiPrimary).await?).await
}
