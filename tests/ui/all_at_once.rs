// One build shows every mistake of a folder, and no error of the code that uses the module.
jetbase::embed!("fixtures/many");

fn main() {
    let _ = migrations::versions::V1__ALL;
    let _ = migrations::run_url("sqlite::memory:");
}
