//! The text of a file: its sections, its directives, its checksum and what is wrong with it.

use jetbase_core::{Checksum, Dialect, Script, Section, Syntax, check, lexed_bytes};

use crate::python;

/// How often a text may be lexed, for each dialect.
///
/// A section with a mistake is lexed once for each dialect. In MySQL, it is lexed for other servers too,
/// and after each setting that changes how the rest is read.
const PASSES: usize = 12;

pub(crate) fn scripts(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let script = Script::read(&text);
    let upgrade = script.section(Section::Upgrade);
    assert!(script.text().starts_with(upgrade));
    assert!(script.text().ends_with(script.section(Section::Rollback)));
    assert!(!script.text().contains('\r'));
    let _ = script.directives();

    let statements = script.python_statements(Section::Upgrade);
    assert_eq!(script.checksum(), Checksum::of_text(&statements.join("\n")));
    let windows = script.text().replace('\n', "\r\n");
    assert_eq!(Script::read(&windows).checksum(), script.checksum());
    let rollback = script.python_statements(Section::Rollback).join("\n");
    if let Some((python_upgrade, python_rollback)) =
        python::with_reader(|reader| reader.checksums(&text))
    {
        assert_eq!(script.checksum().to_string(), python_upgrade, "{text:?}");
        assert_eq!(Checksum::of_text(&rollback).to_string(), python_rollback, "{text:?}");
    }

    let before = lexed_bytes();
    for syntaxes in [&Dialect::ALL.map(Syntax::of)[..], &[Syntax::of(Dialect::MySql)]] {
        let checked = check("V1__a.sql", &script, syntaxes);
        for finding in checked.findings {
            assert!(!finding.message.is_empty() && !finding.render("migrations").is_empty());
            let lines = script.text().split('\n').count();
            assert!(finding.position.is_none_or(|it| it.line <= lines), "{finding:?}");
        }
    }
    let lexed = lexed_bytes() - before;
    assert!(lexed <= PASSES * 4 * script.text().len(), "{lexed} bytes lexed: {text:?}");
}
