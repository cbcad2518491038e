//! Cuts SQL text into tokens, with the quoting rules of its dialect.
//!
//! The tokens cover the whole text: joined, they are the text again, byte for byte.
//!
//! The lexer reads bytes, because every character with a meaning is ASCII. The
//! bytes of all other characters are parts of words.

mod lexeme;
mod lexer;
mod quote;

pub(crate) use self::lexeme::{Lexeme, keywords};
pub use self::lexeme::{Token, TokenKind};
pub(crate) use self::lexer::Tokens;
pub use self::lexer::{lexed_bytes, tokens};
pub(crate) use self::quote::{dollar_tag, skipped_comment};

#[cfg(test)]
mod tests;
