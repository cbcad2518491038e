// Two sets with one history, and two that may have two.
mod orders {
    jetbase::embed!("fixtures/recorded", schema = "app");
    jetbase::embed! { mod again = "fixtures/../fixtures/recorded", schema = "app" }
}

jetbase::embed! {
    mod billing = "fixtures/accepted-late", schema = "App", dialect = postgres
}

jetbase::embed! {
    #[cfg(test)]
    mod either = "fixtures/accepted-late", schema = "app"
}

jetbase::embed! { mod elsewhere = "fixtures/accepted-late" }

fn main() {
    let _ = billing::versions::LATEST;
}
