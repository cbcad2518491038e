//! Both tools write the same tables and rows.

use jetbase_test_harness::{
    Database, DatabaseKind, Needs, PythonProject, Suite, TestContext, TestError, TestResult,
    TextRows,
};

use super::{V1, V1_1, V2, V3, count, files, ours, texts, theirs};

pub(super) fn register(suite: &mut Suite) {
    let all = DatabaseKind::ALL;
    let python = Needs::PYTHON;
    suite.each("both_tools_write_equal_tables_and_rows", all, python, equal_tables);
    suite.each("the_python_tool_finds_the_latest_of_fast_migrations", all, python, fast_migrations);
    suite.each("timestamps_increase_after_one_from_the_future", all, python, future_timestamp);
    suite.each(
        "both_tools_write_timestamps_in_the_zone_of_the_database",
        &[DatabaseKind::Postgres],
        python,
        zones,
    );
    suite.each("our_tables_accept_a_version_only_once", all, python, recorded_once);
}

/// The definitions of the two tables, without the index that only jetbase creates.
async fn definitions(db: &Database) -> Result<TextRows, TestError> {
    match db.kind {
        DatabaseKind::Postgres => {
            db.rows(
                "SELECT table_name, column_name, ordinal_position, data_type, character_maximum_length, \
                 datetime_precision, is_nullable, column_default, is_identity, identity_generation \
                 FROM information_schema.columns WHERE table_name LIKE 'jetbase%' \
                 UNION ALL SELECT conrelid::regclass::text, conname, 0, pg_get_constraintdef(oid), 0, 0, '', '', '', '' \
                 FROM pg_constraint WHERE conrelid::regclass::text LIKE 'jetbase%' \
                 UNION ALL SELECT tablename, indexname, 0, indexdef, 0, 0, '', '', '', '' FROM pg_indexes \
                 WHERE tablename LIKE 'jetbase%' AND indexname <> 'jetbase_migrations_version' \
                 UNION ALL SELECT relname, relkind::text, 0, '', 0, 0, '', '', '', '' FROM pg_class \
                 WHERE relname LIKE 'jetbase%' AND relname <> 'jetbase_migrations_version' ORDER BY 1, 2, 3",
            )
            .await
        }
        DatabaseKind::Mysql => {
            // `DATABASE()` differs between the two, so it is not among the columns.
            db.rows(
                "SELECT table_name, column_name, ordinal_position, column_type, is_nullable, column_default, extra, \
                 datetime_precision FROM information_schema.columns WHERE table_schema = DATABASE() \
                 UNION ALL SELECT table_name, index_name, seq_in_index, column_name, non_unique, '', '', '' \
                 FROM information_schema.statistics WHERE table_schema = DATABASE() \
                 AND index_name <> 'jetbase_migrations_version' \
                 UNION ALL SELECT /*M!100000 table_name */ /*!50720 '' */, constraint_name, 0, check_clause, '', '', '', '' \
                 FROM information_schema.check_constraints WHERE constraint_schema = DATABASE() \
                 UNION ALL SELECT table_name, engine, 0, table_collation, '', '', '', '' \
                 FROM information_schema.tables WHERE table_schema = DATABASE() ORDER BY 1, 2, 3",
            )
            .await
        }
        DatabaseKind::Sqlite => {
            let mut rows = db.rows("PRAGMA table_info(jetbase_migrations)").await?;
            rows.append(&mut db.rows("PRAGMA table_info(jetbase_lock)").await?);
            rows.append(
                &mut db
                    .rows(
                        "SELECT type, name, tbl_name, sql LIKE '%CHECK (id = 1)%', sql LIKE '%AUTOINCREMENT%' \
                         FROM sqlite_master WHERE name <> 'jetbase_migrations_version' AND name LIKE '%jetbase%' \
                         ORDER BY name",
                    )
                    .await?,
            );
            Ok(rows)
        }
    }
}

async fn equal_tables(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[
        (
            "V01__zero_one.sql",
            "CREATE TABLE a (id INTEGER NOT NULL);\n-- rollback\nDROP TABLE a;\n",
        ),
        ("V1_2__under_scores__twice.sql", "INSERT INTO a (id) VALUES (1);\r\n"),
        (
            "deeper/V1.10__größe_日本.sql",
            "-- jetbase: delimiter=~\nINSERT INTO a (id)\n  VALUES (2)~\n",
        ),
        ("V20260101.120000___leading.sql", "-- nothing\n"),
        ("V20260102__v.5__dots.sql", "INSERT INTO a (id) VALUES (3);;\n"),
        ("RA__every time.sql", "DELETE FROM a WHERE id = 99;\n"),
        ("deeper/ROC__changed.sql", "DELETE FROM a WHERE id = 98;\n"),
    ])?;
    let other = ctx.another().await?;
    let report = ours(&project, &ctx.db).await?;
    assert_eq!(theirs(&project, &other).await?, files(&report));
    let rows = "SELECT order_executed, version, description, filename, migration_type, checksum \
                FROM jetbase_migrations ORDER BY order_executed";
    let rows = (ctx.db.rows(rows).await?, other.rows(rows).await?);
    assert_eq!(rows.0.len(), 7);
    assert_eq!(rows.0, rows.1);
    let lock = "SELECT id, is_locked, locked_at, process_id FROM jetbase_lock";
    assert_eq!(ctx.db.rows(lock).await?, other.rows(lock).await?);
    assert_eq!(definitions(&ctx.db).await?, definitions(&other).await?);
    // The timestamps have the same format and the same date.
    let timestamp = "SELECT max(applied_at) FROM jetbase_migrations";
    let timestamps = (ctx.db.value(timestamp).await?, other.value(timestamp).await?);
    let (Some(ours), Some(theirs)) = (&timestamps.0, &timestamps.1) else {
        return Err("no timestamps".into());
    };
    assert_eq!(ours.get(..10), theirs.get(..10));
    let length = if ctx.kind == DatabaseKind::Sqlite { 23 } else { 20 };
    assert!(ours.len() >= length && theirs.len() >= length, "{timestamps:?}");
    Ok(())
}

