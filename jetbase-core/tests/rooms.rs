//! The rooms of the source tree: which module may import which.
//!
//! Each folder of `src/` is a room. A room imports only the rooms that stand
//! in front of it, and the modules of a room import each other without circles.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The rooms, and the rooms that each of them may import.
const ROOMS: [(&str, &[&str]); 6] = [
    ("file", &[]),
    ("sql", &[]),
    ("check", &["file", "sql"]),
    ("set", &["file", "sql", "check"]),
    ("plan", &["file", "sql", "check", "set"]),
    ("adopt", &["file", "sql", "check", "set"]),
];

/// The text of each module by its path, such as `sql::token::quote`; the path of `lib.rs` is empty.
type Modules = BTreeMap<String, String>;

#[test]
fn no_room_imports_a_later_room() {
    assert_eq!(forbidden_imports(&source_tree()), Vec::<String>::new());
}

#[test]
fn no_room_has_a_circle_of_imports() {
    assert_eq!(modules_in_circles(&source_tree()), BTreeSet::new());
}

#[test]
fn the_source_tree_has_no_other_rooms() {
    let modules = source_tree();
    let found: BTreeSet<_> = modules.keys().map(|module| room(module)).collect();
    let known = ROOMS.iter().map(|(room, _)| *room).chain([""]);
    assert_eq!(found, known.collect());
}

#[test]
fn the_root_of_a_room_only_re_exports() {
    let modules = source_tree();
    for (room, _) in ROOMS {
        for line in modules[room].lines() {
            let item = line.trim_start_matches("pub(crate) ").trim_start_matches("pub ");
            let is_code = ["fn ", "struct ", "enum ", "impl", "const ", "static ", "macro_rules!"]
                .iter()
                .any(|keyword| item.starts_with(keyword));
            assert!(!is_code && !line.starts_with("use "), "{room}/mod.rs: {line}");
        }
    }
}

#[test]
fn an_import_of_a_later_room_is_found() {
    for (module, text, forbidden) in [
        ("file::name", "use crate::set::Folder;", "file::name imports crate::set::Folder"),
        ("file::name", "use crate::sql::Dialect;", "file::name imports crate::sql::Dialect"),
        (
            "sql::token::quote",
            "let a = super::super::super::plan::plan();",
            "sql::token::quote imports crate::plan::plan",
        ),
        (
            "check::lint",
            "use crate::{\n    file::MigrationKind,\n    set::{Folder},\n};",
            "check::lint imports crate::set::Folder",
        ),
        (
            "check::lint",
            "#[cfg(test)]\nmod tests {\n    use crate::set::Folder;\n}",
            "check::lint imports crate::set::Folder",
        ),
        ("plan::policy", "use crate::Version;", "plan::policy imports crate::Version"),
        ("plan::policy", "use super::Plan;", "plan::policy imports crate::plan::Plan"),
    ] {
        assert_eq!(forbidden_imports(&sample(&[(module, text)])), [forbidden], "{text}");
    }
    for (module, text) in [
        ("plan::policy", "use crate::set::Migration;"),
        ("check::lint", "// crate::set is a later room\nuse crate::file::MigrationKind;"),
        ("sql::token", "#[cfg(test)]\nmod tests {\n    use super::*;\n}"),
        ("sql::token::quote", "use super::Token;"),
    ] {
        assert_eq!(forbidden_imports(&sample(&[(module, text)])), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn a_circle_of_imports_is_found() {
    let circle = sample(&[
        ("sql::token", "use self::quote::end;"),
        ("sql::token::quote", "use super::Token;"),
        ("sql::effect", "use crate::sql::token::Token;"),
    ]);
    let found = BTreeSet::from(["sql::token".to_owned(), "sql::token::quote".to_owned()]);
    assert_eq!(modules_in_circles(&circle), found);
    let line = sample(&[
        (
            "sql::token",
            "use crate::sql::bytes::run;\n#[cfg(test)]\nmod tests {\n    use super::*;\n}",
        ),
        ("sql::effect", "use crate::sql::token::Token;"),
    ]);
    assert_eq!(modules_in_circles(&line), BTreeSet::new());
}

fn source_tree() -> Modules {
    let mut modules = Modules::new();
    read_folder(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut modules);
    modules
}

fn read_folder(folder: &Path, module: &str, modules: &mut Modules) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let inner = if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") };
        if path.is_dir() {
            read_folder(&path, &inner, modules);
        } else {
            let own = if matches!(name, "mod" | "lib") { module.to_owned() } else { inner };
            modules.insert(own, fs::read_to_string(&path).unwrap());
        }
    }
}

/// A source tree with the five rooms and these modules in them.
fn sample(texts: &[(&str, &str)]) -> Modules {
    let rooms = ROOMS.iter().map(|(room, _)| *room).chain(["sql::token"]);
    let mut modules: Modules = rooms.map(|module| (module.to_owned(), String::new())).collect();
    modules.extend(texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())));
    modules
}

