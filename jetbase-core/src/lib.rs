//! The reader of jetbase migration files.
//!
//! Everything here is pure: it knows files, names, statements and plans, and
//! no database, no network and no async. The macro uses it when a program
//! compiles, the runtime when the program runs, so that both read alike.

#![warn(clippy::print_stderr, clippy::print_stdout)]

mod bytes;
mod check;
mod check_folder;
mod checksum;
mod dialect;
mod directive;
mod effect;
mod finding;
mod folder;
mod lint;
mod migration;
mod modes;
mod name;
mod plain;
mod plan;
mod policy;
mod position;
mod python;
mod reading;
mod refusal;
mod renumber;
mod script;
mod server;
pub mod session;
mod stale;
mod statements;
mod sum;
mod table;
mod token;
mod version;

pub use check::check;
pub use check_folder::{FolderCheck, Rules, check_folder};
pub use checksum::Checksum;
pub use dialect::{Dialect, Syntax};
pub use directive::{Directive, DirectiveError, Directives, Transaction, duration, similar};
pub use effect::{Effect, effect};
pub use finding::{Finding, Severity};
pub use folder::{Folder, SourceFile};
pub use lint::LINTS;
pub use migration::{Migration, Migrations, Options, Reading};
pub use name::{Kind, Name, NameError};
pub use plan::{Action, Plan, Record, SkipReason, Skipped, Step, plan, validate};
pub use policy::{Ahead, Goal, Policy, Repeat, Until, Validation};
pub use position::{Position, snippet};
pub use refusal::{Problem, Refusal};
pub use renumber::Rename;
pub use script::{Script, Section};
pub use server::Server;
pub use session::{SessionEffect, reads_session, session_effect};
pub use stale::Differences;
pub use statements::{CutError, Open, Piece, Statement, cut, pieces};
pub use sum::{Adopted, Entry, Manifest, OutOfOrder, SumFile};
#[doc(hidden)]
pub use table::{Packed, Table};
pub use token::{Token, TokenKind, tokens};
pub use version::{Version, VersionError, compare};
