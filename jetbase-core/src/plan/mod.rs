//! What a run does with a set of migrations, and why it refuses. Imports `file`, `sql`, `check` and `set`.

mod plan_error;
mod planner;
mod policy;
mod renaming;
mod repeatables;
mod step;
mod undo;

pub use self::plan_error::{PlanError, Problem};
pub use self::planner::{plan, validate};
pub use self::policy::{Ahead, Goal, Policy, Repeat, Until, Validation};
pub use self::step::{Action, Plan, Record, SkipReason, Skipped, Step};
