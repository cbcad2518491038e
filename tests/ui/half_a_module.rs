jetbase::embed! {
    pub mod billing = 5
}

fn main() {
    let _ = billing::versions::LATEST;
}
