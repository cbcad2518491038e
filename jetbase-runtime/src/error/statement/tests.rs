use jetbase_core::Position;

use super::*;
use crate::error::ErrorKind;

const PARTITION: &str = "public.p";

#[test]
fn texts_of_stopped_files() {
    let statement =
        |statement: Option<(usize, usize)>, code: &str, kept, leftover: Option<&str>| {
            let position = Some(Position { line: 7, column: 1 });
            ErrorKind::Stopped(Box::new(StatementError {
                file: "V2__b.sql".to_owned(),
                position: position.filter(|_| statement.is_some()),
                snippet: String::new(),
                message: "the message of the database".to_owned(),
                code: code.to_owned(),
                detail: None,
                context: None,
                hint: None,
                statement,
                leftover: leftover.filter(|it| *it != PARTITION).map(str::to_owned),
                detaching: leftover.filter(|it| *it == PARTITION).map(str::to_owned),
                kept,
            }))
        };
    let errors = [
        statement(Some((2, 3)), "57014", Kept::Nothing, None),
        statement(Some((2, 3)), "57014", Kept::Nothing, Some("public.i")),
        statement(Some((2, 3)), "57014", Kept::Nothing, Some(PARTITION)),
        statement(Some((2, 3)), "1317", Kept::Statements(1), None),
        statement(Some((3, 3)), "", Kept::Statements(2), None),
        statement(Some((2, 3)), "1317", Kept::InDoubt { done: 1 }, None),
        statement(None, "57014", Kept::Nothing, None),
    ];
    let texts: Vec<_> = errors.iter().map(|error| error.to_string()).collect();
    insta::assert_snapshot!(texts.join("\n"), @r"
V2__b.sql:7:1: statement 2 of 3 was cancelled, because the run was asked to stop
nothing of this file was kept: run again
V2__b.sql:7:1: statement 2 of 3 was cancelled, because the run was asked to stop
the invalid index public.i remains; the next run drops it and builds it again
nothing else of this file was kept: run again
V2__b.sql:7:1: statement 2 of 3 was cancelled, because the run was asked to stop
the partition public.p is still being detached; the next run completes it
nothing else of this file was kept: run again
V2__b.sql:7:1: statement 2 of 3 was cancelled, because the run was asked to stop
its first statement is permanent: run again, and the run goes on at statement 2
V2__b.sql:7:1: the run was asked to stop before statement 3 of 3
its first 2 statements are permanent: run again, and the run goes on at statement 3
V2__b.sql:7:1: statement 2 of 3 was cancelled, because the run was asked to stop
its first statement is permanent, and statement 2 may have taken effect in part: look at the database, complete or undo it by hand, then run again with `--resume-after 2` or `--resume-at 2`
V2__b.sql: the run was asked to stop before the file was recorded
nothing of this file was kept: run again
");
}

#[test]
fn a_failed_statement_shows_the_function_that_failed() {
    let error = StatementError {
        file: "V2__b.sql".to_owned(),
        position: Some(Position { line: 7, column: 1 }),
        snippet: String::new(),
        message: "no".to_owned(),
        code: "P0001".to_owned(),
        detail: None,
        context: Some(
            "PL/pgSQL function f() line 3 at RAISE\nSQL statement \"SELECT f()\"".to_owned(),
        ),
        hint: Some("the hint".to_owned()),
        statement: Some((2, 3)),
        leftover: None,
        detaching: None,
        kept: Kept::Nothing,
    };
    insta::assert_snapshot!(error, @r#"
V2__b.sql:7:1: statement 2 of 3 failed: no (P0001)
   = context: PL/pgSQL function f() line 3 at RAISE
   = context: SQL statement "SELECT f()"
   = hint: the hint
nothing of this file was kept; correct it and run again
"#);
}
