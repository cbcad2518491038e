//! The spinner: one line on a terminal that shows what is in progress and for how long.

use std::io::{self, IsTerminal, Write};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A line that is shown until it is dropped.
#[derive(Debug)]
pub(crate) struct Spinner {
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
        let thread = thread::spawn(move || {
            let mut frames = FRAMES.iter().cycle();
            while stopped.recv_timeout(PAUSE) == Err(RecvTimeoutError::Timeout) {
                let frame = frames.next().unwrap_or(&"");
                let seconds = started.elapsed().as_secs();
                draw(&format!("{CLEAR}{frame} {text}, {seconds} s"));
            }
            draw(CLEAR);
        });
        Some(Spinner { stop: Some(stop), thread: Some(thread) })
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

fn draw(text: &str) {
    let mut terminal = io::stderr().lock();
    let _ = write!(terminal, "{text}").and_then(|()| terminal.flush());
}
