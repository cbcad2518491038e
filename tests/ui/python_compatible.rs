jetbase::embed!("fixtures/python-strings", dialect = postgres, python_compatible);

fn main() {}
