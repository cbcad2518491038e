//! Groups of worker processes: how they start, are killed and end.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use jetbase_test_harness::{Database, TestError, process, scratch};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, ChildStdin};

use crate::journal::{Journal, JournalWriter};

/// A worker process.
pub(crate) struct Worker {
    pub(crate) pid: u32,
    child: Child,
    /// A worker with a standard input waits until it is closed.
    stdin: Option<ChildStdin>,
}

/// The workers of one round, with their migrations and their journal.
pub(crate) struct WorkerGroup {
    pub(crate) journal: Journal,
    pub(crate) writer: JournalWriter,
    pub(crate) workers: Vec<Worker>,
    folder: TempDir,
    arguments: Vec<String>,
}

impl WorkerGroup {
    /// Creates a group without workers, for these migrations.
    pub(crate) fn new(db: &Database, files: &[(String, String)]) -> Result<WorkerGroup, TestError> {
        let folder = scratch::folder("group")?;
        std::fs::create_dir(folder.path().join("migrations"))?;
        let path = folder.path().join("journal");
        let arguments = vec![format!("url={}", db.url), format!("journal={}", path.display())];
        let writer = JournalWriter::open(&path)?;
        let group = WorkerGroup {
            journal: Journal::new(path),
            writer,
            workers: Vec::new(),
            folder,
            arguments,
        };
        group.write(files)?;
        Ok(group)
    }

    /// Adds migrations to the folder.
    pub(crate) fn write(&self, files: &[(String, String)]) -> Result<(), TestError> {
        for (name, text) in files {
            std::fs::write(self.migrations().join(name), text)?;
        }
        Ok(())
    }

    pub(crate) fn migrations(&self) -> PathBuf {
        self.folder.path().join("migrations")
    }

    /// Starts one worker.
    pub(crate) fn start(&mut self, arguments: &[&str], mode: StartMode) -> Result<u32, TestError> {
        let mut command = process::command(std::env::current_exe()?);
        if let Some(lease) = std::env::var_os("JETBASE_LEASE") {
            command.env("JETBASE_LEASE", lease);
        }
        command
            .arg("worker")
            .args(&self.arguments)
            .arg(format!("folder={}", self.migrations().display()));
        command.args(arguments);
        let log =
            File::options().create(true).append(true).open(self.folder.path().join("stderr"))?;
        command.stdout(Stdio::null()).stderr(log);
        command.stdin(if mode == StartMode::OnRelease { Stdio::piped() } else { Stdio::null() });
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
        let pid = child.id().ok_or("the worker ended at once")?;
        let stdin = child.stdin.take();
        self.workers.push(Worker { pid, child, stdin });
        Ok(pid)
    }

    /// Starts many workers that wait for `release`.
    pub(crate) async fn start_held(
        &mut self,
        count: usize,
        arguments: &[&str],
    ) -> Result<(), TestError> {
        for _ in 0..count {
            self.start(arguments, StartMode::OnRelease)?;
        }
        self.wait_until_ready(count).await
    }

    /// Waits until this many workers are ready.
    pub(crate) async fn wait_until_ready(&mut self, count: usize) -> Result<(), TestError> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.journal.count("ready") < count {
            if Instant::now() > deadline {
                return Err(
                    format!("the workers did not get ready\n{}", self.standard_error()).into()
                );
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
            self.journal.refresh()?;
        }
        Ok(())
    }

    /// Lets all workers begin.
    pub(crate) fn release(&mut self) {
        self.workers.iter_mut().for_each(|worker| drop(worker.stdin.take()));
    }

    /// Lets some workers begin.
    pub(crate) fn release_some(&mut self, count: usize) {
        self.workers.iter_mut().take(count).for_each(|worker| drop(worker.stdin.take()));
    }

    /// Kills a worker at once. Returns whether it was running.
    pub(crate) async fn kill(&mut self, pid: u32) -> Result<bool, TestError> {
        let Some(at) = self.workers.iter().position(|worker| worker.pid == pid) else {
            return Ok(false);
        };
        let mut worker = self.workers.swap_remove(at);
        if worker.child.try_wait()?.is_some() {
            return Ok(false);
        }
        // Written before the kill, so that each later acquisition of the lock is after this line.
        self.writer.write(pid, "killed", "");
        signal(pid, Signal::KILL)?;
        worker.child.wait().await?;
        Ok(true)
    }

    /// Removes the workers that have ended. Fails if one did not succeed.
    pub(crate) fn reap(&mut self) -> Result<(), TestError> {
        let mut failed = None;
        self.workers.retain_mut(|worker| match worker.child.try_wait() {
            Ok(Some(status)) => {
                failed = failed.or((!status.success()).then_some((worker.pid, status)));
                false
            }
            _ => true,
        });
        match failed {
            None => Ok(()),
            Some((pid, status)) => {
                self.journal.refresh()?;
                let message = self.journal.all("error").find(|it| it.pid == pid);
                let message =
                    message.map(|it| it.detail.clone()).unwrap_or_else(|| self.standard_error());
                Err(format!("worker {pid} ended with {status}: {message}").into())
            }
        }
    }

    /// Waits until all workers have ended. Fails if one did not succeed.
    pub(crate) async fn finish(&mut self, within: Duration) -> Result<(), TestError> {
        let deadline = Instant::now() + within;
        while !self.workers.is_empty() {
            self.reap()?;
            if Instant::now() > deadline {
                self.journal.refresh()?;
                let left = self.workers.len();
                let text = self.journal.text();
                return Err(format!("{left} workers did not end within {within:?}\n{text}").into());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.journal.refresh()
    }

    /// Waits until one worker ends and returns its exit code.
    pub(crate) async fn code(&mut self, pid: u32, within: Duration) -> Result<i32, TestError> {
        let at = self.workers.iter().position(|worker| worker.pid == pid);
        let mut worker = self.workers.swap_remove(at.ok_or("there is no such worker")?);
        let ended = tokio::time::timeout(within, worker.child.wait()).await;
        self.journal.refresh()?;
        let status = ended.map_err(|_| {
            format!("worker {pid} did not end within {within:?}\n{}", self.journal.text())
        })??;
        Ok(status.code().unwrap_or(-1))
    }

    /// Returns the last journal entry of a worker with this event.
    pub(crate) fn last_entry(&self, pid: u32, what: &str) -> String {
        let entries = self.journal.all(what).filter(|it| it.pid == pid);
        entries.last().map(|it| it.detail.clone()).unwrap_or_default()
    }

    /// Waits until the journal has an entry.
    pub(crate) async fn until(
        &mut self,
        within: Duration,
        mut is_it: impl FnMut(&crate::journal::JournalEntry) -> bool,
    ) -> Result<crate::journal::JournalEntry, TestError> {
        let deadline = Instant::now() + within;
        loop {
            self.journal.refresh()?;
            if let Some(entry) = self.journal.entries.iter().find(|entry| is_it(entry)) {
                return Ok(entry.clone());
            }
            if Instant::now() > deadline {
                let text = self.journal.text();
                return Err(
                    format!("the expected entry did not appear within {within:?}\n{text}").into()
                );
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// The standard error of all workers.
    fn standard_error(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }
}

/// When a worker begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartMode {
    AtOnce,
    OnRelease,
}

/// Sends a signal to a process that we started.
pub(crate) fn signal(pid: u32, signal: Signal) -> Result<(), TestError> {
    let pid = Pid::from_raw(pid as i32).ok_or("no process has the number 0")?;
    Ok(kill_process(pid, signal)?)
}
