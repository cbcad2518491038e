//! How real migrations of each dialect are cut into statements.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "statements/properties.rs"]
mod properties;

use jetbase_core::{Dialect, Open, Script, Syntax, cut, pieces};

/// Cuts a text without its `¦` marks, and wants the pieces to end at the marks.
#[track_caller]
fn check(dialect: Dialect, delimiter: &str, marked: &str) {
    let text = marked.replace('¦', "");
    let found = pieces(&text, delimiter, Syntax::of(dialect)).unwrap();
    let found = found.iter().map(|piece| piece.text).collect::<Vec<_>>().join("¦");
    assert_eq!(found, marked.trim_end_matches('¦'), "{dialect}, delimiter {delimiter}");
}

/// Wants these statements of a text.
#[track_caller]
fn check_statements(dialect: Dialect, delimiter: &str, text: &str, statements: &[&str]) {
    let found = cut(text, delimiter, Syntax::of(dialect)).unwrap();
    let found = found.iter().map(|statement| statement.sql).collect::<Vec<_>>();
    assert_eq!(found, statements, "{dialect}, delimiter {delimiter}");
}

/// The texts that every dialect cuts in the same way at `;`.
const COMMON: [&str; 14] = [
    "",
    "\n \t",
    ";¦;¦",
    "SELECT 1",
    "SELECT 1;¦",
    "SELECT 1; -- done",
    "SELECT 1;¦ SELECT 2;¦\n\nSELECT 3",
    "-- first\nSELECT 1;¦\n-- second; with a semicolon\nSELECT 2;¦\n",
    "/* a; b */ SELECT 1;¦/* ' */ SELECT 2;¦",
    "INSERT INTO t VALUES ('a;b', 'it''s; -- no comment', '/*');¦SELECT 1;¦",
    "INSERT INTO t VALUES (N'a;b', X'3B', b'1');¦SELECT 1;¦",
    "SELECT a AS \"x;y\"\"z;\" FROM t;¦SELECT 2;¦",
    "INSERT INTO t VALUES ('line;\n-- not a comment;\n\nline');¦SELECT 1;¦",
    "CREATE TABLE begin_end (case_id INT);¦BEGIN;¦INSERT INTO begin_end VALUES (1);¦COMMIT;¦",
];

#[test]
fn blanks_of_unicode_between_statements_are_blanks() {
    for dialect in Dialect::ALL {
        for blank in ['\u{a0}', '\u{85}', '\u{2028}', '\u{3000}', '\x1c', '\x0b'] {
            let text = format!(
                "{blank}\n{blank}SELECT 1;{blank}\n{blank} -- two\n{blank}SELECT 2;{blank} \n{blank}"
            );
            check_statements(dialect, ";", &text, &["SELECT 1", "SELECT 2"]);
            let text = format!("SELECT 1 ~{blank}\n{blank}SELECT 2 ~{blank}\n{blank}");
            check_statements(dialect, "~", &text, &["SELECT 1", "SELECT 2"]);
            let script = Script::read("SELECT 1;\u{a0}\n");
            assert_eq!(
                jetbase_core::check("V1__a.sql", &script, &[Syntax::of(dialect)]).findings,
                []
            );
        }
        // Inside a statement, the server decides what they mean.
        check_statements(dialect, ";", "SELECT '\u{a0}';", &["SELECT '\u{a0}'"]);
    }
}

#[test]
fn every_dialect_cuts_plain_sql() {
    for dialect in Dialect::ALL {
        for text in COMMON {
            if let Some(text) = text.strip_suffix(" -- done") {
                check(dialect, ";", &format!("{text}¦ -- done"));
            } else {
                check(dialect, ";", text);
            }
        }
    }
}

