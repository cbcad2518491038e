// A URL is no target, a text is no version, and `cli()` needs its feature.
jetbase::embed!("fixtures/recorded");

fn main() {
    let _ = migrations::run("postgres://localhost/app");
    let _ = migrations::run_url("postgres://localhost/app").to_version("1");
    let _ = migrations::run_url("postgres://localhost/app").to_version(migrations::versions::V2__POSTS);
    let _ = migrations::cli().run_main();
    let _ = migrations::cli().command();
}
