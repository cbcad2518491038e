// A version to stop at is checked by the compiler.
jetbase::embed!("fixtures/recorded");

fn main() {
    let _ = migrations::versions::V2__POSTS;
    let _ = migrations::versions::V22__POSTS;
}
