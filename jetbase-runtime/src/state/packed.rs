//! The history as a few long texts, for a plan. Each value that a plan needs is a line.
//!
//! A driver needs much longer for many rows than for one row with as many bytes. On PostgreSQL and SQLite, each
//! column is a text. On MySQL, one text with the values of one row after the other is faster.

use std::iter::{from_fn, once};

use jetbase_core::Record;
use memchr::memchr_iter;

use super::record;
use crate::connection::ResultSet;
use crate::error::TableError;

/// The text of a version that is NULL.
const NULL: &str = "\t";

const COLUMNS: [&str; 5] = ["order_executed", "version", "filename", "migration_type", "checksum"];

/// Reads the row of `packed_history`. `None` if the texts do not have a line for each value: a value contains
/// the end of a line, or the server has cut a text. Then the rows themselves must be read.
pub(super) fn unpack(set: &ResultSet) -> Option<Result<Vec<Record>, TableError>> {
    let row = set.rows.first()?;
    let count: usize = row.text("row_count").parse().ok()?;
    if count == 0 {
        return Some(Ok(Vec::new()));
    }
    let texts = match row.opt("history") {
        Some(history) => vec![history],
        None => COLUMNS.map(|column| row.text(column)).to_vec(),
    };
    let wanted = count * COLUMNS.len() / texts.len();
    let ends = |text: &&str| memchr_iter(b'\n', text.as_bytes()).count();
    if !texts.iter().all(|text| ends(text) + 1 == wanted) {
        return None;
    }
    let mut texts: Vec<_> = texts.into_iter().map(lines).collect();
    let rows = from_fn(|| match texts.as_mut_slice() {
        [all] => Some([all.next()?, all.next()?, all.next()?, all.next()?, all.next()?]),
        [a, b, c, d, e] => Some([a.next()?, b.next()?, c.next()?, d.next()?, e.next()?]),
        _ => None,
    });
    let records = rows.map(|[order, version, file, kind, checksum]| {
        let version = (version != NULL).then_some(version);
        record([Some(order), version, None, Some(file), Some(kind), None, Some(checksum)])
    });
    let mut records: Vec<Record> = match records.collect() {
        Ok(records) => records,
        Err(error) => return Some(Err(error)),
    };
    // The texts are in the order in which the server finds the rows.
    records.sort_by_key(|record| record.order);
    Some(Ok(records))
}

/// The lines of a text. It is faster than `str::split` for short lines.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut start = 0;
    memchr_iter(b'\n', text.as_bytes()).chain(once(text.len())).map(move |end| {
        let line = text.get(start..end).unwrap_or_default();
        start = end + 1;
        line
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::ResultRow;

    fn set(values: [&str; 6]) -> ResultSet {
        let names =
            ["row_count", "order_executed", "version", "filename", "migration_type", "checksum"];
        let pairs: Vec<_> = names.into_iter().zip(values).collect();
        ResultSet { rows: vec![ResultRow::of(&pairs)], affected: 0 }
    }

    #[test]
    fn a_packed_history_is_sorted() {
        let set = set([
            "2",
            "7\n3",
            "\t\n1.0",
            "RA__b.sql\nV1.0__a.sql",
            "RUNS_ALWAYS\nVERSIONED",
            "ff\n",
        ]);
        let records = unpack(&set).unwrap().unwrap();
        let found: Vec<_> = records
            .iter()
            .map(|it| {
                (it.order, it.version.as_ref().map(|it| it.as_str()), &*it.file, &*it.checksum)
            })
            .collect();
        assert_eq!(found, [(3, Some("1.0"), "V1.0__a.sql", ""), (7, None, "RA__b.sql", "ff")]);
    }

    #[test]
    fn a_packed_history_with_another_number_of_lines_is_not_used() {
        let whole = ["2", "1\n2", "1\n2", "a\nb", "VERSIONED\nVERSIONED", "x\ny"];
        assert!(unpack(&set(whole)).is_some());
        for column in 1..whole.len() {
            for wrong in ["1", "1\n2\n3"] {
                let mut values = whole;
                values[column] = wrong;
                assert!(unpack(&set(values)).is_none(), "{column}: {wrong:?}");
            }
        }
        assert!(unpack(&set(["0", "", "", "", "", ""])).unwrap().unwrap().is_empty());
    }

    #[test]
    fn a_history_in_one_text_has_the_same_rows() {
        let one = |count: &str, text: &str| {
            let row = ResultRow::of(&[("row_count", count), ("history", text)]);
            ResultSet { rows: vec![row], affected: 0 }
        };
        let columns = set(["2", "1\n2", "1\n\t", "a\nb", "VERSIONED\nRUNS_ALWAYS", "x\ny"]);
        let text = "2\n\t\nb\nRUNS_ALWAYS\ny\n1\n1\na\nVERSIONED\nx";
        assert_eq!(unpack(&one("2", text)).unwrap().unwrap(), unpack(&columns).unwrap().unwrap());
        for wrong in ["", "1\n1\na\nVERSIONED\nx", &format!("{text}\n")] {
            assert!(unpack(&one("2", wrong)).is_none(), "{wrong:?}");
        }
        assert!(unpack(&one("0", "")).unwrap().unwrap().is_empty());
    }

    #[test]
    fn an_invalid_version_in_a_packed_history_is_an_error() {
        let error = unpack(&set(["1", "1", "x", "a", "VERSIONED", "y"])).unwrap().unwrap_err();
        assert!(matches!(error, TableError::InvalidVersion { .. }), "{error}");
    }
}
