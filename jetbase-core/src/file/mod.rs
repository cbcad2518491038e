//! What one migration file is: its name, its version, its text and its checksum. Imports no other room.

mod checksum;
mod directive;
mod marker;
mod name;
mod old_tool;
mod position;
mod script;
mod version;

pub use self::checksum::Checksum;
pub use self::directive::{Directive, DirectiveError, Directives, Transaction, duration, similar};
pub use self::name::{MigrationKind, Name, NameError};
pub(crate) use self::name::{is_space, trim};
pub use self::old_tool::OldTool;
pub(crate) use self::old_tool::{is_sea_orm_date, old_tool_of};
pub use self::position::{Position, snippet};
pub use self::script::{Script, Section};
pub(crate) use self::version::compare;
pub use self::version::{Version, VersionError};
