//! Reads the options of `#[jetbase::test(…)]`.

use std::path::Path;

use jetbase_core::{Dialect, similar};
use proc_macro2::{Ident, Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Error, LitBool, LitStr, Path as RustPath, Result, Token, parenthesized, parse_quote};

use crate::input::{unknown, written_twice};

/// The options of one test.
pub(crate) struct TestOptions {
    /// The path to the crate `jetbase`.
    pub(crate) facade: RustPath,
    /// The module that `embed!` has made. `None` means empty databases.
    pub(crate) migrations: Option<RustPath>,
    pub(crate) fixtures: Vec<WrittenFixture>,
    /// The databases of a test that runs on several of them.
    pub(crate) databases: Option<Vec<Dialect>>,
}

/// A fixture: the path of its file, relative to the source file.
pub(crate) struct WrittenFixture {
    pub(crate) path: String,
    pub(crate) span: Span,
}

const OPTIONS: [&str; 4] = ["migrations", "fixtures", "databases", "crate"];

/// The folder of fixtures that have only a name, relative to the source file.
const FIXTURES: &str = "fixtures";

impl TestOptions {
    pub(crate) fn read(attribute: TokenStream) -> Result<Self> {
        let mut options = TestOptions {
            facade: parse_quote!(::jetbase),
            migrations: Some(parse_quote!(crate::migrations)),
            fixtures: Vec::new(),
            databases: None,
        };
        let parser = |input: ParseStream<'_>| {
            let mut written = Vec::new();
            while !input.is_empty() {
                options.option(input, &mut written)?;
                if !input.is_empty() {
                    input.parse::<Token![,]>()?;
                }
            }
            Ok(())
        };
        parser.parse2(attribute)?;
        Ok(options)
    }

    fn option(&mut self, input: ParseStream<'_>, written: &mut Vec<String>) -> Result<()> {
        let word = input.call(Ident::parse_any)?;
        let name = word.to_string();
        // Several `fixtures(…)` are several folders.
        if name != "fixtures" && written.contains(&name) {
            return Err(written_twice(&word));
        }
        match name.as_str() {
            "migrations" => self.migrations = migrations(&word, input)?,
            "fixtures" => self.fixtures.extend(fixtures(&word, input)?),
            "databases" => self.databases = Some(databases(&word, input)?),
            "crate" => {
                input.parse::<Token![=]>()?;
                self.facade = input.call(RustPath::parse_mod_style)?;
            }
            _ => return Err(unknown(&word, "option", "", &OPTIONS)),
        }
        written.push(name);
        Ok(())
    }
}

/// Reads `= path::of::module` or `= false`.
fn migrations(option: &Ident, input: ParseStream<'_>) -> Result<Option<RustPath>> {
    let form = "write `migrations = <module>` with the module of `embed!`, for example \
                `migrations = my_service::migrations`, or `migrations = false` for an empty database";
    if !input.peek(Token![=]) {
        return Err(Error::new(option.span(), form));
    }
    input.parse::<Token![=]>()?;
    if input.peek(LitBool) {
        let value: LitBool = input.parse()?;
        return match value.value {
            false => Ok(None),
            true => Err(Error::new(value.span(), form)),
        };
    }
    let start = input.span();
    let path = input.call(RustPath::parse_mod_style);
    path.map(Some).map_err(|_| Error::new(start, form))
}

/// Reads `(postgres, sqlite)`.
fn databases(option: &Ident, input: ParseStream<'_>) -> Result<Vec<Dialect>> {
    let form = "write `databases(<database>, …)`; the databases are `postgres`, `mysql`, `sqlite`";
    let content = list(option, input, form)?;
    let words = Punctuated::<Ident, Token![,]>::parse_terminated.parse2(content)?;
    let mut found = Vec::new();
    for word in words {
        let Some(database) = Dialect::ALL.into_iter().find(|it| word == it.name()) else {
            return Err(unknown(&word, "database", "", &Dialect::ALL.map(Dialect::name)));
        };
        if found.contains(&database) {
            let text = format!("the database `{word}` is named twice: remove one");
            return Err(Error::new(word.span(), text));
        }
        found.push(database);
    }
    if found.is_empty() { Err(Error::new(option.span(), form)) } else { Ok(found) }
}

/// Reads `("users", "../sql/orders.sql")` or `(path = "../sql", scripts("users", "orders"))`.
fn fixtures(option: &Ident, input: ParseStream<'_>) -> Result<Vec<WrittenFixture>> {
    let form = "write `fixtures(\"<name>\", …)` for files in the folder `fixtures` beside this source \
                file, or `fixtures(path = \"<folder>\", scripts(\"<name>\", …))`";
    let content = list(option, input, form)?;
    let parser = |input: ParseStream<'_>| {
        let mut folder = FIXTURES.to_owned();
        if input.peek(syn::Ident) {
            let word: Ident = input.parse()?;
            if word != "path" {
                return Err(unknown(&word, "option", " of `fixtures`", &["path"]));
            }
            input.parse::<Token![=]>()?;
            folder = input.parse::<LitStr>()?.value();
            input.parse::<Token![,]>()?;
            let scripts: Ident = input.parse()?;
            if scripts != "scripts" {
                return Err(Error::new(scripts.span(), form));
            }
            let content;
            parenthesized!(content in input);
            let names = content.call(Punctuated::<LitStr, Token![,]>::parse_terminated)?;
            input.parse::<Option<Token![,]>>()?;
            return Ok((folder, names));
        }
        Ok((folder, input.call(Punctuated::<LitStr, Token![,]>::parse_terminated)?))
    };
    let (folder, names) = parser.parse2(content)?;
    if names.is_empty() {
        return Err(Error::new(option.span(), form));
    }
    names.iter().map(|name| fixture(&folder, name)).collect()
}

/// The file of a fixture. A name with a slash or with `.sql` is a path.
fn fixture(folder: &str, written: &LitStr) -> Result<WrittenFixture> {
    let (name, span) = (written.value(), written.span());
    let path = match name.strip_suffix(".sql") {
        Some(_) if name.contains('/') => name,
        without => format!("{folder}/{}.sql", without.unwrap_or(&name)),
    };
    // An editor may not know the source file. Then the compiler looks for the file.
    if proc_macro::is_available()
        && let Some(source) = span.unwrap().local_file()
    {
        let beside = source.parent().unwrap_or(Path::new(""));
        if !beside.join(&path).is_file() {
            return Err(Error::new(span, missing(beside, &path)));
        }
    }
    Ok(WrittenFixture { path, span })
}

fn missing(beside: &Path, path: &str) -> String {
    let wanted = Path::new(path);
    let folder = beside.join(wanted.parent().unwrap_or(Path::new("")));
    let name = wanted.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let found = files(&folder);
    let known: Vec<&str> = found.iter().map(String::as_str).collect();
    let full = beside.join(path);
    let text = format!("there is no file {}", full.display());
    match similar(&name, &known) {
        Some(close) => format!("{text}: did you mean `{}`?", close.trim_end_matches(".sql")),
        None if known.is_empty() => {
            format!("{text}: the path is relative to the folder of this source file")
        }
        None => format!("{text}: the files in this folder are {}", known.join(", ")),
    }
}

/// The names of the SQL files of a folder, sorted.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".sql"))
        .collect();
    names.sort();
    names
}

/// Returns what stands in the brackets behind an option.
fn list(option: &Ident, input: ParseStream<'_>, form: &str) -> Result<TokenStream> {
    if !input.peek(syn::token::Paren) {
        return Err(Error::new(option.span(), form));
    }
    let content;
    parenthesized!(content in input);
    TokenStream::parse(&content)
}
