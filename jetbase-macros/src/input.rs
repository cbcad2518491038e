//! Reads the tokens of a call into plain values.

use jetbase_core::{Dialect, Manifest, OldTool, similar};
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, Error, LitStr, Result, Token, Visibility, bracketed};

/// One call of `embed!`, with everything that could be read.
pub(crate) struct EmbedInput {
    /// The path to the crate `jetbase`: `$crate`.
    pub(crate) facade: TokenStream,
    /// The span of the path to the crate: the call of `jetbase::embed!`, as `jetbase` passes it on.
    pub(crate) call: Span,
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) visibility: Visibility,
    pub(crate) module: Ident,
    pub(crate) folder: Option<LitStr>,
    pub(crate) options: EmbedOptions,
    /// The errors of the call itself.
    pub(crate) errors: Vec<Error>,
    /// Whether enough of the call could be read to know its folder.
    pub(crate) has_folder: bool,
}

/// The options after the folder.
#[derive(Default)]
pub(crate) struct EmbedOptions {
    pub(crate) dialect: Option<Dialect>,
    pub(crate) schema: Option<LitStr>,
    pub(crate) require_rollback: bool,
    pub(crate) manifest: Manifest,
    pub(crate) python_compatible: bool,
    /// The tool whose history the first run adopts.
    pub(crate) adopt: Option<OldTool>,
    written: Vec<String>,
}

/// The folder of a call that names no folder.
const FOLDER: &str = "migrations";

/// The module of a call that names no module.
const MODULE: &str = "migrations";

const OPTIONS: [&str; 6] =
    ["dialect", "schema", "require_rollback", "manifest", "python_compatible", "adopt"];

impl EmbedInput {
    /// Reads a call. A part that cannot be read keeps its default, and is reported in `errors`.
    pub(crate) fn read(tokens: TokenStream) -> Self {
        let mut input = EmbedInput {
            facade: TokenStream::new(),
            call: Span::call_site(),
            attributes: Vec::new(),
            visibility: Visibility::Inherited,
            module: Ident::new(MODULE, Span::call_site()),
            folder: None,
            options: EmbedOptions::default(),
            errors: Vec::new(),
            has_folder: true,
        };
        let mut errors = Vec::new();
        let parser = |stream: ParseStream<'_>| input.parse(stream, &mut errors);
        if let Err(error) = parser.parse2(tokens) {
            errors.push(error);
            input.has_folder = input.folder.is_some();
        }
        input.errors = errors;
        input
    }

    /// Returns the folder as the caller wrote it.
    pub(crate) fn folder(&self) -> String {
        self.folder.as_ref().map_or_else(|| FOLDER.to_owned(), LitStr::value)
    }

    /// Returns where errors are shown: at the folder's literal, else at the call of `jetbase::embed!`.
    pub(crate) fn error_span(&self) -> Span {
        self.folder.as_ref().map_or(self.call, LitStr::span)
    }

    /// Returns where warnings are shown: at the folder's literal, else at the call. The compiler drops a
    /// warning whose tokens come from another crate.
    pub(crate) fn span(&self) -> Span {
        self.folder.as_ref().map_or_else(Span::call_site, LitStr::span)
    }

