//! A MySQL group with one primary: what a run on another node says, and tables of the Python tool.

use std::time::Duration;

use jetbase::{DatabaseUrl, Migrations};
use jetbase_test_harness::{Database, DatabaseKind, PythonProject, TestError};
use sqlx::{Connection as _, MySqlConnection, Row as _};

use crate::case::{CaseContext, CaseResult};
use crate::cluster::Cluster;
use crate::cluster_cases::verify;
use crate::files;
use crate::group_cluster::{GroupMode, LEAVE, primary, start};

/// What an error on a secondary says about the primary.
pub(crate) fn names_primary(address: &str) -> String {
    format!(
        "the server is a secondary of its group and accepts no writes: connect to its primary, {address}"
    )
}

/// A secondary refuses a run, an unlock and a repair, and names the primary. A run that has nothing to
/// do succeeds there.
pub(crate) async fn secondary(_: CaseContext) -> CaseResult {
    let cluster = start(GroupMode::SinglePrimary).await?;
    let nodes = cluster.fresh("secondary").await?;
    let address = primary(&cluster, 0).await?.ok_or("the group has no primary")?;
    let mut all = files::effects(DatabaseKind::Mysql, 3, 1);
    all[1].1.push_str("-- rollback\nDELETE FROM effects WHERE version = 2;\n");
    let (some, all) = (files::load(&all[..2])?, files::load(&all)?);
    let there = DatabaseUrl(&nodes[1].url);
    let mut errors = Vec::new();
    errors.push(refused(jetbase::run(&some, there).await.map(drop), &names_primary(&address))?);
    jetbase::run(&some, DatabaseUrl(&nodes[0].url)).await?;
    own_connection(&nodes[0], &some).await?;
    wait_for_files(&nodes[1], 2).await?;
    errors.push(refused(jetbase::run(&all, there).await.map(drop), &names_primary(&address))?);
    if !jetbase::run(&some, there).await?.is_up_to_date() {
        return Err("a run on a secondary found something to do".into());
    }
    let lock = "UPDATE jetbase_lock SET is_locked = TRUE, process_id = 'an old process'";
    nodes[0].execute(lock).await?;
    while nodes[1].value("SELECT is_locked FROM jetbase_lock").await?.as_deref() == Some("0") {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    errors.push(refused(jetbase::unlock(&all, there).await.map(drop), &names_primary(&address))?);
    jetbase::unlock(&all, DatabaseUrl(&nodes[0].url)).await?;
    errors.push(without_right(&cluster, &nodes, &all, &address).await?);
    cluster.node(1, "mysql")?.execute(LEAVE).await?;
    let left =
        "the server has left its group and accepts no writes: connect to another node of the group";
    errors.push(refused(jetbase::run(&all, there).await.map(drop), left)?);
    Ok(errors.join("; "))
}

/// A connection that the caller lends keeps its own setting for what it reads of other nodes.
async fn own_connection(node: &Database, set: &Migrations) -> Result<(), TestError> {
    let mut connection = MySqlConnection::connect(&node.url).await?;
    let setting = "SET SESSION group_replication_consistency = 'EVENTUAL'";
    sqlx::raw_sql(setting).execute(&mut connection).await?;
    jetbase::rollback(set, &mut connection).await?;
    jetbase::run(set, &mut connection).await?;
    let query = "SELECT @@SESSION.group_replication_consistency";
    let row = sqlx::raw_sql(query).fetch_one(&mut connection).await?;
    let value: String = row.try_get_unchecked(0)?;
    connection.close().await?;
    if value != "EVENTUAL" {
        return Err(format!("the connection of the caller has the setting {value}").into());
    }
    Ok(())
}

/// A user without the right to read the nodes of the group gets the error without the address.
async fn without_right(
    cluster: &Cluster,
    nodes: &[Database],
    set: &Migrations,
    address: &str,
) -> Result<String, TestError> {
    let root = cluster.node(0, "mysql")?;
    let create = "CREATE USER plain@'127.0.0.1'; GRANT ALL ON secondary.* TO plain@'127.0.0.1'";
    root.execute(create).await?;
    let url = nodes[1].url.replace("//root@", "//plain@");
    while nodes[1].value("SELECT COUNT(*) FROM mysql.user WHERE user = 'plain'").await?.as_deref()
        == Some("0")
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let result = jetbase::run(set, DatabaseUrl(&url)).await.map(drop);
    let error = refused(result, &names_primary("").replace(", ", ""))?;
    if error.contains(address) {
        return Err(format!("a user without the right reads the nodes: {error}").into());
    }
    Ok(error)
}

async fn wait_for_files(node: &Database, count: usize) -> Result<(), TestError> {
    let query = "SELECT COUNT(*) FROM jetbase_migrations";
    while node.value(query).await.ok().flatten() != Some(count.to_string()) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Returns the text of an error that must contain a sentence.
fn refused(result: Result<(), jetbase::Error>, sentence: &str) -> Result<String, TestError> {
    match result {
        Err(error) if format!("{error:#}").contains(sentence) => Ok(format!("\"{error:#}\"")),
        Err(error) => Err(format!("the error does not say `{sentence}`: {error:#}").into()),
        Ok(()) => Err(format!("it succeeded, instead of `{sentence}`").into()),
    }
}

/// Both tools work on a group that accepts writes on all nodes and requires primary keys.
pub(crate) async fn python(_: CaseContext) -> CaseResult {
    let cluster = start(GroupMode::MultiPrimary).await?;
    let mut rounds = Vec::new();
    for setting in ["sql_require_primary_key", "sql_generate_invisible_primary_key"] {
        for number in 0..3 {
            cluster.node(number, "mysql")?.execute(&format!("SET GLOBAL {setting} = ON")).await?;
        }
        let mut nodes = cluster.fresh(&setting.replace("sql_", "with_")).await?;
        for node in &mut nodes {
            node.python_url = node.url.replace("mysql://", "mysql+pymysql://");
        }
        let all = files::effects(DatabaseKind::Mysql, 6, 1);
        let texts = |files: &'static [usize]| {
            let file = |at: &usize| (all[*at].0.as_str(), all[*at].1.as_str());
            files.iter().map(file).collect::<Vec<_>>()
        };
        let project = PythonProject::with(&texts(&[0, 1]))?;
        project.python(&nodes[0], &["upgrade"]).await?.succeeded()?;
        jetbase::run(&files::load(&all[..4])?, DatabaseUrl(&nodes[1].url)).await?;
        for (name, text) in &all[2..] {
            project.write(name, text)?;
        }
        wait_for_files(&nodes[2], 4).await?;
        project.python(&nodes[2], &["upgrade"]).await?.succeeded()?;
        verify(&nodes, 6).await?;
        rounds.push(setting);
    }
    Ok(format!("both tools, each version once, with {}", rounds.join(" and ")))
}
