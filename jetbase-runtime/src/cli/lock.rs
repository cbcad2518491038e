//! `lock-status` and `unlock`.

use super::answer::{Answer, Object};
use super::failure::Failure;
use super::options::Unlock;
use super::place::{Intent, Place};

pub(crate) async fn lock_status(mut place: Place<'_>) -> Result<Answer, Failure> {
    let set = place.set_unread();
    let database = place.database(Intent::Ask)?;
    let status = place.ask(crate::query::lock_status(&set, database))?.await?;
    let fields = Object::default()
        .field("locked", status.locked)
        .field("locked_at", status.locked_at.clone())
        .field("process_id", status.process_id.clone())
        .field("holder", status.holder.clone())
        .field("alive", status.alive);
    Ok(Answer::new(status.to_string(), fields))
}

pub(crate) async fn unlock(mut place: Place<'_>, wanted: Unlock) -> Result<Answer, Failure> {
    let set = place.set_unread();
    let database = place.database(Intent::Ask)?;
    let mut unlock = crate::query::unlock(&set, database);
    unlock = place.schema()?.into_iter().fold(unlock, |unlock, schema| unlock.schema(schema));
    unlock.wish.role.clone_from(&place.common.role);
    unlock.wish.trusted.clone_from(&place.common.trust_owner);
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
