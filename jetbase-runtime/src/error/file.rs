//! A file that cannot be executed in this program, or over this connection.

/// Why a file cannot be executed in this program, or over this connection. Nothing of the file was
/// executed.
///
/// The text has no subject: it follows the name of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FileErrorKind {
    /// The file changed while the program was compiled.
    #[error("was changed while this program was compiled; compile it again")]
    ChangedDuringBuild,
    /// The file needs one session for all its statements, and a pooler does not give it one.
    #[error(
        "changes its session beyond the end of a transaction, but behind a pooler each statement may \
         run in another session, and other programs may get its settings; connect without the pooler: \
         set `direct_url` or JETBASE_DIRECT_URL"
    )]
    NeedsSession,
    /// The file empties its session, and the connection is borrowed.
    #[error(
        "empties its session (DISCARD, RESET ALL, DEALLOCATE ALL, CLOSE ALL or UNLISTEN *), but this \
         connection is borrowed, and its owner would lose what the session holds; pass a pool or a URL \
         instead of `&mut` a connection"
    )]
    EmptiesSession,
    /// The file leaves objects in its session, and the connection is borrowed.
    #[error(
        "creates something that lives as long as its session, such as a temporary table or a variable, \
         but this connection is borrowed, and jetbase cannot remove it from there; pass a pool or a URL \
         instead of `&mut` a connection"
    )]
    LeavesObjects,
}
