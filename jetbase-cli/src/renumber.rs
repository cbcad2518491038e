//! `renumber`: gives new versions to files of a branch that was merged too late.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use jetbase_core::{Folder, SourceFile, SumFile, Version};

use super::answer::{Answer, Code, Object};
use super::context::folder;
use super::failure::Failure;
use super::files::above;
use super::options::Renumber;

pub(crate) fn renumber(named: Option<&Path>, wanted: &Renumber) -> Result<Answer, Failure> {
    let root = folder(named);
    let shown = root.display().to_string();
    let read = Folder::read(&root);
    let broken: Vec<_> =
        read.findings.into_iter().filter(|it| it.rule != "duplicate-version").collect();
    if !broken.is_empty() {
        return Err(Failure::folder(&broken, &shown, Code::Failed));
    }
    let list = SumFile::read(&root)
        .map_err(|finding| Failure::folder(&[*finding], &shown, Code::Drift))?
        .unwrap_or_else(|| SumFile::new(&root));
    let moves = moves(&read.files, &list)?;
    if !wanted.dry_run {
        for it in &moves {
            it.perform(&root)?;
        }
    }
    let verb = if wanted.dry_run { "Would rename" } else { "Renamed" };
    let lines: Vec<_> = moves.iter().map(|it| format!("{verb} {} to {}", it.from, it.to)).collect();
    let renamed = moves
        .iter()
        .map(|it| Object::default().field("from", it.from.as_str()).field("to", it.to.as_str()));
    let fields = Object::default().list("renamed", renamed);
    Ok(match moves.is_empty() {
        true => Answer::new("Nothing to renumber: no new file sorts too low.", fields),
        false => Answer::new(lines.join("\n"), fields)
            .note("A database of your own that has the old version: roll it back there first."),
    })
}

/// A file and its new name, both with their folders.
#[derive(Debug, PartialEq, Eq)]
struct Move {
    from: String,
    to: String,
}

impl Move {
    fn perform(&self, root: &Path) -> Result<(), Failure> {
        let (from, to) = (root.join(&self.from), root.join(&self.to));
        if to.exists() {
            let text = format!("{} is there already, and is left as it is.", to.display());
            return Err(Failure::new("io", text, Code::Failed));
        }
        fs::rename(&from, &to)
            .map_err(|error| Failure::io(format!("{} cannot be renamed", from.display()), &error))
    }
}

/// Returns new names for files whose version is too low or not unique. The recorded file of a
/// version keeps its name; without one, the first file by path does.
fn moves(files: &[SourceFile], list: &SumFile) -> Result<Vec<Move>, Failure> {
    let new: Vec<&str> = list.unrecorded(files).map(|file| file.path.as_str()).collect();
    let is_new = |file: &SourceFile| new.contains(&file.path.as_str());
    let recorded = list.entries().iter().map(|entry| &entry.version);
    let highest_recorded = recorded.clone().max();
    let mut owners: HashMap<&Version, &str> = HashMap::new();
    let versioned = || files.iter().filter_map(|it| Some((it, it.name.version.as_ref()?)));
    for (file, version) in versioned().filter(|(file, _)| !is_new(file)).chain(versioned()) {
        owners.entry(version).or_insert(&file.path);
    }
    let mut highest = recorded.chain(versioned().map(|(_, version)| version)).max().cloned();
    let mut moves = Vec::new();
    for (file, version) in versioned().filter(|(file, _)| is_new(file)) {
        let low = highest_recorded.is_some_and(|recorded| version <= recorded);
        let taken = owners.get(version).is_some_and(|owner| *owner != file.path);
        if !low && !taken {
            continue;
        }
        let next = highest.as_ref().map_or_else(|| "1".to_owned(), above);
        let stem = file.file().split_once("__").map_or(file.file(), |(_, rest)| rest);
        let folder = file.path.strip_suffix(file.file()).unwrap_or_default();
        moves.push(Move { from: file.path.clone(), to: format!("{folder}V{next}__{stem}") });
        highest = Version::parse(&next).ok();
    }
    Ok(moves)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> Vec<SourceFile> {
        let folder = std::env::temp_dir().join(format!(
            "jetbase-renumber-{}-{}",
            std::process::id(),
            names.join("-").len()
        ));
        fs::create_dir_all(&folder).unwrap();
        for name in names {
            fs::write(folder.join(name), format!("SELECT '{name}';\n")).unwrap();
        }
        let files = Folder::read(&folder).files;
        fs::remove_dir_all(&folder).unwrap();
        files
    }

    fn renamed(files: &[SourceFile], recorded: &[&str]) -> Vec<(String, String)> {
        let of_list = Folder {
            files: files.iter().filter(|it| recorded.contains(&it.file())).cloned().collect(),
            ..Folder::default()
        };
        let list = SumFile::new(Path::new("m"));
        let list = list.record(&of_list, &[], jetbase_core::OutOfOrder::Refuse).unwrap();
        let moves = moves(files, &list).unwrap();
        moves.into_iter().map(|it| (it.from, it.to)).collect()
    }

    #[test]
    fn new_files_below_recorded_ones_go_above_all() {
        let files = set(&["V1__a.sql", "V2__mine.sql", "V3__theirs.sql", "V4__also_mine.sql"]);
        let moves = renamed(&files, &["V1__a.sql", "V3__theirs.sql"]);
        assert_eq!(moves, [("V2__mine.sql".to_owned(), "V5__mine.sql".to_owned())]);
    }

    #[test]
    fn of_two_with_one_version_the_recorded_one_stays() {
        let files = set(&["V1__a.sql", "V2__a_mine.sql", "V2_0__theirs.sql"]);
        let moves = renamed(&files, &["V1__a.sql", "V2_0__theirs.sql"]);
        assert_eq!(moves, [("V2__a_mine.sql".to_owned(), "V3__a_mine.sql".to_owned())]);
        let moves = renamed(&files, &[]);
        assert_eq!(moves.len(), 1);
    }

    #[test]
    fn work_in_progress_on_top_stays() {
        let files = set(&["V1__a.sql", "V2__b.sql"]);
        assert!(renamed(&files, &["V1__a.sql"]).is_empty());
    }
}
