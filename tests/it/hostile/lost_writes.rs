use jetbase_test_harness::DatabaseKind;

/// How a table loses a write: a description and the SQL.
pub(super) type LostWrite = (&'static str, &'static str);

/// A trigger of PostgreSQL with this body.
macro_rules! trigger {
    ($name:literal, $when:literal, $table:literal, $body:literal) => {
        (
            $name,
            concat!(
                "CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ",
                $body,
                " END $$; CREATE TRIGGER forge ",
                $when,
                " ON ",
                $table,
                " FOR EACH ROW EXECUTE FUNCTION forge()"
            ),
        )
    };
}

/// How an INSERT into the history can be lost or changed.
pub(super) fn lost_inserts(kind: DatabaseKind) -> &'static [LostWrite] {
    match kind {
        DatabaseKind::Postgres => &[
            ("a rule", "CREATE RULE forge AS ON INSERT TO jetbase_migrations DO INSTEAD NOTHING"),
            trigger!(
                "a trigger that drops the row",
                "BEFORE INSERT",
                "jetbase_migrations",
                "RETURN NULL;"
            ),
            trigger!(
                "another version",
                "BEFORE INSERT",
                "jetbase_migrations",
                "NEW.version := '77'; RETURN NEW;"
            ),
            trigger!(
                "no version",
                "BEFORE INSERT",
                "jetbase_migrations",
                "NEW.version := NULL; RETURN NEW;"
            ),
            trigger!(
                "another file",
                "BEFORE INSERT",
                "jetbase_migrations",
                "NEW.filename := 'x'; RETURN NEW;"
            ),
            trigger!(
                "another kind",
                "BEFORE INSERT",
                "jetbase_migrations",
                "NEW.migration_type := 'RUNS_ALWAYS'; RETURN NEW;"
            ),
            trigger!(
                "another checksum",
                "BEFORE INSERT",
                "jetbase_migrations",
                "NEW.checksum := repeat('0', 64); RETURN NEW;"
            ),
            trigger!(
                "deleted afterwards",
                "AFTER INSERT",
                "jetbase_migrations",
                "DELETE FROM jetbase_migrations WHERE version = NEW.version; RETURN NULL;"
            ),
            trigger!(
                "renamed afterwards",
                "AFTER INSERT",
                "jetbase_migrations",
                "UPDATE jetbase_migrations SET filename = 'x' WHERE version = NEW.version; RETURN NULL;"
            ),
        ],
        DatabaseKind::Sqlite => &[
            (
                "ignored",
                "CREATE TRIGGER forge BEFORE INSERT ON jetbase_migrations BEGIN SELECT RAISE(IGNORE); END",
            ),
            (
                "deleted afterwards",
                "CREATE TRIGGER forge AFTER INSERT ON jetbase_migrations BEGIN DELETE FROM jetbase_migrations WHERE version = NEW.version; END",
            ),
            (
                "another version",
                "CREATE TRIGGER forge AFTER INSERT ON jetbase_migrations BEGIN UPDATE jetbase_migrations SET version = '77' WHERE version = NEW.version; END",
            ),
            (
                "another file",
                "CREATE TRIGGER forge AFTER INSERT ON jetbase_migrations BEGIN UPDATE jetbase_migrations SET filename = 'x' WHERE version = NEW.version; END",
            ),
            (
                "another checksum",
                "CREATE TRIGGER forge AFTER INSERT ON jetbase_migrations BEGIN UPDATE jetbase_migrations SET checksum = 'x' WHERE version = NEW.version; END",
            ),
        ],
        DatabaseKind::Mysql => &[
            (
                "another file",
                "CREATE TRIGGER forge BEFORE INSERT ON jetbase_migrations FOR EACH ROW SET NEW.filename = 'x'",
            ),
            (
                "another version",
                "CREATE TRIGGER forge BEFORE INSERT ON jetbase_migrations FOR EACH ROW SET NEW.version = '77'",
            ),
            (
                "no version",
                "CREATE TRIGGER forge BEFORE INSERT ON jetbase_migrations FOR EACH ROW SET NEW.version = NULL",
            ),
            (
                "another kind",
                "CREATE TRIGGER forge BEFORE INSERT ON jetbase_migrations FOR EACH ROW SET NEW.migration_type = 'RUNS_ALWAYS'",
            ),
            (
                "another checksum",
                "CREATE TRIGGER forge BEFORE INSERT ON jetbase_migrations FOR EACH ROW SET NEW.checksum = REPEAT('0', 64)",
            ),
        ],
    }
}

/// How an UPDATE of a column can be lost.
pub(super) fn lost_updates(
    kind: DatabaseKind,
    table: &str,
    column: &str,
) -> Vec<(&'static str, String)> {
    match kind {
        DatabaseKind::Postgres => vec![
            ("a rule", format!("CREATE RULE forge AS ON UPDATE TO {table} DO INSTEAD NOTHING")),
            (
                "a trigger that drops the row",
                format!(
                    "CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
                     CREATE TRIGGER forge BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION forge()"
                ),
            ),
            (
                "a trigger that keeps the old row",
                format!(
                    "CREATE FUNCTION forge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN OLD; END $$;
                     CREATE TRIGGER forge BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION forge()"
                ),
            ),
        ],
        DatabaseKind::Sqlite => vec![
            (
                "ignored",
                format!("CREATE TRIGGER forge BEFORE UPDATE ON {table} BEGIN SELECT RAISE(IGNORE); END"),
            ),
            (
                "restored afterwards",
                format!(
                    "CREATE TRIGGER forge AFTER UPDATE ON {table} WHEN OLD.{column} IS NOT NEW.{column}
                     BEGIN UPDATE {table} SET {column} = OLD.{column} WHERE rowid = NEW.rowid; END"
                ),
            ),
        ],
        DatabaseKind::Mysql => vec![(
            "the old value",
            format!("CREATE TRIGGER forge BEFORE UPDATE ON {table} FOR EACH ROW SET NEW.{column} = OLD.{column}"),
        )],
    }
}

/// How a DELETE from the history can be lost.
pub(super) fn lost_deletes(kind: DatabaseKind) -> &'static [LostWrite] {
    match kind {
        DatabaseKind::Postgres => &[
            ("a rule", "CREATE RULE forge AS ON DELETE TO jetbase_migrations DO INSTEAD NOTHING"),
            trigger!(
                "a trigger that keeps the row",
                "BEFORE DELETE",
                "jetbase_migrations",
                "RETURN NULL;"
            ),
        ],
        _ => &[(
            "ignored",
            "CREATE TRIGGER forge BEFORE DELETE ON jetbase_migrations BEGIN SELECT RAISE(IGNORE); END",
        )],
    }
}
