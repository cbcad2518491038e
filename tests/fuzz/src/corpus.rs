//! The inputs to begin with, and the texts to put into them.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Returns the inputs of a target: its folder in `corpus`, the vectors of the Python tool and the
/// fixtures.
///
/// # Panics
///
/// Panics if a file cannot be read.
#[must_use]
pub fn corpus(target: &str) -> Vec<Vec<u8>> {
    let mut inputs = files(&tests().join("fuzz/corpus").join(target));
    match target {
        "names" => {
            let names = vectors("filenames.json").into_iter();
            inputs
                .extend(names.filter_map(|it| Some(it["filename"].as_str()?.as_bytes().to_vec())));
        }
        "scripts" | "cutting" => {
            for file in ["handpicked.json", "random.json", "realistic.json"] {
                let texts = vectors(file).into_iter();
                inputs.extend(
                    texts.filter_map(|it| STANDARD.decode(it["content_base64"].as_str()?).ok()),
                );
            }
            inputs.extend(files(&tests().join("fixtures")));
        }
        "list" => inputs.extend(files(&tests().join("fixtures"))),
        _ => {}
    }
    inputs
}

fn vectors(file: &str) -> Vec<Value> {
    let text = fs::read(tests().join("vectors").join(file)).expect("the vectors can be read");
    serde_json::from_slice(&text).expect("the vectors are JSON")
}

/// The contents of all files below a folder.
fn files(folder: &Path) -> Vec<Vec<u8>> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> =
        entries.map(|entry| entry.expect("a folder can be read").path()).collect();
    paths.sort();
    let texts = paths.into_iter().flat_map(|path| match path.is_dir() {
        true => files(&path),
        false => fs::read(path).into_iter().collect(),
    });
    texts.collect()
}

/// Returns texts that mean something to a target.
#[must_use]
pub fn fragments(target: &str) -> &'static [&'static str] {
    match target {
        "names" => NAMES,
        "list" => LIST,
        "urls" => URLS,
        "config" => CONFIG,
        _ => SQL,
    }
}

const NAMES: &[&str] = &[
    "V",
    "v",
    "RA__",
    "ROC__",
    "RC__",
    "R__",
    "__",
    "_",
    ".",
    "1",
    "0",
    "10",
    "9999999999999999999999",
    "a",
    "-",
    " ",
    ".sql",
    ".SQL",
    ".sql.sql",
    "\n",
    "\t",
    "é",
    "\u{a0}",
    "\u{661}",
    "\u{1c}",
    "/",
    "\\",
    "\u{feff}",
];

const LIST: &[&str] = &[
    "jetbase.sum v1\n",
    "jetbase.sum v2\n",
    "V1__a.sql ",
    "V2__b c.sql ",
    "V1.0__a.sql ",
    " out-of-order",
    "\n",
    "\r\n",
    "# end ",
    "# end 0 -\n",
    "<<<<<<< a\n",
    "=======\n",
    ">>>>>>> b\n",
    "\0",
    "SELECT 1;\n",
    "-- rollback\n",
    "/* a */",
    " statements=",
    "statements=01234567",
    ",",
    "-",
    "postgres:",
    "mysql+sqlite:",
    "/",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef ",
    " ",
    "é",
];

const URLS: &[&str] = &[
    "postgres",
    "postgresql+psycopg2",
    "mysql",
    "mariadb",
    "sqlite",
    "oracle",
    "://",
    ":",
    "@",
    "/",
    "?",
    "#",
    "&",
    "=",
    "\0",
    "password=",
    "sslpassword=",
    "token=",
    "ssl_ca=",
    "%40",
    "%",
    "'",
    "\"",
    "\\",
    "\n",
    "\r",
    "\t",
    " ",
    "é",
    "\u{202e}",
    "[::1]",
    ":5432",
    "../",
    ":memory:",
    "file:",
    "localhost",
    "*",
    "***",
    "`",
    "{",
    "}",
    "\u{0}",
    "u",
    "h",
];

const CONFIG: &[&str] = &[
    "sqlalchemy_url",
    "postgres_schema",
    "skip_validation",
    "skip_checksum_validation",
    " = ",
    "true",
    "false",
    "1",
    "'",
    "\"",
    "'''",
    "\"\"\"",
    "[",
    "]",
    "{",
    "}",
    "[a]\n",
    "[[a]]\n",
    "\n",
    "\r\n",
    "#",
    ".",
    ",",
    "\\",
    "\\u0000",
    "1979-05-27",
    "0x",
    "é",
    "\0",
    " ",
    "a",
    "-",
    "=",
];

const SQL: &[&str] = &[
    "'",
    "\"",
    "`",
    "[",
    "]",
    "$$",
    "$a$",
    "$",
    "a$b",
    "/*",
    "*/",
    "/*!",
    "/*!50003 ",
    "/*!80000 ",
    "/*!99999 ",
    "/*M!",
    "SET sql_mode='ANSI';",
    "SET sql_mode='NO_BACKSLASH_ESCAPES';",
    "SET standard_conforming_strings = off;",
    "$a(",
    "--",
    "-- ",
    "#",
    "\n",
    "\r\n",
    "\r",
    " ",
    "\t",
    ";",
    ";;",
    ";\n",
    "//",
    "//\n",
    "~",
    "GO\n",
    "BEGIN ",
    "ATOMIC ",
    "NOT ",
    "END",
    "END IF",
    "IF ",
    "THEN ",
    "CASE ",
    "LOOP ",
    "UNTIL ",
    "CREATE ",
    "TABLE ",
    "TRIGGER ",
    "FUNCTION ",
    "PROCEDURE ",
    "PACKAGE ",
    "EACH ROW ",
    "DO ",
    "DELIMITER ",
    "DELIMITER //\n",
    "DELIMITER $$\n",
    "DELIMITER ;\n",
    "\\",
    "E'",
    "U&'",
    "N'",
    "(",
    ")",
    ":",
    ".",
    "@",
    "x",
    "1",
    "é",
    "\u{feff}",
    "\0",
    "\u{a0}",
    "\u{1c}",
    "-- rollback\n",
    "--ROLLBACK\n",
    "-- rollback:\n",
    "-- down\n",
    "-- jetbase: delimiter=//\n",
    "-- jetbase: delimiter=$$\n",
    "-- jetbase: transaction=off\n",
    "-- jetbase: allow=drop-table\n",
    "-- jetbase: lock_timeout=5s\n",
    "CREATE INDEX CONCURRENTLY i ON t (a)",
    "ALTER TABLE t ADD COLUMN a INT",
    "DROP TABLE t",
    "INSERT INTO t VALUES (1)",
    "CREATE OR REPLACE VIEW v AS SELECT 1",
    "COPY t FROM stdin;\n",
    "\\.\n",
    "LOCK TABLES t WRITE",
    "VACUUM",
    "COMMIT",
    "PRAGMA foreign_keys = off",
    "SET SESSION ",
    "TRUNCATE t",
    "RENAME TO u",
    "K",
    "\u{212a}",
];
