//! What a run does with a set of migrations, and why it refuses. Imports `file`, `sql`, `check` and `set`.

mod planner;
mod policy;
mod refusal;

pub use self::planner::{Action, Plan, Record, SkipReason, Skipped, Step, plan, validate};
pub use self::policy::{Ahead, Goal, Policy, Repeat, Until, Validation};
pub use self::refusal::{Problem, Refusal};
