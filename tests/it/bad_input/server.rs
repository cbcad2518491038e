//! Servers that are too old or report a wrong version, and proxies that refuse what jetbase needs.

use jetbase::{DatabaseUrl, ErrorKind, ServerError};
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestError, TestResult};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::one;

pub(super) fn register(suite: &mut Suite) {
    let (servers, nothing) = (DatabaseKind::SERVERS, Needs::NOTHING);
    suite.each("an_error_names_a_server_that_is_too_old", servers, nothing, too_old);
    suite.each("an_error_names_a_server_with_an_odd_version", servers, nothing, odd_version);
    suite.each(
        "an_error_names_a_proxy_that_forbids_several_statements",
        &[DatabaseKind::Mysql],
        nothing,
        one_statement,
    );
}

/// The capability flag of a MySQL client that sends several statements in one message: its byte in
/// the first packet, and its bit.
const MULTI_STATEMENTS: (usize, u8) = (6, 1);

/// A proxy on loopback that changes bytes on their way.
struct RewritingProxy {
    url: String,
    task: JoinHandle<()>,
}

impl RewritingProxy {
    /// Replaces texts from the server by texts of the same length. If `forbid` is set, the server does
    /// not learn that its client can send several statements in one message.
    async fn start(
        url: &str,
        replace: Vec<(String, String)>,
        forbid: bool,
    ) -> Result<RewritingProxy, TestError> {
        let (front, rest) = url.split_once("127.0.0.1:").ok_or("a server on loopback")?;
        let (port, path) = rest.split_once('/').ok_or("a URL with a path")?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        // With TLS, the proxy could not change anything.
        let plain =
            if url.starts_with("mysql") { "?ssl-mode=DISABLED" } else { "?sslmode=disable" };
        let url = format!("{front}127.0.0.1:{}/{path}{plain}", listener.local_addr()?.port());
        let server = format!("127.0.0.1:{port}");
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, replace) = (server.clone(), replace.clone());
                // A connection ends with an error when one side closes it.
                tokio::spawn(async move { forward(client, &server, &replace, forbid).await.ok() });
            }
        });
        Ok(RewritingProxy { url, task })
    }
}

impl Drop for RewritingProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(
    mut client: TcpStream,
    server: &str,
    replace: &[(String, String)],
    forbid: bool,
) -> std::io::Result<()> {
    let mut server = TcpStream::connect(server).await?;
    let (mut to_server, mut to_client) = ([0; 65_536], [0; 65_536]);
    let mut is_first = forbid;
    loop {
        tokio::select! {
            read = client.read(&mut to_server) => {
                let Some(bytes) = to_server.get_mut(..read?).filter(|bytes| !bytes.is_empty()) else {
                    return Ok(());
                };
                if std::mem::take(&mut is_first) {
                    bytes[MULTI_STATEMENTS.0] &= !MULTI_STATEMENTS.1;
                }
                server.write_all(bytes).await?;
            }
            read = server.read(&mut to_client) => {
                let Some(bytes) = to_client.get_mut(..read?).filter(|bytes| !bytes.is_empty()) else {
                    return Ok(());
                };
                for (old, new) in replace {
                    let mut at = 0;
                    while let Some(found) = find(&bytes[at..], old.as_bytes()) {
                        at += found;
                        bytes[at..at + old.len()].copy_from_slice(new.as_bytes());
                        at += old.len();
                    }
                }
                client.write_all(bytes).await?;
            }
        }
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// Returns the error of a run through a proxy, after a check that nothing was executed.
async fn refused(
    ctx: &TestContext,
    replace: Vec<(String, String)>,
    forbid: bool,
) -> Result<ServerError, TestError> {
    let proxy = RewritingProxy::start(&ctx.db.url, replace, forbid).await?;
    let error = jetbase::run_url(&one(), &proxy.url).await.expect_err("the server is refused");
    let ErrorKind::Server(kind) = error.kind().clone() else {
        return Err(format!("another kind: {error:#}").into());
    };
    for query in [
        jetbase::status(&one(), DatabaseUrl(&proxy.url)).await.err(),
        jetbase::check(&one(), DatabaseUrl(&proxy.url)).await.err(),
    ] {
        let query = query.ok_or("a query succeeded")?;
        assert!(matches!(query.kind(), ErrorKind::Server(_)), "{query:#}");
    }
    for table in ["jetbase_lock", "jetbase_migrations", "a"] {
        assert!(ctx.db.rows(&format!("SELECT * FROM {table}")).await.is_err(), "{table} exists");
    }
    Ok(kind)
}

/// The server's version, for example `15`, `10.11.18-MariaDB` or `9.7.4`.
async fn version(ctx: &TestContext) -> Result<String, TestError> {
    Ok(match ctx.kind {
        DatabaseKind::Postgres => (ctx.db.postgres_version().await? / 10_000).to_string(),
        _ => ctx.db.value("SELECT VERSION()").await?.ok_or("a version")?,
    })
}

async fn too_old(ctx: TestContext) -> TestResult {
    let version = version(&ctx).await?;
    let (replace, named, needed) = match ctx.kind {
        DatabaseKind::Postgres => {
            let number = ctx.db.postgres_version().await?.to_string();
            let texts = [
                (format!("PostgreSQL {version}."), "PostgreSQL 12.".to_owned()),
                (number.clone(), format!("12{}", &number[2..])),
            ];
            (texts.to_vec(), "PostgreSQL 12.", "PostgreSQL 13")
        }
        _ if ctx.db.is_mariadb().await? => {
            let (major, rest) = version.split_once('.').ok_or("a version")?;
            let (minor, _) = rest.split_once('.').ok_or("a version")?;
            let old = format!("{major}.{minor}.");
            let new = format!("10.{:>1$}.", 4, minor.len()).replace(' ', "0");
            (vec![(old, new.clone())], "-MariaDB", "MariaDB 10.5")
        }
        _ => {
            let new = format!("5{}", &version[1..]);
            (vec![(version, new)], "MySQL 5.", "MySQL 8.0")
        }
    };
    match refused(&ctx, replace, false).await? {
        ServerError::TooOld { server, oldest, .. } => {
            assert!(server.contains(named) && oldest == needed, "{server}, {oldest}");
        }
        other => return Err(format!("another error: {other}").into()),
    }
    Ok(())
}

async fn odd_version(ctx: TestContext) -> TestResult {
    let version = version(&ctx).await?;
    let replaced = match ctx.kind {
        // It contradicts `server_version_num`.
        DatabaseKind::Postgres => {
            vec![(format!("PostgreSQL {version}."), "PostgreSQL 99.".to_owned())]
        }
        // It would be MySQL.
        _ if ctx.db.is_mariadb().await? => vec![("-MariaDB".to_owned(), "-strange".to_owned())],
        _ => vec![(version.clone(), version.replacen('.', "x", 1))],
    };
    match refused(&ctx, replaced, false).await? {
        ServerError::OddVersion { server, contradiction } => {
            assert!(!server.is_empty() && !contradiction.is_empty());
        }
        other => return Err(format!("another error: {other}").into()),
    }
    Ok(())
}

async fn one_statement(ctx: TestContext) -> TestResult {
    match refused(&ctx, Vec::new(), true).await? {
        ServerError::OneStatement { code, .. } => assert_eq!(code, "1064"),
        other => return Err(format!("another error: {other}").into()),
    }
    Ok(())
}
