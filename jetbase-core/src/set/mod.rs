//! Many migration files together: the folder, the sum file and the embedded set. Imports `file`, `sql` and `check`.

mod check_folder;
mod folder;
mod migration;
mod renumber;
mod stale;
mod sum;
mod table;
mod text_change;

pub use self::check_folder::{FolderCheck, Rules, check_folder};
pub use self::folder::{Folder, SourceFile};
pub use self::migration::{Migration, Migrations, Options, Reading};
pub use self::renumber::Rename;
pub use self::stale::Differences;
pub use self::sum::{Adopted, Entry, Manifest, OutOfOrder, SumFile};
#[doc(hidden)]
pub use self::table::{Packed, Table};
pub use self::text_change::{RecordedChange, TextChange};
