//! `lock-status` and `unlock`.

use super::answer::{Answer, Object};
use super::context::{CommandContext, Intent};
use super::failure::Failure;
use super::options::Unlock;

pub(crate) async fn lock_status(mut context: CommandContext<'_>) -> Result<Answer, Failure> {
    let set = context.set_unread();
    let database = context.database(Intent::Ask)?;
    let status = context.ask(jetbase_runtime::lock_status(&set, database))?.await?;
    let fields = Object::default()
        .field("locked", status.locked)
        .field("locked_at", status.locked_at.clone())
        .field("process_id", status.process_id.clone())
        .field("holder", status.holder.clone())
        .field("alive", status.alive);
    Ok(Answer::new(status.to_string(), fields))
}

pub(crate) async fn unlock(
    mut context: CommandContext<'_>,
    wanted: Unlock,
) -> Result<Answer, Failure> {
    let set = context.set_unread();
    let database = context.database(Intent::Ask)?;
    let mut unlock = jetbase_runtime::unlock(&set, database);
    unlock = context.schema()?.into_iter().fold(unlock, |unlock, schema| unlock.schema(schema));
    unlock.options.role.clone_from(&context.common.role);
    unlock.options.trusted.clone_from(&context.common.trust_owner);
    let unlocked = if wanted.force { unlock.force() } else { unlock }.await?;
    let answer = Answer::new(
        "Unlock successful.",
        Object::default().field("holder", unlocked.holder.clone()),
    );
    Ok(match unlocked.holder {
        Some(holder) => answer.note(format!("The lock was held by {holder}.")),
        None => answer.note("Nobody held the lock."),
    })
}
