//! How the folder and the history of another migration tool become ours. Imports `file`, `sql`, `check`
//! and `set`.

mod checksum;
mod compare;
mod convert;
mod diesel;
mod flyway;
mod map;
mod numbered;
mod old_folder;
mod script;
mod sea_orm;

pub use self::checksum::sqlx_lock_id;
pub use self::compare::{AdoptError, AdoptProblem, AdoptedEntry, OldRow, compare_history};
pub use self::convert::{Conversion, ConvertedFile, convert};
pub use self::map::{AdoptMap, AdoptMapError, MapEntry};
pub use self::old_folder::OldFile;
