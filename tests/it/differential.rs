//! Random compositions of valid statements: a run and the client of the database leave the same schema and data.

mod client;
mod composition;
mod schema;

use jetbase::DatabaseUrl;
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};

use self::composition::{Composition, WritingStyle};
use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    suite.each(
        "a_run_and_the_client_of_the_database_leave_the_same_schema",
        DatabaseKind::ALL,
        Needs::NOTHING,
        compositions,
    );
}

/// The compositions for each database.
const COMPOSITIONS: u64 = 12;

/// `JETBASE_TEST_SEED` repeats the compositions of a failed run.
async fn compositions(ctx: TestContext) -> TestResult {
    let seed = std::env::var("JETBASE_TEST_SEED").ok().and_then(|it| it.parse().ok());
    let clock = std::time::UNIX_EPOCH.elapsed()?.subsec_nanos();
    let first = seed.unwrap_or(u64::from(clock));
    let Some(client) = client::find(&ctx).await? else {
        println!("the client of {} is not installed", ctx.kind.name());
        return Ok(());
    };
    for seed in first..first + COMPOSITIONS {
        let composition = Composition::random(ctx.kind, seed);
        let (ours, theirs) = (ctx.another().await?, ctx.another().await?);
        let text = composition.text(composition.style);
        let shown = format!("JETBASE_TEST_SEED={seed}\n{text}");
        jetbase::run(&set(&[("V1__a.sql", &text)]), DatabaseUrl(&ours.url))
            .await
            .map_err(|error| format!("{error:#}\n{shown}"))?;
        client
            .execute(&theirs, &composition.text(WritingStyle::Client))
            .await
            .map_err(|error| format!("the client: {error}\n{shown}"))?;
        let (ours, theirs) = (schema::dump(&ours).await?, schema::dump(&theirs).await?);
        assert!(ours.len() > 1, "{shown}");
        assert_eq!(ours, theirs, "{shown}");
    }
    Ok(())
}
