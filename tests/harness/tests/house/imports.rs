//! Which top-level module of a crate imports which.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::source::RustFile;

/// The modules that each top-level module of a crate imports.
pub(crate) type ImportGraph = BTreeMap<String, BTreeSet<String>>;

/// Returns the import graph of a crate. The root of the crate is not part of it: an import of an
/// item that the root re-exports is an import of the module that declares it.
pub(crate) fn import_graph(name: &str, files: &[RustFile]) -> ImportGraph {
    let prefix = format!("{name}/src/");
    let modules: Vec<_> = files
        .iter()
        .filter_map(|file| Some((module_path(file.path.strip_prefix(&prefix)?), file)))
        .collect();
    let top: BTreeSet<_> = modules.iter().filter_map(|(path, _)| path.first().cloned()).collect();
    let mut exported = BTreeMap::new();
    for (_, root) in modules.iter().filter(|(path, _)| path.is_empty()) {
        for path in paths(&root.tokens, &[]) {
            if let [module, .., item] = path.as_slice() {
                exported.insert(item.clone(), module.clone());
            }
        }
    }
    let mut graph = ImportGraph::new();
    for (path, file) in &modules {
        let Some(own) = path.first() else { continue };
        let imports = graph.entry(own.clone()).or_default();
        for path in paths(&file.tokens, path) {
            let Some(first) = path.first() else { continue };
            let target = if top.contains(first) { Some(first) } else { exported.get(first) };
            imports.extend(target.filter(|target| *target != own).cloned());
        }
    }
    graph
}

/// Returns the modules that import themselves through other modules.
pub(crate) fn modules_in_circles(graph: &ImportGraph) -> BTreeSet<String> {
    let reaches_itself = |module: &String| {
        let mut reached = BTreeSet::new();
        let mut next = vec![module];
        while let Some(at) = next.pop() {
            for import in graph.get(at).into_iter().flatten() {
                if reached.insert(import) {
                    next.push(import);
                }
            }
        }
        reached.contains(module)
    };
    graph.keys().filter(|module| reaches_itself(module)).cloned().collect()
}

/// Returns the path of a module from the path of its file in `src`; that of `lib.rs` is empty.
fn module_path(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs");
    let path = path.trim_end_matches("/mod");
    path.split('/').filter(|name| !matches!(*name, "lib" | "main")).map(str::to_owned).collect()
}

/// Returns the paths that a module names, from the root of the crate.
fn paths(tokens: &TokenStream, module: &[String]) -> Vec<Vec<String>> {
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let word = token.to_string();
        match token {
            TokenTree::Group(group) => {
                let inner =
                    match (at.checked_sub(2).map(|at| tokens[at].to_string()), &tokens[..at]) {
                        (Some(keyword), [.., name]) if keyword == "mod" => {
                            [module, &[name.to_string()]].concat()
                        }
                        _ => module.to_vec(),
                    };
                found.append(&mut paths(&group.stream(), &inner));
            }
            // A path in the root of the crate also starts with the name of a module.
            TokenTree::Ident(_) if module.is_empty() && word == "use" => {
                read_path(&tokens[at + 1..], &mut Vec::new(), &mut found);
            }
            TokenTree::Ident(_) if matches!(word.as_str(), "crate" | "super" | "self") => {
                let is_start =
                    at.checked_sub(1).is_none_or(|before| tokens[before].to_string() != ":");
                if is_start && is_separator(&tokens[at + 1..]) {
                    let mut own = module.to_vec();
                    match word.as_str() {
                        "crate" => own.clear(),
                        "super" => drop(own.pop()),
                        _ => {}
                    }
                    read_path(&tokens[at + 3..], &mut own, &mut found);
                }
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Whether the tokens start with `::`.
fn is_separator(tokens: &[TokenTree]) -> bool {
    matches!(tokens, [a, b, ..] if a.to_string() == ":" && b.to_string() == ":")
}

/// Reads a path or a tree of paths.
fn read_path(tokens: &[TokenTree], before: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    match tokens {
        [TokenTree::Ident(name), rest @ ..] => {
            match name.to_string().as_str() {
                "super" => drop(before.pop()),
                "crate" => before.clear(),
                "self" => {}
                name => before.push(name.to_owned()),
            }
            if is_separator(rest) {
                read_path(&rest[2..], before, found);
            } else {
                found.push(before.clone());
            }
        }
        [TokenTree::Group(group), ..] if group.delimiter() == Delimiter::Brace => {
            let tokens: Vec<_> = group.stream().into_iter().collect();
            for tree in tokens.split(|token| token.to_string() == ",") {
                read_path(tree, &mut before.clone(), found);
            }
        }
        _ => found.push(before.clone()),
    }
}

#[test]
fn imports_are_followed_through_the_root_of_a_crate() {
    let files = [
        RustFile::new("x/src/lib.rs", "mod a; mod b; mod c; pub use b::{B, other::D};"),
        RustFile::new("x/src/a.rs", "use crate::{B, c::{self, C}}; // crate::c::a"),
        RustFile::new("x/src/b/mod.rs", "fn f() { super::c::f(); }"),
        RustFile::new("x/src/b/other.rs", "use super::super::c::C; mod tests { use super::*; }"),
        RustFile::new("x/src/c.rs", "macro_rules! m { () => { $crate::D } }"),
        RustFile::new("y/src/a.rs", "use crate::z::Z;"),
    ];
    let graph = import_graph("x", &files);
    let imports = |module: &str| graph[module].iter().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(imports("a"), ["b", "c"]);
    assert_eq!(imports("b"), ["c"]);
    assert_eq!(imports("c"), ["b"]);
    assert_eq!(modules_in_circles(&graph), BTreeSet::from(["b".to_owned(), "c".to_owned()]));
}
