//! What a statement can leave in its session.

/// What a statement leaves in its session, the strongest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionEffect {
    /// Nothing: it defines permanent objects, and calls no function of a user.
    Nothing,
    /// It reads or changes rows: only code of the schema, such as a trigger,
    /// a view, an operator or a default, could leave something.
    Rows,
    /// It runs code that the text does not show, or is not known.
    Code,
    /// It changes a setting of the session or of its transaction.
    Setting,
    /// It makes, changes or deletes an object that belongs to the session: a temporary
    /// table, a prepared statement, a cursor, a variable, a lock.
    Object,
}
