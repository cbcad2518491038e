//! The journal: one file with the events of all workers, one line each, with times of one monotonic
//! clock.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jetbase_test_harness::TestError;
use rustix::time::{ClockId, clock_gettime};

/// The time of the clock that all processes of this machine share, in nanoseconds.
pub(crate) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Writes to the journal.
pub(crate) struct JournalWriter {
    file: File,
}

impl JournalWriter {
    pub(crate) fn open(path: &Path) -> std::io::Result<JournalWriter> {
        Ok(JournalWriter { file: OpenOptions::new().create(true).append(true).open(path)? })
    }

    /// Appends an event of a process.
    pub(crate) fn write(&mut self, pid: u32, event: &str, detail: &str) {
        let line = format!("{} {pid} {event} {}\n", now(), detail.replace('\n', " ⏎ "));
        let _ = self.file.write_all(line.as_bytes());
    }
}

/// A line of the journal.
#[derive(Clone, Debug)]
pub(crate) struct JournalEntry {
    pub(crate) at: u64,
    pub(crate) pid: u32,
    pub(crate) event: String,
    pub(crate) detail: String,
}

/// The entries of the journal that were read.
pub(crate) struct Journal {
    pub(crate) path: PathBuf,
    pub(crate) entries: Vec<JournalEntry>,
    offset: u64,
}

/// A period during which a process certainly held the lock. The real period is a little longer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HoldingPeriod {
    pub(crate) pid: u32,
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// Whether the process was killed while it held the lock.
    pub(crate) killed: bool,
}

impl Journal {
    pub(crate) fn new(path: PathBuf) -> Journal {
        Journal { path, entries: Vec::new(), offset: 0 }
    }

    /// Reads the new entries.
    pub(crate) fn refresh(&mut self) -> Result<(), TestError> {
        let Ok(mut file) = File::open(&self.path) else { return Ok(()) };
        file.seek(SeekFrom::Start(self.offset))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        self.offset += whole as u64;
        for line in String::from_utf8_lossy(&bytes[..whole]).lines() {
            let mut fields = line.splitn(4, ' ');
            let mut field = || fields.next().unwrap_or_default().to_owned();
            let (at, pid, event, detail) = (field(), field(), field(), field());
            self.entries.push(JournalEntry { at: at.parse()?, pid: pid.parse()?, event, detail });
        }
        // The time of a line is read before the line is written, so lines may be out of order.
        self.entries.sort_by_key(|entry| entry.at);
        Ok(())
    }

    pub(crate) fn count(&self, event: &str) -> usize {
        self.entries.iter().filter(|entry| entry.event == event).count()
    }

    pub(crate) fn all<'a>(&'a self, event: &'a str) -> impl Iterator<Item = &'a JournalEntry> {
        self.entries.iter().filter(move |entry| entry.event == event)
    }

    /// The process that holds the lock, according to the entries.
    pub(crate) fn holder(&self) -> Option<u32> {
        let mut holder = None;
        for entry in &self.entries {
            match entry.event.as_str() {
                "acquired" => holder = Some(entry.pid),
                "released" | "killed" | "error" if holder == Some(entry.pid) => holder = None,
                _ => {}
            }
        }
        holder
    }

    /// All periods during which the lock was held.
    pub(crate) fn periods(&self) -> Vec<HoldingPeriod> {
        let mut open: HashMap<u32, (u64, u64, bool)> = HashMap::new();
        let mut periods = Vec::new();
        for entry in &self.entries {
            match entry.event.as_str() {
                "acquired" => {
                    open.insert(entry.pid, (entry.at, entry.at, true));
                }
                // Before the last file ends, a process certainly holds the lock. After it, the process
                // may already have released it.
                "started" | "finished" => {
                    if let Some(held) = open.get_mut(&entry.pid) {
                        (held.1, held.2) = (entry.at, entry.event == "started");
                    }
                }
                "released" | "killed" | "silenced" | "error" => {
                    let Some((from, last, is_certain)) = open.remove(&entry.pid) else { continue };
                    let killed = entry.event == "killed" && is_certain;
                    let to = if killed { entry.at } else { last };
                    periods.push(HoldingPeriod { pid: entry.pid, from, to, killed });
                }
                _ => {}
            }
        }
        periods.sort_by_key(|held| held.from);
        periods
    }

    /// Fails if two processes held the lock at the same time.
    pub(crate) fn no_overlap(&self) -> Result<usize, TestError> {
        let periods = self.periods();
        let mut last: Option<HoldingPeriod> = None;
        for held in &periods {
            if let Some(before) = last
                && held.from < before.to
            {
                let text = self.text();
                return Err(format!("two holders at once: {before:?} and {held:?}\n{text}").into());
            }
            if last.is_none_or(|before| held.to > before.to) {
                last = Some(*held);
            }
        }
        Ok(periods.len())
    }

    /// The times from the kill of a holder to the next acquisition of the lock.
    pub(crate) fn recoveries(&self) -> Vec<Duration> {
        let periods = self.periods();
        let killed = periods.iter().filter(|held| held.killed);
        let next = |held: &HoldingPeriod| {
            let next = periods.iter().find(|it| it.from >= held.to && it.pid != held.pid)?;
            Some(Duration::from_nanos(next.from - held.to))
        };
        killed.filter_map(next).collect()
    }

    /// Fails if a worker had an error or lost the lock.
    pub(crate) fn no_errors(&self) -> Result<(), TestError> {
        for event in ["error", "lost", "warning", "panic"] {
            if let Some(entry) = self.all(event).next() {
                return Err(format!("worker {}: {event}: {}", entry.pid, entry.detail).into());
            }
        }
        Ok(())
    }

    /// The last entries, for a message.
    pub(crate) fn text(&self) -> String {
        let last = self.entries.len().saturating_sub(60);
        let line = |it: &JournalEntry| format!("{} {} {} {}", it.at, it.pid, it.event, it.detail);
        self.entries[last..].iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// The median and the 99th percentile.
pub(crate) fn percentiles(mut times: Vec<Duration>) -> (Duration, Duration) {
    times.sort();
    let at = |part: f64| {
        let index = ((times.len() as f64 * part).ceil() as usize).saturating_sub(1);
        times.get(index).copied().unwrap_or_default()
    };
    (at(0.5), at(0.99))
}