#[test]
fn postgres_functions() {
    for text in [
        "CREATE FUNCTION f() RETURNS int AS $$ BEGIN RETURN 1; END; $$ LANGUAGE plpgsql;¦SELECT f();¦",
        "CREATE OR REPLACE FUNCTION f() RETURNS trigger AS $fn$\nBEGIN\n  -- it's; open\n  EXECUTE $q$SELECT ';'$q$;\n  RETURN NEW;\nEND\n$fn$ LANGUAGE plpgsql;¦\nSELECT 1;¦",
        "DO $$ BEGIN IF true THEN PERFORM 1; END IF; END $$;¦DO $do$ BEGIN NULL; END $do$;¦",
        "CREATE FUNCTION a(x int) RETURNS int LANGUAGE sql AS 'SELECT 1; SELECT ''x;''';¦SELECT 1;¦",
        "CREATE FUNCTION a(x int) RETURNS int LANGUAGE sql\nBEGIN ATOMIC\n SELECT 1;\n SELECT CASE WHEN x > 1 THEN 2 ELSE 3 END;\nEND;¦SELECT a(1);¦",
        "create or replace procedure p() begin atomic insert into t values (1); select t.end, 1 as end from t; end;¦select 1;¦",
        "CREATE FUNCTION a(\"begin\" int) RETURNS int RETURN 1;¦SELECT 1;¦",
        "CREATE PROCEDURE p() LANGUAGE plpgsql AS $a$ BEGIN COMMIT; END $a$;¦CALL p();¦",
        "BEGIN;¦INSERT INTO t VALUES (1);¦END;¦SELECT CASE WHEN true THEN 1 END;¦",
        "CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO a VALUES (1); INSERT INTO b VALUES (2););¦SELECT 1;¦",
    ] {
        check(Dialect::Postgres, ";", text);
    }
}

#[test]
fn postgres_quotes_and_comments() {
    for text in [
        r"SELECT 'a\';¦ SELECT E'it\'s; open', e'\\';¦SELECT U&'d\0061;', U&'\';¦SELECT B'1', X'F';¦",
        "SELECT E'a'\n  -- it goes on\n  'b\\'; c';¦SELECT 1;¦",
        "SELECT E'a' 'b\\';¦SELECT 1;¦",
        "SELECT U&\"d;\\0061\" FROM t;¦SELECT 1;¦",
        "/* outer /* inner; */ still; */ SELECT 1;¦SELECT 2;¦",
        "SELECT a$b$c FROM t;¦SELECT $1, $2 || $1;¦SELECT a$$b$$ FROM t;¦",
        "SELECT $$;$$, $a$;$b$;$$;$a$, $ä$;$ä$;¦SELECT 1;¦",
        "SELECT a#b, '{1}'::int[] @> ARRAY[1];¦SELECT x[1:2], y #>> '{a;b}';¦",
        "SELECT data->'a;' ? 'b', `c;¦ SELECT 5--1;\n;¦",
        "SELECT 1 /* -- */;¦SELECT 2 -- /*\n;¦SELECT 3;¦",
        "CREATE TABLE t (a int DEFAULT (1), b text CHECK (b <> ';'));¦COMMENT ON TABLE t IS $$it's; fine$$;¦",
    ] {
        check(Dialect::Postgres, ";", text);
    }
}

#[test]
fn mysql_quotes_and_comments() {
    for text in [
        r#"SELECT 'it\'s; open', "say \"hi;\"", 'C:\\';¦SELECT 1;¦"#,
        "SELECT `a;b``c`, \"it's;\"\"x\" FROM t;¦SELECT 1;¦",
        "SELECT 1; # one; two\n¦".strip_suffix('¦').unwrap(),
        "SELECT 5--1;¦SELECT 2 -- two;\n;¦--\nSELECT 3;¦SELECT 4--",
        "SELECT 1 /* /* */;¦SELECT /*+ NO_INDEX(t) ; */ 2;¦",
        "/*!40101 SET NAMES utf8 */;¦/*!50003 SELECT 'a */;'; SELECT 2 */;¦/*M!100100 SET a = 1 */;¦SELECT 3;¦",
        "SELECT $$;¦SELECT _utf8mb4'a;b', N'c\\';', x'3b';¦",
    ] {
        if text.starts_with("SELECT 1; #") {
            check(Dialect::MySql, ";", "SELECT 1;¦ # one; two\n");
        } else {
            check(Dialect::MySql, ";", text);
        }
    }
    check_statements(
        Dialect::MySql,
        ";",
        "/*!40101 SET NAMES utf8 */;\n/* a comment */;",
        &["/*!40101 SET NAMES utf8 */"],
    );
}

