//! Worker processes: started, killed, waited for.

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use jetbase_test_harness::{Database, TestError, process, scratch};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::{Child, ChildStdin};

use crate::journal::{Journal, JournalWriter};

/// One worker.
pub(crate) struct Worker {
    pub(crate) pid: u32,
    child: Child,
    gate: Option<ChildStdin>,
}

/// The workers of one round, their migrations and their journal.
pub(crate) struct WorkerGroup {
    pub(crate) journal: Journal,
    pub(crate) writer: JournalWriter,
    pub(crate) workers: Vec<Worker>,
    folder: TempDir,
    words: Vec<String>,
}

impl WorkerGroup {
    /// A group without workers, for these migrations.
    pub(crate) fn new(db: &Database, files: &[(String, String)]) -> Result<WorkerGroup, TestError> {
        let folder = scratch::folder("group")?;
        std::fs::create_dir(folder.path().join("migrations"))?;
        let path = folder.path().join("journal");
        let words = vec![format!("url={}", db.url), format!("journal={}", path.display())];
        let writer = JournalWriter::open(&path)?;
        let group =
            WorkerGroup { journal: Journal::new(path), writer, workers: Vec::new(), folder, words };
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

    /// Starts one worker; it waits at the gate until `open` if it is told to.
    pub(crate) fn start(&mut self, words: &[&str], gate: StartMode) -> Result<u32, TestError> {
        let mut command = process::command(std::env::current_exe()?);
        if let Some(lease) = std::env::var_os("JETBASE_LEASE") {
            command.env("JETBASE_LEASE", lease);
        }
        command
            .arg("worker")
            .args(&self.words)
            .arg(format!("folder={}", self.migrations().display()));
        command.args(words);
        let log =
            File::options().create(true).append(true).open(self.folder.path().join("stderr"))?;
        command.stdout(Stdio::null()).stderr(log);
        command.stdin(if gate == StartMode::OnRelease { Stdio::piped() } else { Stdio::null() });
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn()?;
        let pid = child.id().ok_or("the worker ended at once")?;
        let gate = child.stdin.take();
        self.workers.push(Worker { pid, child, gate });
        Ok(pid)
    }

    /// Starts many workers that wait at the gate.
    pub(crate) async fn start_held(
        &mut self,
        count: usize,
        words: &[&str],
    ) -> Result<(), TestError> {
        for _ in 0..count {
            self.start(words, StartMode::OnRelease)?;
        }
        self.ready(count).await
    }

    /// Waits until so many workers are at the gate.
    pub(crate) async fn ready(&mut self, count: usize) -> Result<(), TestError> {
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
    pub(crate) fn open(&mut self) {
        self.workers.iter_mut().for_each(|worker| drop(worker.gate.take()));
    }

    /// Lets some workers begin.
    pub(crate) fn open_some(&mut self, count: usize) {
        self.workers.iter_mut().take(count).for_each(|worker| drop(worker.gate.take()));
    }

    /// Kills a worker at once; returns whether it lived.
    pub(crate) async fn kill(&mut self, pid: u32) -> Result<bool, TestError> {
        let Some(at) = self.workers.iter().position(|worker| worker.pid == pid) else {
            return Ok(false);
        };
        let mut worker = self.workers.swap_remove(at);
        if worker.child.try_wait()?.is_some() {
            return Ok(false);
        }
        // Noted before it happens: who gets the lock after that line gets it from the dead.
        self.writer.note(pid, "killed", "");
        signal(pid, Signal::KILL)?;
        worker.child.wait().await?;
        Ok(true)
    }

    /// Forgets workers that ended; fails when one did not end well.
    pub(crate) fn reap(&mut self) -> Result<(), TestError> {
        let mut bad = None;
        self.workers.retain_mut(|worker| match worker.child.try_wait() {
            Ok(Some(status)) => {
                bad = bad.or((!status.success()).then_some((worker.pid, status)));
                false
            }
            _ => true,
        });
        match bad {
            None => Ok(()),
            Some((pid, status)) => {
                self.journal.refresh()?;
                let told = self.journal.all("error").find(|it| it.pid == pid);
                let told = told.map(|it| it.rest.clone()).unwrap_or_else(|| self.standard_error());
                Err(format!("worker {pid} ended with {status}: {told}").into())
            }
        }
    }

    /// Waits until all workers ended well.
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

    /// Waits for one worker, however it ends, and returns its code.
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

    /// What one worker noted under a word, last.
    pub(crate) fn last_entry(&self, pid: u32, what: &str) -> String {
        let entries = self.journal.all(what).filter(|it| it.pid == pid);
        entries.last().map(|it| it.rest.clone()).unwrap_or_default()
    }

    /// Waits until the journal has a line.
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
                    format!("what was waited for did not happen in {within:?}\n{text}").into()
                );
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// What the workers printed, panics above all.
    fn standard_error(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }
}

/// Whether a worker begins at once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum StartMode {
    Open,
    Closed,
}

/// Sends a signal to a process that we started.
pub(crate) fn signal(pid: u32, signal: Signal) -> Result<(), TestError> {
    let pid = Pid::from_raw(pid as i32).ok_or("no process has the number 0")?;
    Ok(kill_process(pid, signal)?)
}
