//! The output of the compiler with jetbase's messages.
//!
//! The cases are in `tests/ui` of the workspace. They embed folders of `tests/fixtures`. The output
//! depends on the version of the compiler, so the cases run only with the pinned version.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// The version of the compiler that the cases were recorded with.
const PINNED: &str = "rustc 1.95.";

fn main() -> ExitCode {
    let trial = Trial::ignorable_test(
        "the_compiler_prints_the_recorded_errors",
        the_compiler_prints_the_recorded_errors,
    );
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

fn the_compiler_prints_the_recorded_errors() -> Result<Completion, Failed> {
    let compiler = compiler();
    if !compiler.starts_with(PINNED) {
        return Ok(Completion::ignored_with(format!(
            "the cases are written for {PINNED}x, this is {compiler}"
        )));
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    // trybuild creates the crate of the cases in this folder, so the macro reads their folders here.
    let project = PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
        .join("../tests/trybuild")
        .join(env!("CARGO_PKG_NAME"));
    let fixtures = project.join("fixtures");
    if fixtures.exists() {
        fs::remove_dir_all(&fixtures)?;
    }
    copy(&root.join("tests/fixtures"), &fixtures)?;
    trybuild::TestCases::new().compile_fail("../tests/ui/*.rs");
    for entry in fs::read_dir(root.join("tests/ui"))? {
        let path = entry?.path();
        if path.is_dir() {
            // The fixtures of the tests in the cases.
            continue;
        }
        let text = fs::read_to_string(&path)?;
        if text.contains("$crate::__private") {
            return Err(format!("{} shows an internal macro", path.display()).into());
        }
    }
    Ok(Completion::Completed)
}

fn compiler() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}
