//! Megabytes of anything are read in time that grows with their length.
//!
//! The first test counts the bytes that are lexed. The second one measures the time, so it is not part of a
//! usual run: `cargo test --release -p jetbase-core --test hostile -- --ignored --nocapture`.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use jetbase_core::{
    Dialect, Folder, Name, OutOfOrder, Script, Section, SourceFile, SumFile, Syntax, check,
    detection, effect, lexed_bytes, needs_own_session, session_use,
};

/// What an input repeats. A text before and after it opens or closes something.
const REPEATED: [(&str, &str, &str); 58] = [
    ("", "(", ""),
    ("SELECT ", "(", ""),
    ("", ")", ""),
    ("", "'", ""),
    ("", "''", "'"),
    ("SELECT '", "\\", "';"),
    ("", "\"", ""),
    ("", "`", ""),
    ("", "[", ""),
    ("", "$", ""),
    ("", "$a$", ""),
    ("$b$", "$a$", "$b$;"),
    ("", "$a", ""),
    ("", "--", ""),
    ("", "--\n", ""),
    ("", "-- rollback:\n", ""),
    ("SELECT 1;\n", "-- rollback\n", ""),
    ("", "-- down\n", ""),
    ("", "-- jetbase: x\n", ""),
    ("", "-- jetbase: allow=drop-table\n", ""),
    ("-- jetbase: delimiter=ab\n", "ab", ""),
    ("-- jetbase: delimiter=//\n", "/\n", ""),
    ("", "/*", ""),
    ("", "/*", "*/"),
    ("", "/**/", ";"),
    ("", "/*!80000 ", ""),
    ("", "/*!99999 */", ""),
    ("", "/*M! /* */", ""),
    ("", "\n", ""),
    ("", "\r", ""),
    ("", " ", "x"),
    ("SELECT 1", "\u{a0}", ";"),
    ("", "\u{1c}\n", ";"),
    ("", ";", ""),
    ("", ";\n", ""),
    ("", "begin ", ""),
    ("", "begin;", ""),
    ("CREATE FUNCTION f() ", "begin ", ""),
    ("CREATE TRIGGER t BEFORE INSERT ON a BEGIN ", "SELECT CASE 1 WHEN 1 THEN 2 END;", " END;"),
    ("CREATE PROCEDURE p() BEGIN ", "IF 1 THEN ", ""),
    ("", "DELIMITER x\n", ""),
    ("", "DELIMITER //\nSELECT 1//\n", ""),
    ("", "CREATE TABLE a (b INT);\n", ""),
    ("", "INSERT INTO a VALUES (1, 'x');\n", ""),
    ("INSERT INTO a VALUES ", "(1, 'x'), ", "(2, 'y');"),
    ("CREATE TABLE a (", "b INT, ", "c INT);"),
    ("ALTER TABLE a ", "ADD b INT, ", "ADD c INT;"),
    ("DROP TABLE ", "a, ", "b;"),
    ("DROP TABLE ", "a.", "b;"),
    ("", "SET a = 1;\n", ""),
    ("", "SET sql_mode = 'ANSI_QUOTES';\n", ""),
    ("", "DROP TABLE a;\n", ""),
    ("", "ALTER TABLE a RENAME TO b;\n", ""),
    ("", "CREATE TABLE a (b INT); DROP TABLE a;\n", ""),
    ("SELECT 'x'", "\n''", ";"),
    ("", "a", ";"),
    ("", "é", ""),
    ("", "COPY a FROM stdin;\n\\.\n", ""),
];

/// Pieces that follow each other in an order that nothing predicts.
const MIXED: [&str; 24] = [
    "'",
    "\"",
    "`",
    "$$",
    "$a$",
    "(",
    ")",
    "/*",
    "*/",
    "--",
    "\n",
    ";",
    "BEGIN ",
    "END",
    "CASE ",
    "IF ",
    "CREATE TRIGGER t ",
    "DELIMITER //\n",
    "//",
    "SET a = b",
    ",",
    ".",
    "x",
    " ",
];

