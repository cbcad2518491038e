use super::{StatementPart, statement};
use crate::sql::dialect::{Dialect, Syntax};
use crate::sql::modes::{Modes, Unclear};

#[track_caller]
fn follow(statements: &[&str]) -> Result<(bool, bool), Unclear> {
    let mut modes = Modes::of(Syntax::of(Dialect::MySql));
    let mut syntax = Syntax::of(Dialect::MySql);
    for sql in statements {
        let statement = statement(sql, syntax).unwrap();
        let parts: Vec<_> = statement.parts().map(StatementPart::to_vec).collect();
        if parts.len() > 1 || Modes::may_change(sql, statement.first()) {
            syntax = modes.after(&parts)?;
        }
    }
    Ok((syntax.ansi_quotes, syntax.backslash_escapes))
}

#[test]
fn literals_are_followed() {
    for sql in [
        "SET sql_mode = 'ANSI_QUOTES'",
        "SET SESSION sql_mode = \"STRICT_ALL_TABLES,ansi\"",
        "set @@sql_mode := 'ORACLE'",
        "SET @@SESSION.sql_mode = ANSI_QUOTES",
        "SET @@local.`sql_mode` = 'DB2'",
        "/*!40101 SET a = 1, SQL_MODE='ANSI' */",
        "SET GLOBAL a = 1, SESSION sql_mode = 'ANSI'",
        "SET LOCAL b = f(1, 2), sql_mode = 'ANSI'",
    ] {
        assert_eq!(follow(&[sql]), Ok((true, true)), "{sql}");
    }
    for sql in ["SET sql_mode = 'NO_BACKSLASH_ESCAPES'", "SET x=1, sql_mode=NO_BACKSLASH_ESCAPES"] {
        assert_eq!(follow(&[sql]), Ok((false, false)), "{sql}");
    }
    for sql in [
        "SET sql_mode = ''",
        "SET sql_mode = 0",
        "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO'",
        "SET sql_mode = @@sql_mode",
        "SET GLOBAL sql_mode = 'ANSI_QUOTES'",
        "SET GLOBAL a = 1, sql_mode = 'ANSI_QUOTES'",
        "SET PERSIST sql_mode = concat('a')",
        "SET @@global.sql_mode = 'ANSI_QUOTES'",
        "SET STATEMENT sql_mode = 'ANSI_QUOTES' FOR SELECT 1",
        "SET @sql_mode = 'ANSI_QUOTES'",
        "SELECT 1; SET sql_mode = ''; SET @x = 1",
        "SELECT 'SET sql_mode = ''ANSI_QUOTES'''",
        "CREATE PROCEDURE p() BEGIN SET sql_mode = 'ANSI_QUOTES'; END",
    ] {
        assert_eq!(follow(&[sql]), Ok((false, true)), "{sql}");
    }
}

#[test]
fn variables_give_back_what_they_hold() {
    let ansi = "SET sql_mode = 'ANSI_QUOTES'";
    for (statements, ansi_quotes) in [
        (vec!["SET @OLD=@@SQL_MODE, SQL_MODE='ANSI'", "SET SQL_MODE=@old"], false),
        (vec![ansi, "SET @a = @@sql_mode", "SET sql_mode = ''", "SET sql_mode = @`a`"], true),
        (vec![ansi, "SET sql_mode = DEFAULT"], false),
        (vec![ansi, "SET sql_mode = @@global.sql_mode"], false),
        (vec![ansi, "SET sql_mode = @never"], false),
        (vec!["SET @a.b = @@session.sql_mode", ansi, "SET sql_mode = @a.b"], false),
    ] {
        assert_eq!(follow(&statements), Ok((ansi_quotes, true)), "{statements:?}");
    }
}

#[test]
fn what_the_text_does_not_show_is_refused() {
    for statements in [
        vec!["SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')"],
        vec!["SET sql_mode = (SELECT 'ANSI_QUOTES')"],
        vec!["SET sql_mode = 4"],
        vec!["SET @@session.sql_mode = @@x"],
        vec!["SET @a = 'ANSI_QUOTES'", "SET sql_mode = @a"],
        vec!["SELECT 'ANSI_QUOTES' INTO @a", "SET sql_mode = @A"],
        vec!["SELECT @a := 'ANSI_QUOTES'", "/*!40101 SET sql_mode = @a */"],
        vec!["SET @a = concat(@@sql_mode, 'x')", "SET sql_mode = @a"],
    ] {
        assert_eq!(follow(&statements), Err(Unclear::Value), "{statements:?}");
    }
    let joined = ["SET sql_mode = 'ANSI_QUOTES'; SELECT 1"];
    assert_eq!(follow(&joined), Err(Unclear::Joined));
}
