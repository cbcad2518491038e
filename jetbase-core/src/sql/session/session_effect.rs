//! What a statement can leave in its session, and how it uses the session.

/// What a statement leaves in its session, the strongest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
pub enum SessionEffect {
    /// Nothing: it defines permanent objects, and calls no function of a user.
    #[default]
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

/// How a statement uses its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SessionUse {
    /// What it leaves in the session.
    pub effect: SessionEffect,
    /// Whether it reads what an earlier statement may have left there: a variable of the user,
    /// the last identity or sequence value, or the number of rows.
    pub reads: bool,
}

impl SessionUse {
    /// The use of the session by two statements together.
    #[must_use]
    pub fn and(self, other: SessionUse) -> SessionUse {
        SessionUse { effect: self.effect.max(other.effect), reads: self.reads || other.reads }
    }
}