fn inputs(size: usize) -> Vec<(String, String)> {
    let mut inputs: Vec<_> = REPEATED
        .iter()
        .map(|(before, part, after)| {
            let text = format!("{before}{}{after}", part.repeat(size / part.len()));
            (format!("{before}{part}…{after}"), text)
        })
        .collect();
    for seed in 1..=6_usize {
        let (mut state, mut text) = (seed, String::new());
        while text.len() < size {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push_str(MIXED.get((state >> 33) % MIXED.len()).unwrap());
        }
        inputs.push((format!("mixed {seed}"), text));
    }
    inputs
}

/// All that a build and a run do with one file in one dialect, without a database.
fn read(text: &str, dialect: Dialect) {
    let script = Script::read(text);
    let _ = (script.checksum(), script.directives());
    let checked = check("V1__a.sql", &script, &[Syntax::of(dialect)]);
    for finding in &checked.findings {
        let _ = finding.render("migrations");
    }
    for section in [Section::Upgrade, Section::Rollback] {
        for statement in checked.statements(section) {
            let _ = (effect(statement), detection(statement), session_use(statement));
            let _ = needs_own_session(statement);
        }
    }
}

#[test]
fn the_bytes_that_are_lexed_grow_with_the_text() {
    for (what, text) in inputs(20_000) {
        for dialect in Dialect::ALL {
            let before = lexed_bytes();
            read(&text, dialect);
            let lexed = lexed_bytes() - before;
            assert!(
                lexed <= 12 * text.len(),
                "{what} in {dialect}: {lexed} bytes of {}",
                text.len()
            );
        }
    }
}

#[test]
#[ignore = "measures time, in an optimised build only"]
fn five_megabytes_take_less_than_a_second() {
    let size = std::env::var("JETBASE_HOSTILE_BYTES").ok().and_then(|it| it.parse().ok());
    let mut slowest = Vec::new();
    for (what, text) in inputs(size.unwrap_or(5_000_000)) {
        for dialect in Dialect::ALL {
            let start = processor_time();
            read(&text, dialect);
            slowest.push((processor_time() - start, format!("{what:?} in {dialect}")));
        }
    }
    for (what, text) in lists() {
        let start = processor_time();
        let _ = SumFile::parse("migrations.sum", &text).map(|list| list.to_string());
        slowest.push((processor_time() - start, format!("list of {what:?}")));
    }
    for part in ["V", "1_", "1.", "0", "__", ".sql", " ", "é"] {
        let start = processor_time();
        let _ = Name::parse(&format!("V{}__a.sql", part.repeat(1_000_000)))
            .map_err(|it| it.suggestion());
        slowest.push((processor_time() - start, format!("name of {part:?}")));
    }
    slowest.sort();
    slowest.reverse();
    for (time, what) in slowest.iter().take(20) {
        println!("{time:.2?} {what}");
    }
}

/// The time that this thread has used; on Linux without the time that other processes have used.
fn processor_time() -> Duration {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let used = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let used = used.and_then(|it| it.split(' ').next()?.parse().ok());
    used.map_or_else(|| START.elapsed(), Duration::from_nanos)
}

/// Lists of recorded migrations.
fn lists() -> Vec<(&'static str, String)> {
    let mut folder = Folder::default();
    for version in 1..=30_000 {
        let path = format!("V{version}__a.sql");
        let text = format!("SELECT {version};\n");
        let (name, checksum) = (Name::parse(&path).unwrap(), Script::read(&text).checksum());
        folder.files.push(SourceFile { path, name, text, checksum, recorded: false, change: None });
    }
    let list = SumFile::new("migrations".as_ref());
    let list = list.record(&folder, &[], OutOfOrder::Refuse).unwrap().to_string();
    vec![
        ("30000 files", list),
        ("# end", format!("jetbase.sum v1\n{}", "# end 0 -\n".repeat(500_000))),
        ("blanks", format!("jetbase.sum v1\n{}", " ".repeat(5_000_000))),
        ("one name", format!("jetbase.sum v1\nV1__{}.sql - -\n", "a".repeat(5_000_000))),
    ]
}