#[test]
fn mysql_routines() {
    for text in [
        "CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END;¦SELECT 3;¦",
        "CREATE DEFINER=`root`@`localhost` PROCEDURE p(IN a INT, OUT b INT)\nCOMMENT 'x; BEGIN'\nBEGIN\n IF a > 1 THEN SET b = 1; ELSEIF a = 0 THEN SET b = IF(a, 1, 2); ELSE SET b = 3; END IF;\nEND;¦SELECT 3;¦",
        "CREATE DEFINER = CURRENT_USER() FUNCTION f(a INT) RETURNS VARCHAR(10) CHARACTER SET utf8mb4 DETERMINISTIC\nRETURN IF(a > 1, CASE a WHEN 2 THEN 'b' END, REPEAT('x', 3));¦SELECT f(1);¦",
        "CREATE FUNCTION f() RETURNS SET('a') DETERMINISTIC BEGIN RETURN 'a'; END;¦SELECT f();¦",
        "CREATE AGGREGATE FUNCTION f(x INT) RETURNS INT BEGIN DECLARE s INT DEFAULT 0; DECLARE CONTINUE HANDLER FOR NOT FOUND BEGIN RETURN s; END; LOOP FETCH GROUP NEXT ROW; SET s = s + x; END LOOP; END;¦SELECT 1;¦",
        "CREATE FUNCTION myfunc RETURNS STRING SONAME 'x.so';¦SELECT 1;¦",
        "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET NEW.a = CASE WHEN NEW.a THEN 1 ELSE 2 END;¦SELECT 1;¦",
        "CREATE TRIGGER IF NOT EXISTS t AFTER UPDATE ON x FOR EACH ROW FOLLOWS u IF NEW.a > 1 THEN INSERT INTO y VALUES (1); END IF;¦SELECT 1;¦",
        "CREATE OR REPLACE TRIGGER t AFTER DELETE ON x FOR EACH ROW BEGIN UPDATE y SET begin = 1, end = 2; DELETE FROM z; END;¦SELECT 1;¦",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS NOW() ENDS NOW() DO BEGIN DELETE FROM x; DELETE FROM y; END;¦ALTER EVENT e DISABLE;¦ALTER EVENT e DO BEGIN SELECT 1; SELECT 2; END;¦SELECT 1;¦",
        "CREATE EVENT e ON SCHEDULE AT NOW() DO INSERT INTO x VALUES (IF(1, 2, 3));¦SELECT 1;¦",
        "CREATE PROCEDURE p() outer_loop: LOOP LEAVE outer_loop; END LOOP outer_loop;¦SELECT 1;¦",
        "CREATE PROCEDURE p() BEGIN\n a: WHILE x < 3 DO SET x = x + 1; END WHILE a;\n REPEAT SET x = 1; UNTIL x > 3 END REPEAT;\n b: BEGIN END b;\n CASE x WHEN 1 THEN SELECT 1; ELSE BEGIN END; END CASE;\n `c`: REPEAT SELECT 1; UNTIL 1 END REPEAT `c`;\n SELECT CASE x WHEN 1 THEN CASE 2 WHEN 2 THEN 3 END END;\nEND;¦SELECT 1;¦",
        "CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION, 1062 BEGIN ROLLBACK; RESIGNAL; END; START TRANSACTION; DROP TABLE IF EXISTS x; XA BEGIN 'a'; IF EXISTS (SELECT 1) THEN COMMIT; END IF; END;¦SELECT 1;¦",
        "CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR 1062 SET @a = IF(1, 2, 3); DECLARE c CURSOR FOR SELECT 1; FOR r IN (SELECT 1) DO SELECT r.a; END FOR; FOR i IN 1..3 DO SELECT @end, t.begin FROM t; END FOR; END;¦SELECT 1;¦",
        "BEGIN NOT ATOMIC DECLARE a INT; SET a = 1; END;¦BEGIN NOT ATOMIC IF 1 THEN SELECT 1; END IF; END;¦SELECT 1;¦",
        "BEGIN;¦SELECT 1;¦COMMIT;¦BEGIN WORK;¦XA BEGIN 'x';¦XA END 'x';¦START TRANSACTION;¦COMMIT;¦",
        "IF EXISTS (SELECT 1) THEN SELECT 1; SELECT 2; END IF;¦WHILE 0 DO SELECT 1; END WHILE;¦SELECT 1;¦",
        "CREATE TABLE IF NOT EXISTS t (a INT);¦DROP PROCEDURE IF EXISTS p;¦CREATE VIEW v AS SELECT IF(1, 2, 3);¦SHOW CREATE PROCEDURE p;¦",
        "/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`b`*/ /*!50003 TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN SET NEW.a = 1; END */;¦SELECT 1;¦",
        "CREATE PACKAGE BODY p AS FUNCTION f RETURN INT AS x INT; BEGIN RETURN 1; END; PROCEDURE q AS BEGIN SELECT 1; END; END;¦SELECT 1;¦",
        "CREATE OR REPLACE PACKAGE p AS FUNCTION f RETURN INT; PROCEDURE q(a INT); END;¦CREATE PACKAGE BODY p AS a INT; PROCEDURE q AS BEGIN NULL; END; BEGIN a := 1; END;¦SELECT 1;¦",
    ] {
        check(Dialect::MySql, ";", text);
    }
}

