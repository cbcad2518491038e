//! How SQL text is read: its tokens, its statements, and what each statement does. Imports no other room.

mod bytes;
mod dialect;
mod effect;
mod modes;
mod server;
pub mod session;
mod statements;
mod token;

pub(crate) use self::bytes::run;
pub use self::dialect::{Dialect, Syntax};
pub use self::effect::{Effect, effect};
pub use self::server::Server;
pub use self::session::{SessionEffect, reads_session, session_effect};
pub use self::statements::{CutError, Open, Piece, Statement, cut, pieces};
pub(crate) use self::statements::{hidden, parts};
pub use self::token::{Token, TokenKind, tokens};
pub(crate) use self::token::{code, dollar_tag};