    fn parse(&mut self, input: ParseStream<'_>, errors: &mut Vec<Error>) -> Result<()> {
        let path;
        self.call = bracketed!(path in input).span.join();
        self.facade = path.parse()?;
        if input.peek(LitStr) {
            self.folder = Some(input.parse()?);
        } else if input.peek(Token![#]) || input.peek(Token![pub]) || input.peek(Token![mod]) {
            self.parse_module(input)?;
        } else {
            return self.options.parse(input, errors);
        }
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
        self.options.parse(input, errors)
    }

    fn parse_module(&mut self, input: ParseStream<'_>) -> Result<()> {
        self.attributes = input.call(Attribute::parse_outer)?;
        self.visibility = input.parse()?;
        input.parse::<Token![mod]>()?;
        self.module = input.parse()?;
        if input.peek(Token![=]) {
            input.parse::<Token![=]>()?;
            self.folder = Some(input.parse()?);
        }
        Ok(())
    }
}

impl EmbedOptions {
    fn parse(&mut self, input: ParseStream<'_>, errors: &mut Vec<Error>) -> Result<()> {
        while !input.is_empty() {
            if let Err(error) = self.option(input) {
                errors.push(error);
                // One bad option does not hide errors in the next ones.
                while !input.is_empty() && !input.peek(Token![,]) {
                    input.parse::<TokenTree>()?;
                }
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    }

    fn option(&mut self, input: ParseStream<'_>) -> Result<()> {
        let word = input.call(Ident::parse_any)?;
        let name = word.to_string();
        if self.written.contains(&name) {
            return Err(written_twice(&word));
        }
        match name.as_str() {
            "dialect" => self.dialect = Some(choice(&word, input, &DIALECTS)?),
            "manifest" => self.manifest = choice(&word, input, &MANIFESTS)?,
            "adopt" => self.adopt = Some(choice(&word, input, &OLD_TOOLS)?),
            "schema" => self.schema = Some(schema(&word, input)?),
            "require_rollback" => self.require_rollback = flag(&word, input)?,
            "python_compatible" => self.python_compatible = flag(&word, input)?,
            _ => return Err(unknown(&word, "option", "", &OPTIONS)),
        }
        self.written.push(name);
        Ok(())
    }
}

const DIALECTS: [(&str, Dialect); 3] = [
    (Dialect::Postgres.name(), Dialect::Postgres),
    (Dialect::MySql.name(), Dialect::MySql),
    (Dialect::Sqlite.name(), Dialect::Sqlite),
];

/// The tools, with words that are identifiers.
const OLD_TOOLS: [(&str, OldTool); 5] = [
    ("sqlx", OldTool::Sqlx),
    ("refinery", OldTool::Refinery),
    ("diesel", OldTool::Diesel),
    ("flyway", OldTool::Flyway),
    ("sea_orm_sql", OldTool::SeaOrm),
];

const MANIFESTS: [(&str, Manifest); 2] =
    [("required", Manifest::Required), ("strict", Manifest::Strict)];

/// Reads `= word`, where the word is one of the choices.
fn choice<T: Copy>(option: &Ident, input: ParseStream<'_>, choices: &[(&str, T)]) -> Result<T> {
    let known: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
    let form =
        || format!("write `{option} = <value>`, without quotes; the values are {}", list(&known));
    if !input.peek(Token![=]) {
        return Err(Error::new(option.span(), form()));
    }
    input.parse::<Token![=]>()?;
    let word = input.call(Ident::parse_any).map_err(|error| Error::new(error.span(), form()))?;
    let chosen = choices.iter().find(|(name, _)| word == name);
    chosen
        .map(|(_, value)| *value)
        .ok_or_else(|| unknown(&word, "value", &format!(" of `{option}`"), &known))
}

/// Reads `= "name"`.
fn schema(option: &Ident, input: ParseStream<'_>) -> Result<LitStr> {
    let form = "write `schema = \"<name>\"`, with quotes";
    if !input.peek(Token![=]) {
        return Err(Error::new(option.span(), form));
    }
    input.parse::<Token![=]>()?;
    let name: LitStr = input.parse().map_err(|error| Error::new(error.span(), form))?;
    match name.value() {
        text if text.is_empty() => Err(Error::new(
            name.span(),
            "the name of the schema is empty: write `schema = \"<name>\"`",
        )),
        text if text.contains('\0') => Err(Error::new(
            name.span(),
            "the name of the schema contains a NUL character, which no database accepts: remove it",
        )),
        _ => Ok(name),
    }
}

/// Reads an option without a value.
fn flag(option: &Ident, input: ParseStream<'_>) -> Result<bool> {
    if input.peek(Token![=]) {
        return Err(Error::new(
            option.span(),
            format!("`{option}` has no value: write `{option}` alone, or remove it"),
        ));
    }
    Ok(true)
}

/// Returns the error of an option that is written twice.
pub(crate) fn written_twice(option: &Ident) -> Error {
    Error::new(option.span(), format!("the option `{option}` is written twice: remove one"))
}

/// Returns the error of an unknown word: `what` is "option" or "value", and `of` names its option.
pub(crate) fn unknown(word: &Ident, what: &str, of: &str, known: &[&str]) -> Error {
    let known_words = list(known);
    let text = match similar(&word.to_string(), known) {
        Some(close) => {
            format!(
                "unknown {what} `{word}`{of}: did you mean `{close}`? The {what}s are {known_words}"
            )
        }
        None => format!("unknown {what} `{word}`{of}: the {what}s are {known_words}"),
    };
    Error::new(word.span(), text)
}

fn list(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
