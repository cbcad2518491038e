// The compiler checks that a version exists.
jetbase::embed!("fixtures/recorded");

fn main() {
    let _ = migrations::versions::V2__POSTS;
    let _ = migrations::versions::V22__POSTS;
}
