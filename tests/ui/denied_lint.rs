#![deny(deprecated)]

jetbase::embed!("fixtures/lint-drop-table");

fn main() {}