async fn fast_migrations(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1])?;
    for number in 2..=40 {
        project.write(
            &format!("V{number}__fast.sql"),
            &format!("INSERT INTO a (id) VALUES ({number});\n"),
        )?;
    }
    assert_eq!(ours(&project, &ctx.db).await?.applied.len(), 40);
    let timestamps =
        ctx.db.rows("SELECT applied_at FROM jetbase_migrations ORDER BY order_executed").await?;
    let timestamps: Vec<_> = timestamps.into_iter().flatten().collect();
    // The databases drop zeros at the end of a fraction.
    let timestamps: Vec<_> =
        timestamps.iter().map(|it| format!("{:0<26}", it.as_deref().unwrap_or_default())).collect();
    let ties: Vec<_> = timestamps.windows(2).filter(|pair| pair[0] >= pair[1]).collect();
    assert!(ties.is_empty(), "{ties:?}");
    let current = project.python(&ctx.db, &["current"]).await?.succeeded()?;
    assert!(current.lines().contains(&"Latest migration version: 40"), "{current:?}");
    let output = project.python(&ctx.db, &["rollback", "-c", "3"]).await?.succeeded()?;
    let undone =
        |line: &str| line.strip_prefix("Rollback applied successfully: ").map(str::to_owned);
    let undone: Vec<_> = output.lines().into_iter().filter_map(undone).collect();
    assert_eq!(undone, ["V40__fast.sql", "V39__fast.sql", "V38__fast.sql"]);
    Ok(())
}

async fn future_timestamp(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1, V1_1])?;
    ours(&project, &ctx.db).await?;
    // For example after a wrong clock, or from another time zone.
    ctx.db.execute("UPDATE jetbase_migrations SET applied_at = '2037-06-01 12:00:00.000' WHERE version = '1.1'").await?;
    project.write(V2.0, V2.1)?;
    project.write(V3.0, V3.1)?;
    assert_eq!(ours(&project, &ctx.db).await?.applied.len(), 2);
    let current = project.python(&ctx.db, &["current"]).await?.succeeded()?;
    assert!(current.lines().contains(&"Latest migration version: 3"), "{current:?}");
    assert!(theirs(&project, &ctx.db).await?.is_empty());
    Ok(())
}

async fn zones(ctx: TestContext) -> TestResult {
    for zone in ["Asia/Tokyo", "America/New_York"] {
        for ours_first in [true, false] {
            let db = ctx.another().await?;
            db.execute(&format!("ALTER DATABASE {} SET timezone = '{zone}'", db.name)).await?;
            let project = PythonProject::new()?;
            let mut is_our_turn = ours_first;
            for (number, (name, text)) in [V1, V2, V3].into_iter().enumerate() {
                project.write(name, text)?;
                if is_our_turn {
                    assert_eq!(files(&ours(&project, &db).await?), [name], "{zone}");
                    assert!(theirs(&project, &db).await?.is_empty(), "{zone}");
                } else {
                    assert_eq!(theirs(&project, &db).await?, [name], "{zone}");
                    assert!(ours(&project, &db).await?.is_up_to_date(), "{zone}");
                }
                let current = project.python(&db, &["current"]).await?.succeeded()?;
                let latest = format!("Latest migration version: {}", number + 1);
                assert!(current.lines().contains(&latest.as_str()), "{zone}: {current:?}");
                is_our_turn = !is_our_turn;
            }
            // Each timestamp is in the zone of the database.
            let off = "SELECT count(*) FROM jetbase_migrations \
                       WHERE abs(extract(epoch FROM applied_at - localtimestamp)) > 600";
            let own = format!("SET TIME ZONE '{zone}'; {off}");
            let own = db.rows(&own).await?;
            assert_eq!(texts(&own).last(), Some(&vec!["0"]), "{zone}");
            assert_eq!(count(&db, "jetbase_migrations").await?, "3");
        }
    }
    Ok(())
}

async fn recorded_once(ctx: TestContext) -> TestResult {
    let project = PythonProject::with(&[V1])?;
    ours(&project, &ctx.db).await?;
    let again = "INSERT INTO jetbase_migrations (version, description, filename, migration_type, checksum) \
                 SELECT version, description, filename, migration_type, checksum FROM jetbase_migrations";
    assert!(ctx.db.execute(again).await.is_err(), "a version was recorded twice");
    // Jetbase does not change tables that the Python tool created.
    let other = ctx.another().await?;
    theirs(&project, &other).await?;
    project.write(V2.0, V2.1)?;
    ours(&project, &other).await?;
    other.execute(&format!("{again} WHERE version = '1'")).await?;
    assert_eq!(count(&other, "jetbase_migrations").await?, "3");
    Ok(())
}
