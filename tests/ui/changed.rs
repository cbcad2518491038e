jetbase::embed!("fixtures/changed");

fn main() {}
