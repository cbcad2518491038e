//! One image for an init container, which migrates, and for the container of the service, which only
//! checks. The manifests beside this file are those of the page about Kubernetes.
//!
//! `DATABASE_URL=postgres://user@localhost/name cargo run --example init_container -- migrate`
//! `DATABASE_URL=postgres://user@localhost/name cargo run --example init_container -- serve`

use sqlx::PgPool;

jetbase::embed!("migrations", dialect = postgres);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("DATABASE_URL")
        .map_err(|_| "set DATABASE_URL, such as postgres://user@localhost/name")?;
    let pool = PgPool::connect(&url).await?;
    match std::env::args().nth(1).as_deref() {
        Some("migrate") => {
            // Each pod has an init container. One of them works, and the others wait for it.
            let report = migrations::run(&pool).on_event(|event| eprintln!("{event}")).await?;
            println!("{report}");
            Ok(())
        }
        Some("serve") => {
            // This role needs no right to change the schema.
            let readiness = migrations::check(&pool).await?;
            println!("{readiness}");
            if readiness.is_ready() { Ok(()) } else { Err("run `migrate` first".into()) }
        }
        _ => Err("the argument is `migrate` or `serve`".into()),
    }
}
