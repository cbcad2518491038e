//! What a run does with a set of migrations, and why it refuses. Imports `file`, `sql`, `check` and `set`.

mod baseline;
mod plan_error;
mod planner;
mod policy;
mod renaming;
mod repeatables;
mod step;
mod timeline;
mod undo;

pub use self::baseline::plan_baseline;
pub use self::plan_error::{PlanError, Problem};
pub use self::planner::{plan, validate};
pub use self::policy::{Ahead, Goal, Policy, Repeat, Until, Validation};
pub use self::step::{Action, Plan, Record, SkipReason, Skipped, Step};
pub use self::timeline::{CatalogTimeline, DetectedFile, DetectedState, detected_prefix};
