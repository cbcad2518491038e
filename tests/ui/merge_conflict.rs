jetbase::embed!("fixtures/merge-conflict", manifest = required);

fn main() {}
