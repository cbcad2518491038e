use super::*;
use crate::sql::dialect::{Dialect, Syntax};
use crate::sql::statements::statement;

fn reads_session(sql: &str, syntax: Syntax) -> bool {
    session_use(&statement(sql, syntax).unwrap()).reads
}

#[test]
fn what_reads_the_session_is_seen() {
    let reads: [(Dialect, &[&str]); 3] = [
        (
            Dialect::MySql,
            &[
                "INSERT INTO t VALUES (@x)",
                "SELECT @x := @x + 1",
                "SELECT @`a b`",
                "SELECT @'x'",
                "SELECT LAST_INSERT_ID()",
                "INSERT INTO t VALUES (row_count(), FOUND_ROWS())",
                "SELECT @@identity",
                "INSERT INTO t VALUES (@@session.last_insert_id)",
                "PREPARE s FROM @sql",
                "EXECUTE s USING @a",
                "CALL p(@x)",
                "/*!40101 SET SQL_MODE=@OLD_SQL_MODE */",
                "SELECT PREVIOUS VALUE FOR s",
                "SELECT 1; SELECT @x",
            ],
        ),
        (Dialect::Postgres, &["SELECT lastval()", "INSERT INTO t VALUES (currval('s'))"]),
        (
            Dialect::Sqlite,
            &["INSERT INTO t VALUES (last_insert_rowid())", "SELECT changes(), total_changes()"],
        ),
    ];
    for (dialect, statements) in reads {
        for sql in statements {
            assert!(reads_session(sql, Syntax::of(dialect)), "{dialect}: {sql}");
        }
    }
    let blind: [(Dialect, &[&str]); 3] = [
        (
            Dialect::MySql,
            &[
                "SET @x = 1, @y = 2",
                "SELECT @x := 1",
                "SELECT 1 INTO @x",
                "SELECT @@sql_mode, '@x', \"LAST_INSERT_ID()\" -- @x",
                "GRANT ALL ON t TO root@localhost",
                "CREATE DEFINER=`a`@`b` TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET NEW.a = @x",
                "SELECT last_insert_id FROM t",
            ],
        ),
        (
            Dialect::Postgres,
            &[
                "SELECT @ -5",
                "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT lastval() $$",
            ],
        ),
        (Dialect::Sqlite, &["SELECT @x, changes FROM t"]),
    ];
    for (dialect, statements) in blind {
        for sql in statements {
            assert!(!reads_session(sql, Syntax::of(dialect)), "{dialect}: {sql}");
        }
    }
}
