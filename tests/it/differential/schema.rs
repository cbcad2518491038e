//! All that a composition can leave in a database.

use jetbase_test_harness::{Database, DatabaseKind, TestError, TextRows};

/// Returns the schema and the data, without jetbase's own tables.
pub(crate) async fn dump(db: &Database) -> Result<TextRows, TestError> {
    let queries: &[&str] = match db.kind {
        DatabaseKind::Postgres => POSTGRES,
        DatabaseKind::Mysql => MYSQL,
        DatabaseKind::Sqlite => SQLITE,
    };
    let mut found = Vec::new();
    for query in queries {
        found.extend(db.rows(query).await?);
    }
    let tables = match db.kind {
        DatabaseKind::Sqlite => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'jetbase%' \
             AND name NOT LIKE 'sqlite%'"
        }
        DatabaseKind::Postgres => {
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' \
             AND table_type = 'BASE TABLE' AND table_name NOT LIKE 'jetbase%'"
        }
        DatabaseKind::Mysql => {
            "SELECT CAST(table_name AS CHAR) FROM information_schema.tables WHERE table_schema = DATABASE() \
             AND table_type = 'BASE TABLE' AND table_name NOT LIKE 'jetbase%'"
        }
    };
    let mut tables: Vec<_> = db.rows(tables).await?.into_iter().flatten().flatten().collect();
    tables.sort();
    for table in tables {
        let name = match db.kind {
            DatabaseKind::Mysql => format!("`{}`", table.replace('`', "``")),
            _ => format!("\"{}\"", table.replace('"', "\"\"")),
        };
        found.push(vec![Some(table)]);
        found.extend(db.rows(&format!("SELECT note FROM {name} ORDER BY id")).await?);
    }
    // A view of MySQL names its database.
    let own = |cell: String| cell.replace(&db.name, "own");
    Ok(found.into_iter().map(|row| row.into_iter().map(|cell| cell.map(own)).collect()).collect())
}

const SQLITE: &[&str] = &[
    "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE name NOT LIKE '%jetbase%' AND name NOT LIKE 'sqlite%' ORDER BY type, name",
];

const POSTGRES: &[&str] = &[
    "SELECT table_name::text, column_name::text, data_type::text, column_default::text, is_nullable::text \
     FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'jetbase%' \
     ORDER BY table_name, ordinal_position",
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename NOT LIKE 'jetbase%' ORDER BY indexname",
    "SELECT viewname::text, definition FROM pg_views WHERE schemaname = 'public' ORDER BY viewname",
    "SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY proname",
    "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgname",
    "SELECT relname::text, obj_description(oid, 'pg_class') FROM pg_class \
     WHERE relnamespace = 'public'::regnamespace AND relname NOT LIKE 'jetbase%' AND relkind IN ('r', 'v') ORDER BY relname",
];

const MYSQL: &[&str] = &[
    "SELECT CAST(table_name AS CHAR), CAST(column_name AS CHAR), CAST(column_type AS CHAR), \
     CAST(column_default AS CHAR), CAST(is_nullable AS CHAR), CAST(column_comment AS CHAR) \
     FROM information_schema.columns WHERE table_schema = DATABASE() AND table_name NOT LIKE 'jetbase%' \
     ORDER BY table_name, ordinal_position",
    "SELECT CAST(index_name AS CHAR), CAST(column_name AS CHAR) FROM information_schema.statistics \
     WHERE table_schema = DATABASE() AND table_name NOT LIKE 'jetbase%' ORDER BY table_name, index_name, seq_in_index",
    "SELECT CAST(table_name AS CHAR), CAST(view_definition AS CHAR) FROM information_schema.views \
     WHERE table_schema = DATABASE() ORDER BY table_name",
    "SELECT CAST(routine_name AS CHAR), CAST(routine_definition AS CHAR) FROM information_schema.routines \
     WHERE routine_schema = DATABASE() ORDER BY routine_name",
    "SELECT CAST(trigger_name AS CHAR), CAST(action_statement AS CHAR) FROM information_schema.triggers \
     WHERE trigger_schema = DATABASE() ORDER BY trigger_name",
];
