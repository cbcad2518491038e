//! What the result of a call depends on, besides its tokens and the folder.

use std::env;
use std::path::PathBuf;

/// The variables and the folders of the compiler that runs the macro.
#[derive(Clone, Debug, Default)]
pub(crate) struct BuildEnvironment {
    /// The folder of the crate's `Cargo.toml`.
    pub(crate) crate_dir: Option<PathBuf>,
    /// The working directory of the compiler. Under cargo it is the root of the workspace.
    pub(crate) current_dir: PathBuf,
    pub(crate) warnings: WarningPolicy,
}

/// How warnings are handled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum WarningPolicy {
    #[default]
    Show,
    Deny,
}

impl BuildEnvironment {
    /// Reads the environment of this process.
    pub(crate) fn of_process() -> Self {
        let deny = env::var_os("JETBASE_WARNINGS").is_some_and(|value| value == "deny");
        BuildEnvironment {
            crate_dir: env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from),
            current_dir: env::current_dir().unwrap_or_default(),
            warnings: if deny { WarningPolicy::Deny } else { WarningPolicy::Show },
        }
    }
}
