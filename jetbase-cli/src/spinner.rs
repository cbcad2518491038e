//! The spinner: one line on a terminal that shows for how long something has been in progress, and
//! what it is.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use comfy_table::Table;

use super::secret;

/// A line that is shown until it is dropped.
#[derive(Debug)]
pub(crate) struct Spinner {
    text: Arc<Mutex<String>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Clears a line of a terminal.
pub(crate) const CLEAR: &str = "\r\x1b[2K";

const FRAMES: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
const PAUSE: Duration = Duration::from_millis(100);

impl Spinner {
    /// Shows a text on the terminal of standard error. Returns `None` if there is no terminal.
    pub(crate) fn start(text: String) -> Option<Self> {
        if !io::stderr().is_terminal() {
            return None;
        }
        let (stop, stopped) = channel::<()>();
        let started = Instant::now();
        let text = Arc::new(Mutex::new(text));
        let shown = Arc::clone(&text);
        let thread = thread::spawn(move || {
            let mut frames = FRAMES.iter().cycle();
            while stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                let frame = frames.next().unwrap_or(&"");
                let seconds = started.elapsed().as_secs();
                let text = shown.lock().unwrap_or_else(PoisonError::into_inner).clone();
                draw(&format!("{CLEAR}{}", fit(&format!("{frame} {seconds} s, {text}"))));
            }
            draw(CLEAR);
        });
        Some(Spinner { text, stop: Some(stop), thread: Some(thread) })
    }

    /// Replaces the text. The time goes on.
    pub(crate) fn show(&self, text: String) {
        *self.text.lock().unwrap_or_else(PoisonError::into_inner) = text;
    }
}

impl Drop for Spinner {
    fn drop(&mut self) {
        self.stop.take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Shortens a text to one line of the terminal, because only one line is cleared.
fn fit(text: &str) -> String {
    let width = Table::new().use_stderr().width().map_or(DEFAULT_WIDTH, usize::from);
    let printable = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let line: Vec<char> = printable.collect();
    // A wide character takes two columns, so the line is shorter than the terminal.
    match line.get(..width.saturating_sub(2)) {
        Some(start) if start.len() < line.len() => start.iter().collect::<String>() + "…",
        _ => line.into_iter().collect(),
    }
}

const DEFAULT_WIDTH: usize = 80;

fn draw(text: &str) {
    let mut terminal = io::stderr().lock();
    let _ = write!(terminal, "{}", secret::hide(text)).and_then(|()| terminal.flush());
}
