jetbase::embed!("fixtures/same-version");

fn main() {}
