//! Checks a folder and its list of recorded migrations as a whole.

use std::path::{Path, PathBuf};

use crate::check::{FileCheck, Finding, NEAR_MARKER, Severity};
use crate::file::{MigrationKind, Script, Section};
use crate::set::folder::{Folder, SourceFile};
use crate::set::sum::{Manifest, SumFile};
use crate::sql::{Dialect, Syntax};

/// The requirements of one set, in addition to those of every set.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// The only dialect that the set is written for.
    pub dialect: Option<Dialect>,
    /// Every version must have a rollback section.
    pub require_rollback: bool,
    /// The Python tool must run every file in the same way.
    pub python_compatible: bool,
    /// What is required of the list of recorded migrations.
    pub manifest: Manifest,
}

/// A folder, and the result of all checks that need no database.
#[derive(Debug)]
pub struct FolderCheck {
    /// The readable migrations, in running order.
    pub files: Vec<SourceFile>,
    /// Errors, then warnings, sorted by file and position.
    pub findings: Vec<Finding>,
    /// The path of the list of recorded migrations, if there is a list.
    pub list: Option<PathBuf>,
    /// The number of versioned files that are not in the list. Zero if there is no list.
    pub unrecorded: usize,
}

impl FolderCheck {
    /// Returns whether a finding is an error. Then the files must not be used.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// Reads a folder and its list of recorded migrations, and makes all checks that need no database.
///
/// # Examples
///
/// ```
/// use std::path::Path;
///
/// use jetbase_core::{Dialect, Rules, check_folder};
///
/// let rules = Rules { dialect: Some(Dialect::Sqlite), ..Rules::default() };
/// let check = check_folder(Path::new("../migrations"), &rules);
/// for finding in &check.findings {
///     println!("{}: {}", finding.severity, finding.render("migrations"));
/// }
/// assert!(!check.has_errors());
/// ```
#[must_use]
pub fn check_folder(root: &Path, rules: &Rules) -> FolderCheck {
    let mut folder = Folder::read(root);
    let missing = folder.findings.iter().any(|finding| finding.rule == "missing-folder");
    let (list, mut findings) = match SumFile::read(root) {
        Ok(list) => (list, Vec::new()),
        Err(finding) => (None, vec![*finding]),
    };
    match &list {
        _ if missing => {}
        Some(list) => findings.append(&mut list.verify_in(&folder, rules.dialect)),
        None if findings.is_empty() && rules.manifest != Manifest::Optional => {
            findings.push(no_list(root))
        }
        None => {}
    }
    if let Some(list) = &list {
        list.mark(&mut folder.files);
    }
    let mut unrecorded = 0;
    for file in &folder.files {
        let new = list.is_some() && file.name.version.is_some() && !file.recorded;
        unrecorded += usize::from(new);
        if new && rules.manifest == Manifest::Strict {
            findings.push(not_recorded(file));
        }
        let lint =
            Some(file.name.kind).filter(|kind| kind.is_repeatable() || new || list.is_none());
        rules.apply(file, lint, &mut findings);
    }
    if rules.python_compatible {
        findings.extend(folder.foreign.iter().map(|file| foreign_file(file)));
    }
    findings.append(&mut folder.findings);
    findings
        .sort_by(|a, b| (a.severity, &a.file, a.position).cmp(&(b.severity, &b.file, b.position)));
    FolderCheck {
        files: folder.files,
        findings,
        list: list.map(|_| SumFile::path(root)),
        unrecorded,
    }
}

impl Rules {
    fn apply(&self, file: &SourceFile, lint: Option<MigrationKind>, findings: &mut Vec<Finding>) {
        let known = self.dialect.map(Syntax::of);
        let all = Dialect::ALL.map(Syntax::of);
        let syntaxes = known.as_ref().map_or(all.as_slice(), std::slice::from_ref);
        let script = Script::read(&file.text);
        let check = FileCheck::new(&file.path, &script, syntaxes);
        let mistakes = check.mistakes(lint).into_iter();
        findings.extend(mistakes.map(|finding| match finding.rule {
            NEAR_MARKER if file.recorded => recorded_near_marker(finding),
            _ => finding,
        }));
        if self.python_compatible {
            findings.append(&mut check.python_differences());
        }
        if self.require_rollback {
            findings.extend(without_rollback(file, &script));
        }
    }
}

/// The warning about a comment like the rollback marker in a file that must not change any more.
fn recorded_near_marker(finding: Finding) -> Finding {
    finding.warning().help(format!(
        "the statements below this line run in the upgrade, and the file is recorded: correct it with a new migration; \
         to silence this warning, write `-- jetbase: allow={NEAR_MARKER}` in the file, and run `jetbase sum --accept` \
         with its version"
    ))
}

fn without_rollback(file: &SourceFile, script: &Script<'_>) -> Option<Finding> {
    let version = file.name.version.as_ref()?;
    let missing = script.range(Section::Rollback).is_none();
    missing.then(|| {
        Finding::error(
            "no-rollback",
            &file.path,
            format!("version {version} has no rollback section"),
        )
        .help(
            "write the line `-- rollback`, and after it the statements that undo the file; the line alone means that there is nothing to undo",
        )
    })
}

fn no_list(root: &Path) -> Finding {
    let name = SumFile::path(root)
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    Finding::error("missing-list", format!("../{name}"), "there is no list of recorded migrations")
        .help("run `jetbase sum`, and commit the file that it writes")
}

fn not_recorded(file: &SourceFile) -> Finding {
    Finding::error("unrecorded", &file.path, format!("{} is not recorded", file.file()))
        .help("run `jetbase sum`, or remove `manifest = strict` while the file may still change")
}

fn foreign_file(path: &str) -> Finding {
    Finding::error(
        "python-foreign-file",
        path,
        "the Python tool crashes on a file that is not a migration",
    )
    .help("move it out of the folder")
}
