//! The Python tool's own functions, in one process that stays alive.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, PoisonError};

/// Reads requests until the input ends: a letter, a length and a text. The answer is a length and a text.
const PROGRAM: &str = r#"
import struct, sys
from jetbase.engine import checksum, file_parser

path = sys.argv[1]
source, sink = sys.stdin.buffer, sys.stdout.buffer

def checksums(text):
    with open(path, "wb") as file:
        file.write(text)
    parts = (file_parser.parse_upgrade_statements, file_parser.parse_rollback_statements)
    return " ".join(checksum.calculate_checksum(part(path)) for part in parts)

def name(text):
    file = text.decode()
    try:
        file_parser.validate_filename_format(file)
    except Exception:
        return "-"
    return "+" + file_parser.get_description_from_filename(file)

while True:
    head = source.read(5)
    if len(head) < 5:
        break
    kind, length = head[:1], struct.unpack(">I", head[1:])[0]
    text = source.read(length)
    answer = (checksums if kind == b"c" else name)(text).encode()
    sink.write(struct.pack(">I", len(answer)) + answer)
    sink.flush()
"#;

/// Finds the interpreter of the installed Python tool: beside `JETBASE_TEST_PYTHON`, or in the folder of
/// the build results.
#[must_use]
pub fn find_interpreter() -> Option<PathBuf> {
    let tool = match std::env::var_os("JETBASE_TEST_PYTHON") {
        Some(named) => PathBuf::from(named),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/python/bin/jetbase"),
    };
    let interpreter = tool.with_file_name(if cfg!(windows) { "python.exe" } else { "python" });
    interpreter.is_file().then_some(interpreter)
}

/// A Python process that answers what the Python tool would say.
#[derive(Debug)]
pub struct PythonReader {
    process: Child,
    requests: Option<ChildStdin>,
    answers: ChildStdout,
    _folder: tempfile::TempDir,
}

static READER: Mutex<Option<PythonReader>> = Mutex::new(None);

/// Asks the process, if one was started.
pub(crate) fn with_reader<T>(ask: impl FnOnce(&mut PythonReader) -> T) -> Option<T> {
    READER.lock().unwrap_or_else(PoisonError::into_inner).as_mut().map(ask)
}

impl PythonReader {
    /// Starts the process. From then on, the targets compare what they read with its answers.
    ///
    /// # Errors
    ///
    /// Returns an error if the process cannot be started.
    pub fn start(interpreter: &Path) -> std::io::Result<()> {
        let mut reader = READER.lock().unwrap_or_else(PoisonError::into_inner);
        if reader.is_some() {
            return Ok(());
        }
        let folder = tempfile::tempdir()?;
        let mut process = Command::new(interpreter)
            .args(["-c", PROGRAM])
            .arg(folder.path().join("V1__a.sql"))
            .env("PYTHONUTF8", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let requests = process.stdin.take();
        let answers = process.stdout.take().ok_or(std::io::ErrorKind::BrokenPipe)?;
        *reader = Some(PythonReader { process, requests, answers, _folder: folder });
        Ok(())
    }

    /// The checksums of the two sections.
    pub(crate) fn checksums(&mut self, text: &str) -> (String, String) {
        let answer = self.ask(b'c', text);
        let (upgrade, rollback) = answer.split_once(' ').expect("two checksums");
        (upgrade.to_owned(), rollback.to_owned())
    }

    /// The description in a name, if the tool accepts the name.
    pub(crate) fn name(&mut self, file: &str) -> Option<String> {
        self.ask(b'n', file).strip_prefix('+').map(str::to_owned)
    }

    fn ask(&mut self, kind: u8, text: &str) -> String {
        let length = u32::try_from(text.len()).expect("the text is short").to_be_bytes();
        let message = [&[kind], &length[..], text.as_bytes()].concat();
        let sent =
            self.requests.as_mut().map(|it| it.write_all(&message).and_then(|()| it.flush()));
        assert!(matches!(sent, Some(Ok(()))), "the Python process has ended: {text:?}");
        let mut length = [0; 4];
        self.answers.read_exact(&mut length).unwrap_or_else(|error| panic!("{error}: {text:?}"));
        let mut answer = vec![0; u32::from_be_bytes(length) as usize];
        self.answers.read_exact(&mut answer).expect("the answer is complete");
        String::from_utf8(answer).expect("the answer is UTF-8")
    }
}

impl Drop for PythonReader {
    fn drop(&mut self) {
        self.requests = None;
        let _ = self.process.wait();
    }
}
