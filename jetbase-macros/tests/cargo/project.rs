//! A program in a temporary folder that cargo builds.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use jetbase_core::{Folder, OutOfOrder, SumFile};

/// How cargo notices changes of the folder, besides the embedded files.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum ChangeTracking {
    FilesOnly,
    List,
    BuildScript,
}

pub(crate) struct CargoProject {
    pub(crate) root: PathBuf,
}

impl CargoProject {
    pub(crate) fn new(root: PathBuf, name: &str, tracking: ChangeTracking) -> Self {
        let project = CargoProject { root };
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        project.put("Cargo.toml", &MANIFEST.replace("NAME", name));
        project.put(
            "facade/Cargo.toml",
            &FACADE_MANIFEST.replace("CRATES", &crates.to_string_lossy()),
        );
        project.put("facade/src/lib.rs", FACADE);
        project.put("src/main.rs", MAIN);
        if tracking == ChangeTracking::BuildScript {
            project.put(
                "build.rs",
                "fn main() { println!(\"cargo::rerun-if-changed=migrations\"); }\n",
            );
        }
        fs::copy(crates.join("Cargo.lock"), project.root.join("Cargo.lock")).unwrap();
        project.reset();
        project
    }

    /// Restores the folder for the next case.
    pub(crate) fn reset(&self) {
        for name in ["migrations", "elsewhere"] {
            drop(fs::remove_dir_all(self.root.join(name)));
        }
        drop(fs::remove_file(SumFile::path(&self.folder())));
        self.put("migrations/V1__a.sql", "SELECT 1;\n");
        self.put("migrations/V2__b.sql", "SELECT 2;\n");
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.root.join("migrations")
    }

    pub(crate) fn put(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        self.put(&format!("migrations/{name}"), text);
    }

    pub(crate) fn write_dated(&self, name: &str, text: &str, date: SystemTime) {
        self.write(name, text);
        File::options()
            .write(true)
            .open(self.folder().join(name))
            .unwrap()
            .set_modified(date)
            .unwrap();
    }

    pub(crate) fn rename(&self, from: &str, to: &str) {
        fs::rename(self.folder().join(from), self.folder().join(to)).unwrap();
    }

    pub(crate) fn delete(&self, name: &str) {
        fs::remove_file(self.folder().join(name)).unwrap();
    }

    /// Writes the list as `jetbase sum` does, with every change accepted.
    pub(crate) fn record(&self) {
        SumFile::new(&self.folder())
            .record(&Folder::read(&self.folder()), &[], OutOfOrder::Refuse)
            .unwrap()
            .write(&self.folder())
            .unwrap();
    }

    /// Runs cargo. Returns whether it succeeded, its standard output and its standard error.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> (bool, String, String) {
        self.cargo_with_warnings("", arguments)
    }

    /// Runs cargo with a value of `JETBASE_WARNINGS`.
    pub(crate) fn cargo_with_warnings(
        &self,
        warnings: &str,
        arguments: &[&str],
    ) -> (bool, String, String) {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tracking");
        let mut command = Command::new(cargo);
        command.args(arguments).arg("--quiet").arg("--offline").current_dir(&self.root);
        command
            .env("CARGO_TARGET_DIR", target)
            .env_remove("RUSTFLAGS")
            .env_remove("CARGO_ENCODED_RUSTFLAGS");
        if !warnings.is_empty() {
            command.env("JETBASE_WARNINGS", warnings);
        }
        let output = output_within(command, Duration::from_secs(600));
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.success(), text(output.stdout), text(output.stderr))
    }

    /// Returns the paths and texts that the program has embedded.
    pub(crate) fn embedded(&self) -> String {
        let (success, embedded, errors) = self.cargo(&["run"]);
        assert!(success, "{errors}");
        embedded
    }

    /// Returns the paths and texts of the folder in the same form.
    pub(crate) fn folder_contents(&self) -> String {
        Folder::read(&self.folder())
            .files
            .iter()
            .map(|it| format!("{} {:?}\n", it.path, it.text))
            .collect()
    }
}

