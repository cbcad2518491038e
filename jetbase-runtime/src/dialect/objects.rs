//! Expressions that find an object of the catalog in a named schema: 1 if it exists, else 0.

use jetbase_core::{CatalogObject, Dialect, ObjectKind};

use super::{Bindings, mysql};

/// Returns the expression for an object. It is 0 for an object that the dialect does not have.
///
/// The object has a schema. PostgreSQL evaluates the expression with the search path `pg_catalog`.
pub(crate) fn object_exists(dialect: Dialect, object: &CatalogObject) -> String {
    let CatalogObject { kind, schema, table, name, .. } = object;
    let schema = schema.as_deref().unwrap_or_default();
    let templates = match dialect {
        Dialect::Postgres => POSTGRES,
        Dialect::MySql => mysql::SQL.catalog,
        // Another file that is attached to the session, or a temporary object.
        Dialect::Sqlite if !schema.eq_ignore_ascii_case("main") => &[],
        Dialect::Sqlite => SQLITE,
    };
    let Some((_, template)) = templates.iter().find(|(known, _)| known == kind) else {
        return "0".to_owned();
    };
    Bindings::new(dialect, None)
        .literal("object_name", name)
        .literal("object_schema", schema)
        .literal("object_table", table.as_deref().unwrap_or_default())
        .render(template)
}

const POSTGRES: &[(ObjectKind, &str)] = &[
    (
        ObjectKind::Table,
        "CASE WHEN EXISTS (SELECT 1 FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname = {object_schema}::name AND c.relname = {object_name}::name
    AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')) THEN 1 ELSE 0 END",
    ),
    (
        ObjectKind::Index,
        "CASE WHEN EXISTS (SELECT 1 FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname = {object_schema}::name AND c.relname = {object_name}::name AND i.indisvalid) THEN 1 ELSE 0 END",
    ),
    (
        ObjectKind::Column,
        "CASE WHEN EXISTS (SELECT 1 FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname = {object_schema}::name AND c.relname = {object_table}::name AND a.attname = {object_name}::name
    AND a.attnum > 0 AND NOT a.attisdropped) THEN 1 ELSE 0 END",
    ),
    (
        ObjectKind::Constraint,
        "CASE WHEN EXISTS (SELECT 1 FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname = {object_schema}::name AND c.relname = {object_table}::name AND k.conname = {object_name}::name)
  THEN 1 ELSE 0 END",
    ),
    (
        ObjectKind::Trigger,
        "CASE WHEN EXISTS (SELECT 1 FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
  WHERE n.nspname = {object_schema}::name AND c.relname = {object_table}::name AND t.tgname = {object_name}::name)
  THEN 1 ELSE 0 END",
    ),
    (
        ObjectKind::Routine,
        "CASE WHEN EXISTS (SELECT 1 FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
  WHERE n.nspname = {object_schema}::name AND p.proname = {object_name}::name) THEN 1 ELSE 0 END",
    ),
    (
        ObjectKind::Type,
        "CASE WHEN EXISTS (SELECT 1 FROM pg_type AS t JOIN pg_namespace AS n ON n.oid = t.typnamespace
  WHERE n.nspname = {object_schema}::name AND t.typname = {object_name}::name) THEN 1 ELSE 0 END",
    ),
    (
        ObjectKind::Schema,
        "CASE WHEN EXISTS (SELECT 1 FROM pg_namespace WHERE nspname = {object_name}::name) THEN 1 ELSE 0 END",
    ),
    (
        ObjectKind::Extension,
        "CASE WHEN EXISTS (SELECT 1 FROM pg_extension WHERE extname = {object_name}::name) THEN 1 ELSE 0 END",
    ),
];

const SQLITE: &[(ObjectKind, &str)] = &[
    (
        ObjectKind::Table,
        "EXISTS (SELECT 1 FROM main.sqlite_master WHERE type IN ('table', 'view') AND name = {object_name} COLLATE NOCASE)",
    ),
    (
        ObjectKind::Index,
        "EXISTS (SELECT 1 FROM main.sqlite_master WHERE type = 'index' AND name = {object_name} COLLATE NOCASE)",
    ),
    (
        ObjectKind::Trigger,
        "EXISTS (SELECT 1 FROM main.sqlite_master WHERE type = 'trigger' AND name = {object_name} COLLATE NOCASE)",
    ),
    (
        ObjectKind::Column,
        "EXISTS (SELECT 1 FROM pragma_table_xinfo({object_table}, 'main') WHERE name = {object_name} COLLATE NOCASE)",
    ),
];
