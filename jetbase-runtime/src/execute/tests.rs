use jetbase_core::{Goal, Name, Options, Policy, SourceFile, Until, plan};

use super::*;

#[test]
fn a_text_that_was_not_hashed_is_not_run() {
    // Such a file results from a build in which the macro and the compiler read different texts of
    // the same length. See `moment` in the macro's tests.
    let file = SourceFile {
        path: "V1__a.sql".to_owned(),
        name: Name::parse("V1__a.sql").unwrap(),
        text: "SELECT 2;\n".to_owned(),
        checksum: Script::read("SELECT 1;\n").checksum(),
    };
    let set = Migrations::load(vec![file], Options::default());
    let goal = Goal::Upgrade(Until::default());
    let plan = plan(&set, &[], &goal, &Policy::default()).unwrap();
    let error = prepare(&set, &plan, Syntax::of(Dialect::Sqlite)).err().unwrap();
    assert_eq!(
        error.to_string(),
        "V1__a.sql was changed while this program was compiled; compile it again"
    );
}
