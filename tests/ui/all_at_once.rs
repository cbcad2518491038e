// Every mistake of a folder in one build, and nothing about the module that uses it.
jetbase::embed!("fixtures/many");

fn main() {
    let _ = migrations::versions::V1__ALL;
    let _ = migrations::run_url("sqlite::memory:");
}
