jetbase::embed!();
jetbase::embed! {
    /// The billing schema.
    pub mod billing = "fixtures\\billing"
}

fn main() {}
