//! How SQL text is read: its tokens, its statements, and what each statement does. Imports no other room.

mod bytes;
mod changes;
mod detection;
mod dialect;
mod effect;
mod modes;
mod server;
mod session;
mod statements;
mod token;

pub use self::changes::{CatalogChange, catalog_changes};
pub use self::detection::{
    CatalogObject, Detection, ObjectKind, detection, is_setting, may_fail_in_part,
};
pub use self::dialect::{Dialect, Syntax};
pub use self::effect::{Effect, effect};
pub use self::server::Server;
pub use self::session::{
    OwnSession, SessionEffect, SessionUse, TableLocks, empties_session, mentions_trigger,
    needs_own_session, session_use, table_locks,
};
pub(crate) use self::statements::statement;
pub use self::statements::{CutError, Open, Piece, Statement, cut, pieces};
pub(crate) use self::token::{Lexeme, dollar_tag};
pub use self::token::{Token, TokenKind, lexed_bytes, tokens};
