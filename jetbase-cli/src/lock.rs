//! `lock-status` and `unlock`.

use super::command_error::CommandError;
use super::command_output::CommandOutput;
use super::context::{CommandContext, Intent, in_namespace};
use super::json::CommandFields;
use super::options::UnlockArgs;

pub(crate) async fn lock_status(
    mut context: CommandContext<'_>,
) -> Result<CommandOutput, CommandError> {
    let set = context.set_without_files();
    let database = context.database(Intent::Read)?;
    let status = in_namespace!(context, jetbase_runtime::lock_status(&set, database)).await?;
    Ok(CommandOutput::new(status.to_string(), &status))
}

pub(crate) async fn unlock(
    mut context: CommandContext<'_>,
    args: UnlockArgs,
) -> Result<CommandOutput, CommandError> {
    if args.force {
        let question = "Release the lock although its holder may be alive? Its run then stops before its next commit.";
        args.confirm.ask(context.printer, question)?;
    }
    let set = context.set_without_files();
    let database = context.database(Intent::Read)?;
    let unlock = in_namespace!(context, jetbase_runtime::unlock(&set, database));
    let unlocked = if args.force { unlock.force() } else { unlock }.await?;
    let fields = CommandFields::Unlock { holder: unlocked.holder.clone() };
    let output = CommandOutput::new("Unlock successful.", fields);
    Ok(match unlocked.holder {
        Some(holder) => output.note(format!("The lock was held by {holder}.")),
        None => output.note("Nobody held the lock."),
    })
}
