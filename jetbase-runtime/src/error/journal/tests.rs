use super::*;
use crate::error::{Error, ErrorKind, Kept, Outcome};

fn unfinished(in_doubt: Option<usize>) -> Unfinished {
    Unfinished {
        file: "V3__shop.sql".to_owned(),
        direction: Direction::Upgrade,
        done: 4,
        in_doubt,
        leftover: None,
    }
}

#[test]
fn texts_of_unfinished_files() {
    let (file, direction) = ("shop/V3__shop.sql".to_owned(), Direction::Upgrade);
    let position = Some(Position { line: 7, column: 1 });
    let recorded = "6:1".to_owned();
    let errors = [
        JournalError::Changed {
            file: file.clone(),
            direction,
            statement: 3,
            position,
            recorded: recorded.clone(),
        },
        JournalError::Changed {
            file: file.clone(),
            direction: Direction::Rollback,
            statement: 3,
            position: None,
            recorded: recorded.clone(),
        },
        JournalError::InDoubt { file: file.clone(), direction, statement: 5, position, recorded },
        JournalError::SessionEnded {
            file: file.clone(),
            direction,
            statement: 2,
            position,
            done: 4,
        },
        JournalError::Invalid { file: file.clone(), direction },
        JournalError::FileGone(unfinished(Some(5))),
        JournalError::Unfinished(unfinished(None)),
        JournalError::NotUnfinished { file: "V1__a.sql".to_owned() },
        JournalError::NothingToResume,
        JournalError::NoStatement { file: file.clone(), statements: 6 },
        JournalError::NoStatement { file, statements: 1 },
    ];
    let texts: Vec<_> = errors.into_iter().map(|it| Error::from(it).to_string()).collect();
    insta::assert_snapshot!(texts.join("\n"), @"
shop/V3__shop.sql:7:1: statement 3 was changed after it had been executed (then at 6:1), and its effect is permanent; restore its text and correct only the statements after the permanent ones, or change the database by hand and run `jetbase upgrade --resume-at N`, where N is the next statement to execute
shop/V3__shop.sql: statement 3 was removed after it had been executed (then at 6:1), and its effect is permanent; restore its text and correct only the statements after the permanent ones, or change the database by hand and run `jetbase rollback --resume-at N`, where N is the next statement to execute
shop/V3__shop.sql:7:1: statement 5 (executed at 6:1) is in doubt: its run was interrupted, or it failed in its middle, and the database does not show whether it has taken effect; look at the database, then run `jetbase upgrade --resume-after 5` if it has taken effect, or `jetbase upgrade --resume-at 5` to execute it again
shop/V3__shop.sql:7:1: statement 2 has made something that ended with its session, such as a temporary table or a variable, so the rest of the file cannot go on alone; its first 4 statements are permanent: move the rest into a new file that makes it again, remove it here, and run `jetbase upgrade`
the rows of jetbase_journal about shop/V3__shop.sql do not fit together, because somebody has changed them; look at the database, then run `jetbase upgrade --resume-at N`, where N is the next statement to execute
V3__shop.sql is unfinished: its first 4 statements are permanent, and statement 5 may have taken effect, because its run was interrupted, but the migrations have no file of this name; restore the file, or undo its statements by hand and run `jetbase journal clear V3__shop.sql`
V3__shop.sql is unfinished: its first 4 statements are permanent; run `jetbase upgrade` to finish it first, or undo its statements by hand and run `jetbase journal clear V3__shop.sql`
the journal has no rows about V1__a.sql; run `jetbase journal` to see which files are unfinished
no file is unfinished, so there is nothing to resume; run again without it
shop/V3__shop.sql has 6 statements in this section; name the number of one of them
shop/V3__shop.sql has one statement in this section; name the number 1
");
}

#[test]
fn texts_about_a_statement_in_doubt() {
    let lost = |done, in_doubt| {
        let (file, message) =
            ("V2__b.sql".to_owned(), "the server closed the connection".to_owned());
        let outcome = Outcome::Unfinished { done, in_doubt };
        ErrorKind::Interrupted { file, outcome, message }.to_string()
    };
    let kept = |done| {
        let file = Some("V2__b.sql".to_owned());
        ErrorKind::LockLost { file, kept: Kept::InDoubt { done } }.to_string()
    };
    let texts = [lost(0, Some(1)), lost(1, None), lost(4, Some(5)), kept(0), kept(2)];
    insta::assert_snapshot!(texts.join("\n"), @"
the connection was lost during V2__b.sql (the server closed the connection); the file is not recorded, and no statement of it is known to be permanent; statement 1 may have taken effect: run again, and the run finds it out or asks for it
the connection was lost during V2__b.sql (the server closed the connection); the file is not recorded, and its first statement is permanent: run again, and the run goes on at statement 2
the connection was lost during V2__b.sql (the server closed the connection); the file is not recorded, and its first 4 statements are permanent; statement 5 may have taken effect: run again, and the run finds it out or asks for it
another process took the migration lock away during the run; V2__b.sql is not recorded, statement 1 may have taken effect in part: look at the database, complete or undo it by hand, then run again with `--resume-after 1` or `--resume-at 1`
another process took the migration lock away during the run; V2__b.sql is not recorded, its first 2 statements are permanent, and statement 3 may have taken effect in part: look at the database, complete or undo it by hand, then run again with `--resume-after 3` or `--resume-at 3`
");
}
