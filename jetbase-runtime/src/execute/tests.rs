use jetbase_core::{Goal, Name, Options, Policy, SourceFile, Until, lexed_bytes, plan};

use super::*;

#[test]
fn a_text_that_was_not_hashed_is_not_run() {
    // Such a file results from a build in which the macro and the compiler read different texts of
    // the same length. See `concurrent_change` in the macro's tests.
    let file = SourceFile {
        path: "V1__a.sql".to_owned(),
        name: Name::parse("V1__a.sql").unwrap(),
        text: "SELECT 2;\n".to_owned(),
        checksum: Script::read("SELECT 1;\n").checksum(),
        recorded: false,
        change: None,
    };
    let set = Migrations::load(vec![file], Options::default());
    let goal = Goal::Upgrade(Until::default());
    let plan = plan(&set, &[], &goal, &Policy::default()).unwrap();
    let error =
        prepare(&set, &plan, Syntax::of(Dialect::Sqlite), Empty::Refuse, Vec::new()).err().unwrap();
    assert_eq!(
        error.to_string(),
        "V1__a.sql was changed while this program was compiled; compile it again"
    );
}

#[test]
fn each_section_of_a_pending_file_is_lexed_once() {
    let text = "-- jetbase: delimiter=//\nCREATE TABLE a (id INT); SET x = 1;\n//\n\
                INSERT INTO a VALUES (1, 'it''s'), (@x, lower('A')); //\n\
                -- rollback\nDROP TABLE a; UNLOCK TABLES //\n";
    let script = Script::read(text);
    let file = |name: &str| SourceFile {
        path: name.to_owned(),
        name: Name::parse(name).unwrap(),
        text: text.to_owned(),
        checksum: script.checksum(),
        recorded: false,
        change: None,
    };
    let names = ["V1__a.sql", "V2__b.sql"];
    let set = Migrations::load(names.map(file).to_vec(), Options::default());
    let plan = plan(&set, &[], &Goal::Upgrade(Until::default()), &Policy::default()).unwrap();
    let marker = "-- rollback\n".len();
    for dialect in Dialect::ALL {
        let before = lexed_bytes();
        let jobs = prepare(&set, &plan, Syntax::of(dialect), Empty::Refuse, Vec::new()).unwrap();
        // The plan that is made under the lock takes over the jobs of the first one.
        let jobs = prepare(&set, &plan, Syntax::of(dialect), Empty::Refuse, jobs).unwrap();
        assert_eq!(lexed_bytes() - before, names.len() * (text.len() - marker), "{dialect}");
        for job in &jobs {
            let results: Vec<_> = job.statements.iter().map(|it| it.results).collect();
            assert_eq!(results, [2, 1], "{dialect}");
        }
    }
}
