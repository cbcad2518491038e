//! The bindings of the first message.

use jetbase_core::Dialect;

use crate::dialect::Bindings;

/// Adds the bindings that only the `read_state` template has.
pub(super) fn state_bindings(
    bindings: Bindings,
    dialect: Dialect,
    schema: Option<&str>,
) -> Bindings {
    let table = bindings.render("{migrations}");
    let journal = bindings.render("{journal}");
    let bindings = bindings.literal("state_journal", &journal);
    let bindings = bindings.literal("state_table", &table).nested("state_found", FOUND);
    match (schema, dialect) {
        // NULL if there is no such schema.
        (Some(schema), Dialect::Postgres) => bindings.literal("named_schema", schema).nested(
            "state_schema",
            "(SELECT nspname FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) {named_schema}::pg_catalog.name)",
        ),
        (Some(schema), Dialect::MySql) => bindings.literal("named_schema", schema).nested(
            "state_schema",
            "(SELECT schema_name FROM information_schema.schemata WHERE schema_name = {named_schema})",
        ),
        (Some(schema), Dialect::Sqlite) => bindings.literal("state_schema", schema),
        (None, Dialect::Postgres) => {
            bindings.expression("state_schema", "pg_catalog.current_schema()")
        }
        (None, Dialect::MySql) => bindings.expression("state_schema", "DATABASE()"),
        (None, Dialect::Sqlite) => bindings.expression("state_schema", "'main'"),
    }
}

/// An expression for the schema in which PostgreSQL finds the history.
const FOUND: &str = "(pg_catalog.pg_identify_object_as_address(
    1259, pg_catalog.to_regclass({state_table}), 0)).object_names[1]";
