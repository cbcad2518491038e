//! The database, the schema or the user is not the one that the run needs.

use jetbase_core::Dialect;

/// The run cannot work in the database, the schema or the transaction of its connection, or as the
/// connection's user.
///
/// Nothing was executed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NamespaceError {
    /// The connection is inside a transaction.
    #[error(
        "the connection is inside a transaction, and a migration needs its own; commit the \
         transaction, or pass the pool"
    )]
    InTransaction,
    /// The schema (MySQL: the database) does not exist, or this user cannot see it.
    #[error(
        "this user sees no {} `{schema}`; correct the name, or run {}: jetbase creates tables, not {}s",
        noun(*dialect),
        create(*dialect, schema),
        noun(*dialect)
    )]
    SchemaNotFound {
        /// The name of the schema.
        schema: String,
        /// The dialect of the database.
        dialect: Dialect,
    },
    /// No schema of the search path exists (PostgreSQL).
    #[error(
        "no schema of the search path ({search_path}) exists; create one with CREATE SCHEMA, or name \
         another one with `schema`"
    )]
    NoSchema {
        /// The search path of the connection.
        search_path: String,
    },
    /// The connection has no database (MySQL).
    #[error("the URL names no database; append `/name` to the URL")]
    NoDatabase,
    /// The history is in another schema than the one in which new tables are created (PostgreSQL).
    #[error(
        "the migration history is in the schema `{history}`, but new tables would go to `{schema}`, the \
         first schema of the search path ({search_path}); name the right schema with `schema`, or \
         change the search path"
    )]
    OtherSchema {
        /// The schema of the history.
        history: String,
        /// The schema of new tables.
        schema: String,
        /// The search path of the connection.
        search_path: String,
    },
    /// The option `schema` names another schema than `main` (SQLite).
    #[error("SQLite has no schema `{schema}`; remove the option `schema`, or open another file")]
    SchemaUnsupported {
        /// The name of the schema.
        schema: String,
    },
    /// The option `role` is set, but the database is not PostgreSQL.
    #[error(
        "the role `{role}` cannot be set: only PostgreSQL can set a role for a run; remove the option \
         `role`, and put the user into the URL"
    )]
    RoleUnsupported {
        /// The name of the role.
        role: String,
    },
    /// The user may not set the role (PostgreSQL).
    #[error(
        "the connection works as `{user}`, which may not set the role `{role}` ({code}); run GRANT \
         \"{role}\" TO \"{user}\", or put another user into the URL"
    )]
    RoleDenied {
        /// The user of the connection.
        user: String,
        /// The name of the role.
        role: String,
        /// The SQLSTATE of the refusal.
        code: String,
    },
    /// The run's own connection has another user than the caller's connection.
    #[error(
        "the run must work as `{expected}`, but its own connection works as `{connected}` and cannot \
         change to `{expected}`; {}",
        user_help(*dialect, expected, connected)
    )]
    OtherUser {
        /// The user that the run needs.
        expected: String,
        /// The user of the run's own connection.
        connected: String,
        /// The dialect of the database.
        dialect: Dialect,
    },
    /// The direct URL leads to another database.
    #[error(
        "the direct URL leads to the database `{connected}`, but the program works on `{expected}`; \
         correct `direct_url` or JETBASE_DIRECT_URL"
    )]
    OtherDatabase {
        /// The database that the program works on.
        expected: String,
        /// The database of the direct URL.
        connected: String,
    },
}

fn noun(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::MySql => "database",
        Dialect::Postgres | Dialect::Sqlite => "schema",
    }
}

fn create(dialect: Dialect, name: &str) -> String {
    match dialect {
        Dialect::MySql => format!("CREATE DATABASE `{name}`"),
        Dialect::Postgres | Dialect::Sqlite => format!("CREATE SCHEMA \"{name}\""),
    }
}

fn user_help(dialect: Dialect, expected: &str, connected: &str) -> String {
    match dialect {
        Dialect::Postgres => {
            format!("run GRANT \"{expected}\" TO \"{connected}\", or put `{expected}` into the URL")
        }
        Dialect::MySql | Dialect::Sqlite => {
            format!("put `{expected}` into the URL: the pool's hooks do not run on this connection")
        }
    }
}