#[test]
fn mysql_delimiter_lines() {
    for text in [
        "DELIMITER //¦\nCREATE PROCEDURE p() BEGIN SELECT 1; END//¦\nCREATE PROCEDURE q() SELECT 2 //¦\nDELIMITER ;¦\nSELECT 1;¦SELECT 2;¦",
        "-- first\ndelimiter $$¦\nCREATE PROCEDURE p() BEGIN SELECT '$$; '; END$$¦\n\nDelimiter ;¦\nSELECT 1;¦",
        "DELIMITER ;;¦\nCREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN SET NEW.a = 1; END ;;¦\nDELIMITER ;¦ # back\nSELECT 1;¦".replace("DELIMITER ;¦ # back", "DELIMITER ; # back¦").as_str(),
        "SELECT 1;¦ DELIMITER |¦\nSELECT 1;|¦ SELECT 'a|b'|¦DELIMITER ;¦\nSELECT 2;¦",
        "DELIMITER GO¦\nSELECT 1 FROM LOGO GO¦ SELECT 2\nGO¦\nDELIMITER ;¦",
        "SELECT delimiter FROM t;¦SELECT 1\nDELIMITER //\n;¦DELIMITER;¦DELIMITER // x\n;¦",
    ] {
        check(Dialect::MySql, ";", text);
    }
    check_statements(
        Dialect::MySql,
        ";",
        "DELIMITER $$\nCREATE PROCEDURE p() BEGIN SELECT 1; END$$\nDELIMITER ;\nSELECT 2;",
        &["CREATE PROCEDURE p() BEGIN SELECT 1; END", "SELECT 2"],
    );
    check(Dialect::Postgres, ";", "DELIMITER //\nSELECT 1;¦//");
}

