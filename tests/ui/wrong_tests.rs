//! Mistakes in a test with a database.

#[jetbase::test]
fn it_is_not_asynchronous(pool: ()) {}

#[jetbase::test]
async fn it_gets_no_database() {}

#[jetbase::test(fixture("users"))]
async fn the_option_is_misspelled(pool: ()) {}

#[jetbase::test(migrations = false, migrations = false)]
async fn the_option_is_written_twice(pool: ()) {}

#[jetbase::test(migrations = true)]
async fn the_value_is_no_module(pool: ()) {}

#[jetbase::test(databases(postgresql))]
async fn the_database_is_misspelled<DB>(pool: DB) {}

#[jetbase::test(databases(sqlite, sqlite))]
async fn the_database_is_named_twice<DB>(pool: DB) {}

#[jetbase::test(databases(sqlite))]
async fn the_type_parameter_is_missing(pool: ()) {}

#[jetbase::test]
async fn the_databases_are_missing<DB>(pool: DB) {}

#[jetbase::test(databases(sqlite))]
async fn the_type_parameter_has_bounds<DB: Send>(pool: DB) {}

#[jetbase::test(fixtures("user"))]
async fn the_fixture_is_misspelled(pool: ()) {}

#[jetbase::test(fixtures(path = "no_such_folder", scripts("users")))]
async fn the_folder_of_the_fixture_is_wrong(pool: ()) {}

#[jetbase::test]
struct NotAFunction;

fn main() {}