fn room(module: &str) -> &str {
    module.split("::").next().unwrap()
}

fn forbidden_imports(modules: &Modules) -> Vec<String> {
    let mut forbidden = Vec::new();
    for (module, text) in modules {
        // `lib.rs` and the roots of the rooms re-export what is in them.
        let Some((own, _)) = module.split_once("::") else { continue };
        let allowed = ROOMS.iter().find(|(room, _)| *room == own).unwrap().1;
        for path in imports(module, text) {
            // Inside its own room, a module names the module that it imports from.
            let is_own = room(&path) == own && imported_module(&path, modules) != own;
            if !is_own && !allowed.contains(&room(&path)) {
                forbidden.push(format!("{module} imports crate::{path}"));
            }
        }
    }
    forbidden
}

fn modules_in_circles(modules: &Modules) -> BTreeSet<String> {
    let mut imported: BTreeMap<String, BTreeSet<String>> = modules
        .iter()
        .filter(|(module, _)| module.contains("::"))
        .map(|(module, text)| {
            let paths = imports(module, text);
            let targets = paths.iter().map(|path| imported_module(path, modules));
            (module.clone(), targets.filter(|target| target != module).collect())
        })
        .collect();
    // A module that imports none of the others is in no circle; one that is imported by none, neither.
    loop {
        let names: BTreeSet<_> = imported.keys().cloned().collect();
        let targets: BTreeSet<_> = imported.values().flatten().cloned().collect();
        imported.retain(|module, imports| {
            targets.contains(module) && imports.iter().any(|target| names.contains(target))
        });
        if imported.len() == names.len() {
            return names;
        }
    }
}

/// The module that holds the item with this path: the longest start of the path that is a module.
fn imported_module(path: &str, modules: &Modules) -> String {
    let mut module = path;
    while !modules.contains_key(module) {
        module = module.rsplit_once("::").map_or("", |(outer, _)| outer);
        if module.is_empty() {
            break;
        }
    }
    module.to_owned()
}

/// The paths that a module names, from the root of the crate.
fn imports(module: &str, text: &str) -> Vec<String> {
    let is_comment = |line: &&str| line.trim_start().starts_with("//");
    let code: String =
        text.lines().filter(|line| !is_comment(line)).map(|it| format!("{it}\n")).collect();
    // `super` means the file itself in the module that stands at the end of the file.
    let (own, tests) = code.split_once("mod tests {").unwrap_or((&code, ""));
    let mut paths = named_paths(module, own);
    paths.append(&mut named_paths(&format!("{module}::tests"), tests));
    paths
}

fn named_paths(module: &str, code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in code.match_indices(start) {
            let is_inside = code[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c));
            if !is_inside {
                read_path(&code[at..], "", &mut paths);
            }
        }
    }
    paths.iter().map(|path| absolute(module, path)).collect()
}

/// Reads a path or a tree of paths, and returns the text after it.
fn read_path<'t>(text: &'t str, before: &str, paths: &mut Vec<String>) -> &'t str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        while !rest.trim_start().starts_with('}') {
            rest = read_path(rest, before, paths).trim_start().trim_start_matches(',');
        }
        return rest.trim_start().trim_start_matches('}');
    }
    let length = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (name, rest) = if text.starts_with('*') { text.split_at(1) } else { text.split_at(length) };
    let path = if before.is_empty() { name.to_owned() } else { format!("{before}::{name}") };
    match rest.strip_prefix("::") {
        Some(inner) => read_path(inner, &path, paths),
        None => {
            paths.push(path);
            let renamed = rest.strip_prefix(" as ").unwrap_or(rest);
            match renamed.len() == rest.len() {
                true => rest,
                false => renamed.trim_start_matches(|c: char| c.is_alphanumeric() || c == '_'),
            }
        }
    }
}

/// The path from the root of the crate, without `crate::`.
fn absolute(module: &str, path: &str) -> String {
    let mut outer: Vec<_> = module.split("::").collect();
    let mut inner = Vec::new();
    for segment in path.split("::") {
        match segment {
            "crate" => outer.clear(),
            "super" => drop(outer.pop()),
            "self" => {}
            segment => inner.push(segment),
        }
    }
    outer.append(&mut inner);
    outer.join("::")
}
