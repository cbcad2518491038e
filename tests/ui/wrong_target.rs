// A target that is not a database is one error, which names the valid targets.
jetbase::embed!("fixtures/recorded");

fn main() {
    let number = 5_u32;
    let _ = migrations::run(&number);
}