#[test]
fn sqlite_triggers_and_quotes() {
    for text in [
        "CREATE TRIGGER t AFTER INSERT ON x BEGIN UPDATE y SET a = 1; DELETE FROM z; END;¦SELECT 1;¦",
        "CREATE TEMP TRIGGER IF NOT EXISTS t UPDATE OF a ON x FOR EACH ROW WHEN new.a > 1 BEGIN SELECT CASE WHEN new.a THEN RAISE(ABORT, 'no; END;') END; END;¦SELECT 1;¦",
        "create temporary trigger t after insert on x begin\n  -- end;\n  insert into y values (case 1 when 2 then 3 end);\nend;¦select 1;¦",
        "CREATE TRIGGER \"begin\" INSTEAD OF INSERT ON v BEGIN SELECT 1; END ;¦EXPLAIN QUERY PLAN SELECT 1;¦",
        "CREATE TABLE [a;b] (`c;d` TEXT, \"e;\"\"f\" TEXT);¦SELECT [x''y;], x'3b';¦",
        r"SELECT 'a\';¦SELECT 'b';¦BEGIN IMMEDIATE;¦END;¦",
        "SELECT 1 /* /* */;¦SELECT 5--1;\n;¦SELECT '{}' -> '$.a;';¦SELECT $a, @b, :c, ?1;¦",
        "SELECT $a(');¦COMMIT;¦SELECT '2';¦SELECT $a::b(;'), @c(\"), :d([), ?1;¦SELECT 3;¦",
        "\u{feff}-- a byte order mark\nSELECT 1;¦",
    ] {
        check(Dialect::Sqlite, ";", text);
    }
    check_statements(Dialect::Sqlite, ";", "\u{feff}-- a\nSELECT 1;\u{feff}", &["SELECT 1"]);
}

#[test]
fn delimiters_of_files_count_at_line_ends() {
    for dialect in Dialect::ALL {
        check(dialect, "//", "SELECT 1; SELECT 2 //¦\nSELECT 8 // 2\n//  ¦\n\n");
        check(dialect, "~", "SELECT a ~ 'b' ~¦\nSELECT '~\n' ~\t¦\nSELECT 1");
        check(dialect, "GO", "SELECT 1 FROM LOGO\nGO¦\nSELECT 2 GO¦\nGO 5\ngo\nGO_\nGO¦");
        check(
            dialect,
            ";;",
            "SELECT 1; ;;¦\nSELECT 2;;;¦\nSELECT 3".replace("2;;;", "2;;").as_str(),
        );
        check(dialect, "END;", "BEGIN; SEND;\nEND;¦\nSELECT 1 END; --\nEND;¦");
        check(dialect, "//", "SELECT 1 // -- not the end\n//¦\n-- //\n/*\n//\n*/ SELECT 2 //¦");
        check(dialect, "$$", "CREATE PROCEDURE p() BEGIN SELECT 1; END$$¦\nSELECT 1 $$¦");
        check(dialect, "--", "SELECT 1 --¦\nSELECT 2 -- two\n--¦");
        check(dialect, "§", "SELECT 1 END§¦\nSELECT 2§¦");
        check(dialect, "//", "SELECT 1 //\u{a0}¦\nSELECT 2 //¦");
    }
    check(Dialect::Sqlite, "$$", "SELECT :a$$¦\nSELECT $b$$¦\nSELECT 1");
    let text = "-- jetbase: delimiter=~\nCREATE TABLE a (b INT);\n~\n\n-- nothing\n~\nSELECT 2 ~";
    check_statements(Dialect::Postgres, "~", text, &["CREATE TABLE a (b INT);", "SELECT 2"]);
    check(Dialect::MySql, "~", "SELECT 1; ~¦\nDELIMITER //¦\nSELECT 1~ //¦ SELECT 2//¦");
}

#[test]
fn a_statement_without_delimiter_is_not_terminated() {
    for (text, terminated) in [("SELECT 1", false), ("SELECT 1 -- ;", false), ("SELECT 1 ;", true)]
    {
        for dialect in Dialect::ALL {
            let statements = cut(text, ";", Syntax::of(dialect)).unwrap();
            assert_eq!(statements.last().unwrap().terminated, terminated, "{dialect}: {text}");
        }
    }
    let trigger = "CREATE TRIGGER t AFTER INSERT ON x BEGIN SELECT 1; END";
    assert!(!cut(trigger, ";", Syntax::of(Dialect::Sqlite)).unwrap().first().unwrap().terminated);
}

