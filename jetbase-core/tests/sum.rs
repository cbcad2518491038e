//! The list of recorded migrations: written, kept, merged.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;
use std::process::Command;

use jetbase_core::{
    Adopted, Finding, Folder, OutOfOrder, Rename, Rules, SumFile, Version, check_folder,
};

struct Set {
    dir: tempfile::TempDir,
}

impl Set {
    /// A folder `migrations` with these files.
    fn new(files: &[(&str, &str)]) -> Self {
        let set = Set { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(set.folder()).unwrap();
        for (name, text) in files {
            set.write(name, text);
        }
        set
    }

    fn folder(&self) -> std::path::PathBuf {
        self.dir.path().join("migrations")
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder().join(name), text).unwrap();
    }

    fn delete(&self, name: &str) {
        fs::remove_file(self.folder().join(name)).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        fs::rename(self.folder().join(from), self.folder().join(to)).unwrap();
    }

    fn list(&self) -> SumFile {
        SumFile::read(&self.folder()).unwrap().unwrap_or_else(|| SumFile::new(&self.folder()))
    }

    fn try_record(&self, accept: &[&str], late: OutOfOrder) -> Result<(), Vec<Finding>> {
        let accept: Vec<_> =
            accept.iter().map(|version| Version::parse(version).unwrap()).collect();
        self.list()
            .record(&Folder::read(&self.folder()), &accept, late)?
            .write(&self.folder())
            .unwrap();
        Ok(())
    }

    fn record(&self) {
        self.try_record(&[], OutOfOrder::Refuse).unwrap();
    }

    fn text(&self) -> String {
        fs::read_to_string(SumFile::path(&self.folder())).unwrap()
    }

    /// The rules of what a build finds.
    fn found(&self) -> Vec<&'static str> {
        check_folder(&self.folder(), &Rules::default())
            .findings
            .iter()
            .map(|finding| finding.rule)
            .collect()
    }

    fn renames(&self) -> Vec<(String, String)> {
        let renames = Folder::read(&self.folder()).renumber(Some(&self.list()));
        renames.into_iter().map(|Rename { from, to }| (from, to)).collect()
    }

    /// Runs git in the directory; whether it succeeded.
    fn git(&self, arguments: &[&str]) -> bool {
        let settings = [
            "-c",
            "user.name=test",
            "-c",
            "user.email=test@example.org",
            "-c",
            "commit.gpgsign=false",
        ];
        let git = Command::new("git")
            .args(settings)
            .args(arguments)
            .current_dir(self.dir.path())
            .output()
            .unwrap();
        git.status.success()
    }

    fn commit(&self) {
        assert!(self.git(&["add", "-A"]) && self.git(&["commit", "-q", "-m", "x"]));
    }
}

fn rules(result: Result<(), Vec<Finding>>) -> Vec<&'static str> {
    result.err().unwrap_or_default().iter().map(|finding| finding.rule).collect()
}

const A: (&str, &str) = ("V1__a.sql", "SELECT 1;\n");
const B: (&str, &str) = ("V2__b.sql", "SELECT 2;\n");

#[test]
fn the_list_stands_beside_the_folder() {
    for (folder, list) in
        [("migrations", "migrations.sum"), ("db/m/", "db/m.sum"), ("db.v2", "db.v2.sum")]
    {
        assert_eq!(SumFile::path(Path::new(folder)), Path::new(list));
    }
    let set = Set::new(&[]);
    assert!(SumFile::path(&set.folder().join("..")).to_string_lossy().ends_with(".sum"));
}

#[test]
fn what_is_written_is_read_again() {
    let set = Set::new(&[
        A,
        B,
        ("ROC__view.sql", "SELECT 1;\n"),
        ("V10__with a blank.sql", "SELECT 10;\n"),
    ]);
    assert_eq!(SumFile::read(&set.folder()), Ok(None));
    set.record();
    let list = set.list();
    let files: Vec<_> = list.entries().iter().map(|entry| entry.file.as_str()).collect();
    assert_eq!(files, ["V1__a.sql", "V2__b.sql", "V10__with a blank.sql"]);
    assert_eq!(list.to_string(), set.text());
    assert_eq!(set.found(), [""; 0]);
    let text = set.text().replace('\n', "\r\n");
    assert_eq!(SumFile::parse("migrations.sum", &text).unwrap().to_string(), set.text());
}

#[test]
fn an_empty_folder_has_a_list_too() {
    let set = Set::new(&[]);
    set.record();
    assert_eq!(set.text(), "jetbase.sum v1\n# end 0 -\n");
    assert_eq!(set.found(), [""; 0]);
}

#[test]
fn recording_again_changes_nothing_and_appends_only() {
    let set = Set::new(&[A]);
    set.record();
    let before = set.text();
    set.record();
    assert_eq!(set.text(), before);
    set.write(B.0, B.1);
    set.record();
    assert!(set.text().starts_with(before.split("# end").next().unwrap()));
}

