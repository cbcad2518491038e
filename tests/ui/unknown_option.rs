jetbase::embed!("fixtures/recorded", requre_rollback, dialect = postgress, manifest = "strict");

fn main() {
    println!("{}", migrations::MIGRATIONS.len());
}
