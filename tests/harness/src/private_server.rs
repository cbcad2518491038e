//! A private server: its folder, its data and its process.

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::process::{self, Account, Process};
use crate::server_url::ServerUrl;
use crate::{TestError, database, scratch};

/// The time limit for the preparation of a server.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(120);

/// The time limit until a server accepts connections.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// How often the start is tried, because another process may use the free port first.
const ATTEMPTS: usize = 3;

/// How many bytes of a server's log an error message shows.
const LOG_TAIL: usize = 4000;

/// A database server program.
pub trait Engine: std::fmt::Debug + Send + Sync {
    /// The user of the server if the tests run as root.
    fn user(&self) -> &'static str;
    /// The command that creates the data in `folder/data`.
    fn prepare_command(&self, folder: &Path) -> Command;
    /// Writes settings after the data is created.
    fn write_settings(&self, folder: &Path) -> io::Result<()>;
    /// The command that runs the server.
    fn server_command(&self, folder: &Path, port: u16) -> Command;
    /// The signal that ends the server at once, without a clean shutdown.
    fn kill_signal(&self) -> &'static str;
    /// The URL of the maintenance database.
    fn url(&self, port: u16) -> String;
}

/// A server that only this test process uses.
#[derive(Debug)]
pub struct PrivateServer {
    engine: Box<dyn Engine>,
    account: Account,
    port: u16,
    // Dropped before the folder, so that the process is killed before its folder is removed.
    process: Mutex<Option<Process>>,
    folder: Mutex<Option<TempDir>>,
}

impl PrivateServer {
    /// Prepares and starts a server, and waits until it is ready.
    pub async fn start(
        engine: Box<dyn Engine>,
        account: Account,
    ) -> Result<PrivateServer, TestError> {
        let folder = prepare(engine.as_ref(), account).await?;
        engine.write_settings(folder.path())?;
        let began = Instant::now();
        let mut attempt = 1;
        loop {
            let port = free_port()?;
            match run(engine.as_ref(), account, folder.path(), port).await {
                Ok(process) => {
                    let (process, folder) = (Mutex::new(Some(process)), Mutex::new(Some(folder)));
                    return Ok(PrivateServer { engine, account, port, process, folder });
                }
                Err(_) if attempt < ATTEMPTS && began.elapsed() < START_TIMEOUT => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// The URL of its maintenance database.
    pub fn url(&self) -> String {
        self.engine.url(self.port)
    }

    /// Ends the process at once and keeps the folder.
    pub fn crash(&self) -> Result<(), TestError> {
        let process = lock(&self.process).take();
        process.ok_or("this server is not running")?.stop(self.engine.kill_signal());
        Ok(())
    }

    /// Starts the process again after `crash`, and waits until it is ready.
    pub async fn start_again(&self) -> Result<(), TestError> {
        if lock(&self.process).is_some() {
            return Err("this server is already running".into());
        }
        let folder = lock(&self.folder).as_ref().map(|folder| folder.path().to_owned());
        let folder = folder.ok_or("this server was stopped and its folder was removed")?;
        let process = run(self.engine.as_ref(), self.account, &folder, self.port).await?;
        *lock(&self.process) = Some(process);
        Ok(())
    }

    /// Ends the process, if it runs, and removes the folder.
    pub fn stop(&self) {
        // An error means that the server is not running.
        let _ = self.crash();
        lock(&self.folder).take();
    }
}

/// Creates the data of a server in a new folder.
///
/// The programs of MariaDB that create it crash now and then on a machine with a high load. So a
/// failed attempt is repeated.
async fn prepare(engine: &dyn Engine, account: Account) -> Result<TempDir, TestError> {
    let mut attempt = 1;
    loop {
        let folder = scratch::folder(engine.user())?;
        account.own(folder.path())?;
        let mut command = engine.prepare_command(folder.path());
        command.current_dir(folder.path());
        account.apply(&mut command);
        let shown = process::shown(&command);
        let output = process::finish(command, PREPARE_TIMEOUT).await?;
        if output.status.success() {
            return Ok(folder);
        }
        if attempt == ATTEMPTS {
            let printed = [output.stdout, output.stderr].concat();
            let printed = String::from_utf8_lossy(&printed);
            return Err(format!("`{shown}` failed ({}):\n{printed}", output.status).into());
        }
        attempt += 1;
    }
}

/// Starts the server's process and waits until it accepts connections.
async fn run(
    engine: &dyn Engine,
    account: Account,
    folder: &Path,
    port: u16,
) -> Result<Process, TestError> {
    let log = folder.join("server.log");
    let file = File::options().create(true).append(true).open(&log)?;
    let mut command = engine.server_command(folder, port);
    command.current_dir(folder).stdout(file.try_clone()?).stderr(file);
    account.apply(&mut command);
    let shown = process::shown(&command);
    let mut process = Process::start(command)?;
    let url = ServerUrl::parse(&engine.url(port))?;
    let deadline = Instant::now() + START_TIMEOUT;
    loop {
        let last = match tokio::time::timeout(Duration::from_secs(5), database::ping(&url)).await {
            Ok(Ok(())) if process.ended().is_none() => return Ok(process),
            Ok(Ok(())) => "another server answered on its port".to_owned(),
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => "no answer within 5 s".to_owned(),
        };
        let problem = match process.ended() {
            Some(status) => format!("ended by itself ({status})"),
            None if Instant::now() > deadline => {
                format!("was not ready within {START_TIMEOUT:?} ({last})")
            }
            None => {
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let tail = log_tail(&log);
        return Err(format!("`{shown}` {problem}; the end of its log:\n{tail}").into());
    }
}

/// The end of a log.
fn log_tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let tail = text.get(text.len().saturating_sub(LOG_TAIL)..).unwrap_or_default();
    String::from_utf8_lossy(tail).into_owned()
}

/// Returns a port of the loopback interface that is free now.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

/// Locks a mutex, also after a panic of another test.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
