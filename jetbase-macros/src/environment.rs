//! What the result of a call depends on, besides its tokens and the folder.

use std::env;
use std::path::PathBuf;

use jetbase_core::Dialect;

/// The variables and the folders of the compiler that runs the macro.
#[derive(Clone, Debug, Default)]
pub(crate) struct BuildEnvironment {
    /// The folder of the crate's `Cargo.toml`.
    pub(crate) crate_dir: Option<PathBuf>,
    /// The working directory of the compiler. Under cargo it is the root of the workspace.
    pub(crate) current_dir: PathBuf,
    pub(crate) warnings: WarningPolicy,
    /// The drivers of the program.
    pub(crate) drivers: Vec<Dialect>,
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
            drivers: drivers(),
        }
    }

    /// Returns the dialect of a call that names none: that of the only driver.
    pub(crate) fn default_dialect(&self) -> Option<Dialect> {
        match self.drivers.as_slice() {
            [only] => Some(*only),
            _ => None,
        }
    }
}

/// Returns the drivers that the features of the crate `jetbase` switch on.
fn drivers() -> Vec<Dialect> {
    let features = [
        (cfg!(feature = "postgres"), Dialect::Postgres),
        (cfg!(feature = "mysql"), Dialect::MySql),
        (cfg!(feature = "sqlite"), Dialect::Sqlite),
    ];
    features.into_iter().filter(|(on, _)| *on).map(|(_, dialect)| dialect).collect()
}