#[test]
fn what_is_never_closed_is_named() {
    let postgres = Syntax::of(Dialect::Postgres);
    let mysql = Syntax::of(Dialect::MySql);
    let sqlite = Syntax::of(Dialect::Sqlite);
    for (syntax, text, at, open, message) in [
        (postgres, "SELECT 'a", 7, Open::String, "this string is never closed"),
        (postgres, "SELECT 1; E'\\'", 10, Open::String, "this string is never closed"),
        (postgres, "SELECT \"a", 7, Open::Identifier, "this quoted identifier is never closed"),
        (postgres, "U&\"a", 0, Open::Identifier, "this quoted identifier is never closed"),
        (postgres, "/* /* */", 0, Open::Comment, "this comment is never closed"),
        (
            postgres,
            "AS $fn$ $$",
            3,
            Open::DollarQuote("$fn$".into()),
            "the dollar quote $fn$ is never closed",
        ),
        (
            postgres,
            "SELECT (1; SELECT 2;",
            7,
            Open::Parenthesis,
            "this parenthesis is never closed",
        ),
        (
            postgres,
            "CREATE FUNCTION f() BEGIN ATOMIC SELECT 1;",
            20,
            Open::Body,
            "this block has no END",
        ),
        (mysql, "SELECT \"a", 7, Open::String, "this string is never closed"),
        (mysql, "SELECT `a", 7, Open::Identifier, "this quoted identifier is never closed"),
        (mysql, "/*! SELECT 1;", 0, Open::Comment, "this comment is never closed"),
        (
            mysql,
            "CREATE PROCEDURE p() BEGIN IF 1 THEN SELECT 1; END;",
            21,
            Open::Body,
            "this block has no END",
        ),
        (sqlite, "SELECT $a(' ;", 7, Open::Parenthesis, "this parenthesis is never closed"),
        (sqlite, "SELECT [a", 7, Open::Identifier, "this quoted identifier is never closed"),
        (sqlite, "SELECT 1; /* a", 10, Open::Comment, "this comment is never closed"),
        (sqlite, "CREATE TRIGGER t BEGIN SELECT 1;", 17, Open::Body, "this block has no END"),
    ] {
        let error = cut(text, ";", syntax).unwrap_err();
        assert_eq!((error.at, &error.open), (at, &open), "{text}");
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn the_settings_of_a_server_change_the_cut() {
    let plain = Syntax { backslash_escapes: false, ..Syntax::of(Dialect::MySql) };
    let escapes = Syntax { backslash_escapes: true, ..Syntax::of(Dialect::Postgres) };
    assert_eq!(cut(r"SELECT 'a\'; SELECT 'b';", ";", plain).unwrap().len(), 2);
    assert_eq!(cut(r"SELECT 'a\'; SELECT b';", ";", escapes).unwrap().len(), 1);
    let ansi = Syntax { ansi_quotes: true, ..Syntax::of(Dialect::MySql) };
    assert_eq!(cut(r#"SELECT "a\"; SELECT "b";"#, ";", ansi).unwrap().len(), 2);
}

/// The comments that servers of different versions read differently, and where each one opens.
#[test]
fn comments_of_some_servers_are_refused_where_they_hide_something() {
    let unknown = Syntax::of(Dialect::MySql);
    for (text, at) in [
        ("SELECT 1; /*!80000 don't */ SELECT 2;", 10),
        ("/*!80000 + ' */; COMMIT; SELECT '1' -- */", 0),
        ("SELECT 1 /*!80000 -- */\n+ 2; */;", 9),
        ("SELECT 1 /*M! + /* a */ 1 */;", 9),
        ("/*M!100100 it's */;", 0),
        ("/*! /*!80000 a */;", 4),
        ("/*!80000 SELECT 1;", 0),
        ("/*M!999999 /* a */ */;", 0),
        ("CREATE PROCEDURE p() /*!80000 BEGIN */ SELECT 1; /*!80000 SELECT 2; END */;", 21),
    ] {
        let error = cut(text, ";", unknown).expect_err(text);
        assert_eq!((error.at, &error.open), (at, &Open::Versions), "{text}");
        assert_eq!(
            error.to_string(),
            "servers of different versions read this comment differently"
        );
    }
    for text in [
        "/*!99999 don't */;¦SELECT 1;¦",
        "/*!999999 don't; /* a; */ ' */;¦SELECT 1;¦",
        "/*M!999999\\- enable the sandbox mode */¦".trim_end_matches('¦'),
        "/*!50717 SELECT 'a;' INTO @a */;¦/*!80016 DEFAULT ENCRYPTION='N' */;¦",
        "CREATE TABLE t (a INT /*!80023 INVISIBLE */) /*!50100 PARTITION BY KEY(a) */;¦SELECT 1;¦",
        "/*!99999 + ' */;¦ COMMIT;¦ SELECT '1' -- */",
    ] {
        check(Dialect::MySql, ";", text);
    }
}

#[test]
fn a_known_server_is_followed() {
    let text = "/*!80000 + ' */; COMMIT; SELECT ' */ -- '\n; SELECT 2;";
    for (version, count) in
        [("8.0.36", 2), ("9.7.0", 2), ("5.7.44", 3), ("10.11.6-MariaDB", 3), ("11.8.2-MariaDB", 3)]
    {
        let found = cut(text, ";", Syntax::of_server(version)).expect(version);
        assert_eq!(found.len(), count, "{version}");
    }
    for (version, text, closed) in [
        ("8.0.36", "/*!80000 don't */;", false),
        ("8.0.36", "/*!80037 don't */;", true),
        ("8.0.36", "/*M!50000 don't */;", true),
        ("9.7.0", "/*!080036 don't */;", false),
        ("9.7.0", "/*!100100 don't */;", true),
        ("10.11.6-MariaDB", "/*!50700 don't */;", true),
        ("10.11.6-MariaDB", "/*M!50700 don't */;", false),
        ("10.11.6-MariaDB", "/*!50699 don't */;", false),
        ("10.11.6-MariaDB", "/*!101106 don't */;", false),
        ("10.11.6-MariaDB", "/*!101107 don't */;", true),
        ("10.11.6-MariaDB", "/*! don't */;", false),
        ("10.11.6-MariaDB", "/*!99999 /* a */ don't */;", true),
        ("10.11.6-MariaDB", "/*!99999 /* a */", false),
        ("8.0.36", "/* a /* b */;", true),
    ] {
        assert_eq!(cut(text, ";", Syntax::of_server(version)).is_ok(), closed, "{version}: {text}");
    }
}

#[test]
fn a_set_of_sql_mode_changes_the_cut_behind_it() {
    for text in [
        "SET sql_mode = 'NO_BACKSLASH_ESCAPES';¦SELECT '\\';¦COMMIT;¦SELECT '\\';¦",
        "SET sql_mode = 'ANSI_QUOTES';¦SELECT \"\\\";¦SELECT \"\\\";¦",
        "/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_BACKSLASH_ESCAPES' */;¦SELECT '\\';¦/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;¦SELECT '\\';';¦SELECT 1;¦",
        "SET sql_mode = 'NO_BACKSLASH_ESCAPES';¦SELECT '\\';¦SET SESSION sql_mode = DEFAULT;¦SELECT '\\';';¦",
        "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';¦SELECT '\\';';¦",
        "DELIMITER //¦\nSET sql_mode = 'NO_BACKSLASH_ESCAPES' //¦ SELECT '\\' //¦ SELECT 1//¦",
    ] {
        check(Dialect::MySql, ";", text);
    }
    let text = "SELECT 1; SET sql_mode = concat(@@sql_mode, ',ANSI_QUOTES');";
    let error = cut(text, ";", Syntax::of(Dialect::MySql)).unwrap_err();
    assert_eq!((error.at, &error.open), (10, &Open::SqlMode));
    assert_eq!(error.to_string(), "this sets sql_mode to a value that the file does not show");
    let only_some = "/*!80000 SET sql_mode = 'ANSI_QUOTES' */; SELECT \"a\";";
    let error = cut(only_some, ";", Syntax::of(Dialect::MySql)).unwrap_err();
    assert_eq!(error.open, Open::Versions);
    assert_eq!(cut(only_some, ";", Syntax::of_server("8.0.36")).unwrap().len(), 2);
    for dialect in [Dialect::Postgres, Dialect::Sqlite] {
        check(dialect, ";", "SET sql_mode = f();¦SELECT '\\';¦SELECT 1;¦");
    }
}
