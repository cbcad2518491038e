//! The list of recorded migrations.

use std::path::Path;

use jetbase_core::{Folder, Name, OutOfOrder, Script, SourceFile, SumFile};

pub(crate) fn list(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    match SumFile::parse("migrations.sum", &text) {
        Ok(list) => written_and_read(&list),
        Err(finding) => assert!(!finding.render("migrations").is_empty()),
    }
    recorded(&text);
}

fn written_and_read(list: &SumFile) {
    let text = list.to_string();
    let again = SumFile::parse("migrations.sum", &text).expect("what is written can be read");
    // A comment is not written again, so the lines after it move.
    let without_lines = |list: &SumFile| {
        let mut entries = list.entries().to_vec();
        entries.iter_mut().for_each(|entry| entry.line = 0);
        entries
    };
    assert_eq!(without_lines(&again), without_lines(list), "{text:?}");
    assert_eq!(again.to_string(), text);
}

/// Records files with these texts, then changes one of them.
fn recorded(text: &str) {
    let mut texts = text.split('\0');
    let changed = texts.next().unwrap_or_default();
    let mut folder = Folder::default();
    folder.files.extend(texts.take(8).enumerate().map(|(index, text)| file(index + 1, text)));
    let list = SumFile::new(Path::new("migrations"));
    let list = list.record(&folder, &[], OutOfOrder::Refuse).expect("all files are new");
    written_and_read(&list);
    assert_eq!(list.verify(&folder), []);
    assert_eq!(folder.renumber(Some(&list)), []);

    let Some(first) = folder.files.first_mut() else { return };
    let same = Script::read(&first.text).text() == Script::read(changed).text();
    *first = file(1, changed);
    let found = list.verify(&folder);
    assert_eq!(found.is_empty(), same, "{text:?}: {found:?}");
    for version in 2..=9 {
        if let Some(first) = folder.files.first_mut() {
            *first = file(version * 10, changed);
            let found = list.verify(&folder);
            assert!(!found.is_empty());
            assert!(found.iter().all(|it| !it.render("migrations").is_empty()));
        }
    }
}

fn file(version: usize, text: &str) -> SourceFile {
    let path = format!("V{version}__a.sql");
    let name = Name::parse(&path).expect("the name is valid");
    let checksum = Script::read(text).checksum();
    SourceFile { path, name, text: text.to_owned(), checksum, recorded: false, change: None }
}