/// Runs a command to its end. After the time limit, the command and its child processes are killed.
fn output_within(mut command: Command, limit: Duration) -> Output {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.unwrap();
    let group = format!("-{}", child.id());
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    match receiver.recv_timeout(limit) {
        Ok(output) => output.unwrap(),
        Err(_) => {
            drop(Command::new("kill").args(["-9", "--", &group]).status());
            panic!("{command:?} hangs");
        }
    }
}

const MANIFEST: &str = r#"[package]
name = "NAME"
version = "0.0.0"
edition = "2024"

[dependencies]
jetbase = { path = "facade" }

[workspace]
"#;

pub(crate) const MAIN: &str = r#"jetbase::embed!();

fn main() {
    for migration in migrations::MIGRATIONS.iter() {
        println!("{} {:?}", migration.path(), migration.sql());
    }
}
"#;

const FACADE_MANIFEST: &str = r#"[package]
name = "jetbase"
version = "0.0.0"
edition = "2024"

[dependencies]
jetbase-core = { path = "CRATES/jetbase-core" }
jetbase-macros = { path = "CRATES/jetbase-macros" }
"#;

/// The items of the facade that the expansion uses, without databases.
const FACADE: &str = r#"
use std::marker::PhantomData;
use std::path::Path;
pub use jetbase_core::{Dialect, Migrations, Reading, Version};

pub mod __private {
    pub use jetbase_core::{Options, Table};
    pub use jetbase_macros::__embed;
    pub fn compare_with_folder(set: &super::Migrations) -> Result<(), String> {
        let Some(folder) = set.options().folder else { return Ok(()) };
        let differences = set.differences(&jetbase_core::Folder::read(super::Path::new(folder)));
        if differences.is_empty() { Ok(()) } else { Err(differences.to_string()) }
    }
}

#[macro_export]
macro_rules! embed {
    ($($tokens:tt)*) => { $crate::__private::__embed! { [$crate] $($tokens)* } };
}

#[macro_export]
macro_rules! __cli {
    () => {};
}

pub trait Target<'t> {}
pub trait IntoVersion {
    fn into_version(self) -> Version;
}
pub struct Query<'t, T>(PhantomData<(&'t (), T)>);
pub struct Run<'t>(PhantomData<&'t ()>);
pub struct Rollback<'t>(PhantomData<&'t ()>);
pub struct Redo<'t>(PhantomData<&'t ()>);
pub struct Reapply<'t>(PhantomData<&'t ()>);
pub struct Unlock<'t>(PhantomData<&'t ()>);
pub struct Doctor<'t>(PhantomData<&'t ()>);
pub struct Repair<'t>(PhantomData<&'t ()>);
pub struct Baseline<'t>(PhantomData<&'t ()>);
pub struct DetectedBaseline;
pub struct Status;
pub struct History;
pub struct Validated;
pub struct Readiness;
pub struct LockStatus;
pub struct UnfinishedFiles;

macro_rules! functions {
    ($($name:ident $result:ty),*) => {
        $(pub fn $name<'t>(_: &'static Migrations, _: impl Target<'t> + 't) -> $result { todo!() })*
    };
}
functions!(
    run Run<'t>, rollback Rollback<'t>, redo Redo<'t>, unlock Unlock<'t>, repair Repair<'t>, detect_baseline Query<'t, DetectedBaseline>,
    status Query<'t, Status>, history Query<'t, History>,
    current Query<'t, Option<Version>>, validate Query<'t, Validated>, check Query<'t, Readiness>,
    doctor Doctor<'t>,
    lock_status Query<'t, LockStatus>, journal Query<'t, UnfinishedFiles>
);
pub fn run_url(_: &'static Migrations, _: &str) -> Run<'static> { todo!() }
pub fn baseline<'t>(_: &'static Migrations, _: impl Target<'t> + 't, _: impl IntoVersion) -> Baseline<'t> { todo!() }
pub fn reapply<'t>(_: &'static Migrations, _: impl Target<'t> + 't, _: &str) -> Reapply<'t> { todo!() }
"#;
