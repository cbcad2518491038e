//! The tool `jetbase`: migrations from a folder, without a program around them.

use std::process::ExitCode;

fn main() -> ExitCode {
    jetbase_cli::main()
}
