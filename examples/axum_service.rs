//! A service that migrates when it starts. Any number of replicas can start at the same time.
//!
//! `/healthz` answers as soon as the process runs. `/readyz` answers 200 when the database is ready
//! for this program, so no replica gets requests before that.
//!
//! `DATABASE_URL=postgres://user@localhost/name ADDRESS=127.0.0.1:8080 cargo run --example axum_service`

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use sqlx::PgPool;
use tokio::net::TcpListener;

jetbase::embed!("migrations", dialect = postgres);

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::var("DATABASE_URL")
        .map_err(|_| "set DATABASE_URL, such as postgres://user@localhost/name")?;
    let address = std::env::var("ADDRESS").unwrap_or_else(|_| "127.0.0.1:8080".to_owned());
    let pool = PgPool::connect(&url).await?;

    let app = Router::new()
        .route("/healthz", get(|| async { "alive" }))
        .route("/readyz", get(ready))
        .route("/users", get(users))
        .with_state(pool.clone());
    let listener = TcpListener::bind(&address).await?;
    println!("listening on {}", listener.local_addr()?);
    let server =
        tokio::spawn(axum::serve(listener, app).with_graceful_shutdown(stop()).into_future());

    // One replica applies the migrations, the others wait. On a signal, a run ends after its file.
    let report = migrations::run(&pool).graceful_shutdown(stop()).await?;
    println!("{report}");
    server.await??;
    Ok(())
}

/// Whether the database is at the version of this program, or ahead of it. It costs one round trip.
async fn ready(State(pool): State<PgPool>) -> (StatusCode, String) {
    match migrations::check(&pool).await {
        Ok(readiness) if readiness.is_ready() => (StatusCode::OK, readiness.to_string()),
        Ok(readiness) => (StatusCode::SERVICE_UNAVAILABLE, readiness.to_string()),
        Err(error) => {
            eprintln!("{error:#}");
            (StatusCode::SERVICE_UNAVAILABLE, "not ready: see the log".to_owned())
        }
    }
}

/// What the service is for.
async fn users(State(pool): State<PgPool>) -> Result<String, (StatusCode, String)> {
    let count = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM users").fetch_one(&pool).await;
    match count {
        Ok(count) => Ok(format!("{count} users")),
        Err(error) => {
            eprintln!("{error:#}");
            Err((StatusCode::INTERNAL_SERVER_ERROR, "see the log".to_owned()))
        }
    }
}

/// Completes on Ctrl-C, and on SIGTERM where it exists.
async fn stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    drop(tokio::signal::ctrl_c().await);
}
