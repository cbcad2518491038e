//! `journal`.

use super::command_error::CommandError;
use super::command_output::CommandOutput;
use super::context::{CommandContext, Intent, in_namespace};
use super::json::{CommandFields, list};
use super::options::{JournalArgs, JournalCommand};
use super::sentence::sentence;

pub(crate) async fn journal(
    mut context: CommandContext<'_>,
    args: JournalArgs,
) -> Result<CommandOutput, CommandError> {
    let set = context.set_without_files();
    let database = context.database(Intent::Read)?;
    let Some(JournalCommand::Clear { file, wait }) = args.command else {
        let found = in_namespace!(context, jetbase_runtime::journal(&set, database)).await?;
        let fields = CommandFields::Journal { unfinished: list(&found.files) };
        let lines = found.to_string();
        let lines: Vec<_> = lines.lines().map(sentence).collect();
        return Ok(CommandOutput::new(lines.join("\n"), fields));
    };
    let clear = in_namespace!(context, jetbase_runtime::clear_journal(&set, database, file));
    let cleared = clear.wait(context.wait(&wait)?).await?;
    let fields = CommandFields::Journal { unfinished: list([&cleared]) };
    let text = format!("Removed {} from the journal. The next run begins it again.", cleared.file);
    Ok(CommandOutput::new(text, fields))
}
