//! The tokens of a text.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Blanks and line ends.
    Whitespace,
    /// A `--`, `#` or `/* … */` comment, without the line end after it.
    Comment,
    /// A bare identifier or keyword.
    Word,
    /// A quoted string or identifier, with its prefix and its quotes.
    Quoted,
    /// A dollar-quoted string of PostgreSQL, with its tags.
    DollarQuoted,
    /// A number, with the letters that follow it directly.
    Number,
    /// Any other character, a variable of SQLite such as `$a::b(c)`, and the marks `/*!50003` and `*/` around the code
    /// that MySQL and MariaDB read in comments.
    Symbol,
}

/// One token of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'t> {
    /// What it is.
    pub kind: TokenKind,
    /// The text of the token.
    pub text: &'t str,
    /// The byte offset of the token in the text.
    pub start: usize,
    /// False for a string, identifier or comment that the end of the text leaves open.
    pub closed: bool,
}

/// A token without its text: its kind and its place. Statements keep these, because they take less memory, and
/// most of them are never read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lexeme {
    pub(crate) kind: TokenKind,
    pub(crate) closed: bool,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Lexeme {
    /// The token, whose text begins at `base` of the text that was lexed.
    pub(crate) fn token(self, text: &str, base: usize) -> Token<'_> {
        let Lexeme { kind, closed, start, end } = self;
        let text = text.get(start.saturating_sub(base)..end.saturating_sub(base));
        Token { kind, text: text.unwrap_or_default(), start, closed }
    }
}

impl Token<'_> {
    /// The same without the text.
    pub(crate) fn lexeme(&self) -> Lexeme {
        Lexeme { kind: self.kind, closed: self.closed, start: self.start, end: self.end() }
    }

    /// Returns the byte offset of the end of the token.
    #[must_use]
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// Returns whether the token is whitespace or a comment.
    #[must_use]
    pub fn is_trivia(&self) -> bool {
        matches!(self.kind, TokenKind::Whitespace | TokenKind::Comment)
    }

    /// Returns whether the token is this word without quotes, in upper or lower case.
    #[must_use]
    pub fn is_word(&self, word: &str) -> bool {
        matches!(self.kind, TokenKind::Word)
            && self.text.len() == word.len()
            && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether the token is one of these words.
    pub(crate) fn is_any_word(&self, words: &[&str]) -> bool {
        // Most tokens are no words, so they are not compared.
        matches!(self.kind, TokenKind::Word) && words.iter().any(|word| self.is_word(word))
    }

    /// Returns whether the token is this symbol.
    #[must_use]
    pub fn is_symbol(&self, symbol: &str) -> bool {
        matches!(self.kind, TokenKind::Symbol) && self.text == symbol
    }

    /// Whether the server reads the token: it is no blank, no comment, and no mark around code.
    pub(crate) fn is_code(&self) -> bool {
        !self.is_trivia() && !self.opens_code() && !self.is_symbol("*/")
    }

    /// Whether the token opens code in a comment: `/*!`, `/*!50003` or `/*M!`.
    #[must_use]
    pub fn opens_code(&self) -> bool {
        matches!((self.kind, self.text.as_bytes()), (TokenKind::Symbol, [b'/', b'*', ..]))
    }
}

/// The longest text of a token that is compared with keywords.
const LONGEST_KEYWORD: usize = 64;

/// The first tokens of a statement in upper case, so that they can be compared with keywords.
pub(crate) fn keywords<'t>(tokens: impl Iterator<Item = Token<'t>>, count: usize) -> Vec<String> {
    let upper = |token: Token<'t>| {
        let length = token.text.len().min(LONGEST_KEYWORD);
        token.text.get(..length).unwrap_or_default().to_ascii_uppercase()
    };
    tokens.take(count).map(upper).collect()
}
