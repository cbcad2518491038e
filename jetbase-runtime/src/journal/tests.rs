use proptest::prelude::*;

use super::*;

fn entry(statement: usize, text: &str, state: EntryState) -> JournalRow {
    JournalRow {
        file: "V1__a.sql".to_owned(),
        direction: Direction::Upgrade,
        statement,
        digest: Checksum::of_text(text).to_string(),
        state,
        place: format!("{statement}:1"),
        found: None,
        leftover: None,
        is_stale: false,
    }
}

fn digests(texts: &[&str]) -> Vec<Checksum> {
    texts.iter().map(|text| Checksum::of_text(text)).collect()
}

#[test]
fn a_file_goes_on_after_its_permanent_part() {
    let done = |statement, text| entry(statement, text, EntryState::Done);
    let file = digests(&["a", "b", "corrected"]);
    assert_eq!(resume_point(&file, &[]), Ok(ResumePoint::At(0)));
    assert_eq!(resume_point(&file, &[done(1, "a"), done(2, "b")]), Ok(ResumePoint::At(2)));
    let failed = entry(2, "before", EntryState::Failed);
    assert_eq!(resume_point(&file, &[done(1, "a"), failed]), Ok(ResumePoint::At(1)));
    let intent = |text| entry(2, text, EntryState::Intent);
    for (text, same_text) in [("b", true), ("other", false)] {
        assert_eq!(
            resume_point(&file, &[done(1, "a"), intent(text)]),
            Ok(ResumePoint::InDoubt { index: 1, same_text })
        );
    }
    let changed =
        |index| Err(JournalMismatch::Changed { index, place: format!("{}:1", index + 1) });
    assert_eq!(resume_point(&file, &[done(1, "a"), done(2, "x")]), changed(1));
    assert_eq!(resume_point(&file[..1], &[done(1, "a"), done(2, "b")]), changed(1));
    assert_eq!(resume_point(&file, &[done(2, "b")]), Err(JournalMismatch::Invalid));
    let gap = [intent("b"), done(1, "a")];
    assert_eq!(resume_point(&file, &gap), Err(JournalMismatch::Invalid));
}

#[test]
fn the_catalog_shows_whether_a_statement_has_taken_effect() {
    let created = [(0, 1, true), (0, 0, false), (1, 1, false), (0, INVALID, false)];
    let dropped = [(1, 0, true), (INVALID, 0, true), (1, INVALID, false)];
    for (before, now, expected) in created.into_iter().chain(dropped) {
        assert_eq!(has_taken_effect(before, now), expected, "{before} {now}");
    }
}

proptest! {
    /// Statements are done in order. A run that stops anywhere leaves entries from which the next
    /// run goes on without executing a permanent statement again, and without skipping one.
    #[test]
    fn a_file_goes_on_where_any_run_has_stopped(
        texts in proptest::collection::vec("[a-c]{1,3}", 1..12),
        stop in any::<prop::sample::Index>(),
        interrupted in any::<bool>(),
        rest in proptest::collection::vec("[a-c]{1,3}", 0..6),
    ) {
        let stop = stop.index(texts.len() + 1);
        let mut entries: Vec<_> =
            texts[..stop].iter().enumerate().map(|(at, text)| entry(at + 1, text, EntryState::Done)).collect();
        let in_doubt = interrupted && stop < texts.len();
        if in_doubt {
            entries.push(entry(stop + 1, &texts[stop], EntryState::Intent));
        }
        // The part that is not permanent may be written again.
        let file: Vec<_> = texts[..stop].iter().chain(&rest).map(|text| Checksum::of_text(text)).collect();
        let expected = if in_doubt {
            ResumePoint::InDoubt { index: stop, same_text: rest.first() == Some(&texts[stop]) }
        } else {
            ResumePoint::At(stop)
        };
        prop_assert_eq!(resume_point(&file, &entries), Ok(expected));
        // A change of the permanent part is found, wherever it is.
        for changed in 0..stop {
            let mut file = file.clone();
            file[changed] = Checksum::of_text("changed");
            let place = format!("{}:1", changed + 1);
            prop_assert_eq!(resume_point(&file, &entries), Err(JournalMismatch::Changed { index: changed, place }));
        }
    }
}