#[test]
fn changes_are_refused_until_each_is_accepted() {
    let set = Set::new(&[A, B, ("V3__c.sql", "SELECT 3;\n"), ("V4__d.sql", "SELECT 4;\n")]);
    set.record();
    set.write("V1__a.sql", "SELECT 'edited';\n");
    set.rename("V2__b.sql", "V2__better.sql");
    set.delete("V3__c.sql");
    set.delete("V4__d.sql");
    set.write("V4__other.sql", "SELECT 'other';\n");
    let all = ["changed", "renamed", "deleted", "replaced"];
    assert_eq!(rules(set.try_record(&[], OutOfOrder::Refuse)), all);
    assert_eq!(
        rules(set.try_record(&["1"], OutOfOrder::Refuse)),
        ["renamed", "deleted", "replaced"]
    );
    assert_eq!(rules(set.try_record(&["1", "2", "3", "4", "5"], OutOfOrder::Refuse)), ["accept"]);
    set.try_record(&["1", "2", "3", "4"], OutOfOrder::Refuse).unwrap();
    assert_eq!(set.found(), [""; 0]);
    let files: Vec<_> = set.list().entries().iter().map(|entry| entry.file.clone()).collect();
    assert_eq!(files, ["V1__a.sql", "V2__better.sql", "V4__other.sql"]);
}

#[test]
fn a_late_file_is_recorded_on_purpose_only() {
    let set = Set::new(&[B]);
    set.record();
    set.write(A.0, A.1);
    assert_eq!(set.found(), ["out-of-order"]);
    assert_eq!(rules(set.try_record(&[], OutOfOrder::Refuse)), ["out-of-order"]);
    set.try_record(&[], OutOfOrder::Record).unwrap();
    assert_eq!(set.found(), [""; 0]);
    let adopted: Vec<_> = set.list().entries().iter().map(|entry| entry.adopted).collect();
    assert_eq!(adopted, [Adopted::InOrder, Adopted::OutOfOrder]);
    set.record();
}

#[test]
fn late_and_double_versions_get_new_numbers() {
    let set = Set::new(&[A, ("V2.9__b.sql", "SELECT 2;\n")]);
    set.record();
    set.write("V2__late.sql", "SELECT 3;\n");
    set.write("V2.9__same.sql", "SELECT 4;\n");
    set.write("V2.10__new.sql", "SELECT 5;\n");
    let renames = set.renames();
    assert_eq!(
        renames,
        [
            ("V2__late.sql".to_owned(), "V2.11__late.sql".to_owned()),
            ("V2.9__same.sql".to_owned(), "V2.12__same.sql".to_owned()),
        ]
    );
    for (from, to) in renames {
        set.rename(&from, &to);
    }
    assert_eq!(set.found(), [""; 0]);
    set.record();
}

/// Two branches of a repository with V1 recorded; each adds a file and records it.
fn branches(ours: (&str, &str), theirs: (&str, &str)) -> Set {
    let set = Set::new(&[A]);
    set.record();
    assert!(set.git(&["init", "-q", "-b", "main"]));
    set.commit();
    assert!(set.git(&["checkout", "-q", "-b", "branch"]));
    set.write(theirs.0, theirs.1);
    set.record();
    set.commit();
    assert!(set.git(&["checkout", "-q", "main"]));
    set.write(ours.0, ours.1);
    set.record();
    set.commit();
    set
}

fn keep_both(set: &Set) {
    let marks = ["<<<<<<<", "=======", ">>>>>>>"];
    let kept: Vec<_> = set
        .text()
        .lines()
        .filter(|line| !marks.iter().any(|mark| line.starts_with(mark)))
        .map(str::to_owned)
        .collect();
    fs::write(SumFile::path(&set.folder()), kept.join("\n") + "\n").unwrap();
}

#[test]
fn two_branches_that_both_recorded_conflict_and_are_mended() {
    let set = branches(B, ("V3__c.sql", "SELECT 3;\n"));
    assert!(!set.git(&["merge", "-q", "branch"]), "git must see a conflict");
    assert_eq!(set.found(), ["conflict"]);
    assert_eq!(set.text().matches("V1__a.sql").count(), 1, "the conflict holds the new lines only");
    keep_both(&set);
    assert_eq!(set.found(), ["list"]);
    set.record();
    assert_eq!(set.found(), [""; 0]);
}

#[test]
fn a_branch_that_lost_the_race_is_renumbered() {
    let set = branches(("V3__c.sql", "SELECT 3;\n"), B);
    assert!(!set.git(&["merge", "-q", "branch"]));
    keep_both(&set);
    assert_eq!(rules(set.try_record(&[], OutOfOrder::Refuse)), ["out-of-order"]);
    let without: Vec<_> =
        set.text().lines().filter(|line| !line.starts_with("V2__b")).map(str::to_owned).collect();
    fs::write(SumFile::path(&set.folder()), without.join("\n") + "\n").unwrap();
    assert_eq!(set.renames(), [("V2__b.sql".to_owned(), "V4__b.sql".to_owned())]);
    set.rename("V2__b.sql", "V4__b.sql");
    set.record();
    assert_eq!(set.found(), [""; 0]);
}

#[test]
fn two_branches_with_one_version_are_told_apart() {
    let set = branches(("V2__ours.sql", "SELECT 1;\n"), ("V2__theirs.sql", "SELECT 2;\n"));
    assert!(!set.git(&["merge", "-q", "branch"]));
    assert_eq!(set.found(), ["conflict", "duplicate-version"]);
    keep_both(&set);
    assert_eq!(set.found(), ["list", "duplicate-version"]);
}
