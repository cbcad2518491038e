//! The types and the tests that a file declares.

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use crate::source::RustFile;

/// Returns the names of the types and traits that a file declares. An associated type is not one of
/// them, because its trait gives it the name.
pub(crate) fn types(file: &RustFile) -> Vec<String> {
    let mut names = Vec::new();
    read_types(&file.tokens, false, &mut names);
    names
}

fn read_types(tokens: &TokenStream, in_impl: bool, names: &mut Vec<String>) {
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    let mut is_impl = false;
    for (at, token) in tokens.iter().enumerate() {
        match token {
            TokenTree::Ident(keyword) => {
                let is_type = match keyword.to_string().as_str() {
                    "struct" | "enum" => true,
                    "type" => !in_impl,
                    "trait" => {
                        is_impl = true;
                        true
                    }
                    "impl" => {
                        // `impl` also occurs in the types of arguments and results.
                        let before = at.checked_sub(1).map(|at| tokens[at].to_string());
                        is_impl = before
                            .is_none_or(|it| matches!(it.as_str(), "}" | ";" | "unsafe"))
                            || matches!(&tokens[at - 1], TokenTree::Group(_));
                        false
                    }
                    _ => false,
                };
                if let (true, Some(TokenTree::Ident(name))) = (is_type, tokens.get(at + 1)) {
                    names.push(name.to_string());
                }
            }
            TokenTree::Group(group) => {
                let is_body = group.delimiter() == Delimiter::Brace;
                read_types(&group.stream(), is_body && (is_impl || in_impl), names);
                is_impl &= !is_body;
            }
            _ => {}
        }
    }
}

/// Returns the names of the tests that a file declares: functions with the attribute `test`, and the
/// tests that are registered with a literal name.
pub(crate) fn tests(file: &RustFile) -> Vec<String> {
    let mut names = Vec::new();
    read_tests(&file.tokens, &mut names);
    names
}

fn read_tests(tokens: &TokenStream, names: &mut Vec<String>) {
    let tokens: Vec<_> = tokens.clone().into_iter().collect();
    for (at, token) in tokens.iter().enumerate() {
        let TokenTree::Group(group) = token else { continue };
        let before = at.checked_sub(1).map(|at| tokens[at].to_string()).unwrap_or_default();
        match group.delimiter() {
            Delimiter::Bracket if before == "#" && group.stream().to_string() == "test" => {
                let function = tokens[at..].iter().skip_while(|token| token.to_string() != "fn");
                names.extend(function.skip(1).take(1).map(ToString::to_string));
            }
            Delimiter::Parenthesis
                if ["each", "once", "ignorable_test"].contains(&before.as_str()) =>
            {
                if let Some(TokenTree::Literal(name)) = group.stream().into_iter().next() {
                    names.push(name.to_string().trim_matches('"').to_owned());
                }
            }
            _ => {}
        }
        read_tests(&group.stream(), names);
    }
}

#[test]
fn types_are_found_and_associated_types_are_not() {
    let file = RustFile::new(
        "a.rs",
        "struct A; // struct Comment\n\
         enum B { C }\n\
         impl Iterator for A { type Item = B; fn next(&mut self) -> impl D { struct E; } }\n\
         pub(crate) trait F { type G; }\n\
         type H = &'static str;\n\
         fn f(i: impl D) { type I = u8; let text = \"struct J;\"; }\n\
         mod tests { type K = u8; }",
    );
    assert_eq!(types(&file), ["A", "B", "E", "F", "H", "I", "K"]);
}

#[test]
fn tests_are_found_by_attribute_and_by_registration() {
    let file = RustFile::new(
        "a.rs",
        "mod tests { #[cfg(unix)] #[test] #[ignore] fn first() {} fn helper() {} }\n\
         fn register(suite: &mut Suite) { suite.each(\"second\", ALL, first); suite.once(name, first); }",
    );
    assert_eq!(tests(&file), ["first", "second"]);
}
