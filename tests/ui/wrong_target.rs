// What is no database gets one error, which says what is one.
jetbase::embed!("fixtures/recorded");

fn main() {
    let number = 5_u32;
    let _ = migrations::run(&number);
}
