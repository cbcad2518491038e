use jetbase::DatabaseUrl;
use jetbase_test_harness::{DatabaseKind, Needs, Suite, TestContext, TestResult};

pub(crate) fn register(suite: &mut Suite) {
    suite.each(
        "the_commands_work_inside_another_program",
        DatabaseKind::ALL,
        Needs::NOTHING,
        own_binary,
    );
}

/// With this variable, this program is one that embeds its migrations.
pub(crate) const AS_PROGRAM: &str = "TEST_AS_EMBEDDING_PROGRAM";

/// The `main` of a program that embeds its migrations.
pub(crate) fn main() -> std::process::ExitCode {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(sample::cli().run_main())
}

jetbase::embed! {
    mod sample = "migrations"
}

async fn own_binary(ctx: TestContext) -> TestResult {
    let cli = sample::cli();
    let program = || jetbase::clap::Command::new("app").subcommand(cli.command());
    let success = format!("{:?}", std::process::ExitCode::SUCCESS);
    for arguments in [
        ["app", "migrate", "upgrade"],
        ["app", "migrate", "lock-status"],
        ["app", "migrate", "check"],
    ] {
        let matches = program().try_get_matches_from(arguments)?;
        let (_, matches) = matches.subcommand().ok_or("no subcommand")?;
        let code = cli.handle(matches, DatabaseUrl(&ctx.db.url)).await;
        assert_eq!(format!("{code:?}"), success, "{arguments:?}");
    }
    assert!(sample::check(DatabaseUrl(&ctx.db.url)).await?.is_ready());
    assert_eq!(sample::versions::LATEST, Some(sample::versions::V3__FIRST_USER));
    Ok(())
}
