use std::collections::BTreeSet;
use std::path::Path;

use jetbase::{DatabaseUrl, run_url};
use jetbase_test_harness::{
    DatabaseKind, Needs, PythonProject, Readme, Suite, TestContext, TestResult,
};

use crate::apply::set;
use crate::tool::tool;

pub(crate) fn register(suite: &mut Suite) {
    let (nothing, sqlite) = (Needs::NOTHING, &[DatabaseKind::Sqlite]);
    suite.each("the_first_migration_of_the_readme_runs", DatabaseKind::ALL, nothing, first);
    suite.each("the_error_in_the_readme_is_a_real_one", sqlite, nothing, error);
    suite.once("the_readme_lists_every_command", nothing, commands);
    suite.once("the_documentation_has_the_plots_of_the_readme", nothing, plots);
}

/// The compiler checks `build.rs` and `main.rs` of the README, because they are also documentation.
async fn first(ctx: TestContext) -> TestResult {
    let sql = Readme::read()?.block_after("For example `migrations/V1__create_users.sql`:")?;
    let set = set(&[("V1__create_users.sql", &sql)]);
    let report = run_url(&set, &ctx.db.url).await?.to_string();
    assert!(report.starts_with("applied 1 migration in "), "{report}");
    assert_eq!(run_url(&set, &ctx.db.url).await?.to_string(), "up to date: nothing to do");
    let target = DatabaseUrl(&ctx.db.url);
    let lock = jetbase::lock_status(&set, target).await?;
    assert_eq!(lock.to_string(), "Status: UNLOCKED");
    assert!(jetbase::check(&set, target).await?.is_ready());
    assert_eq!(jetbase::rollback(&set, target).await?.applied.len(), 1);
    Ok(())
}

async fn error(ctx: TestContext) -> TestResult {
    let readme = Readme::read()?;
    let create = readme.block_after("For example `migrations/V1__create_users.sql`:")?;
    let people = "INSERT INTO users (id, name) VALUES (1, 'Ann');\n\
                  INSERT INTO users (id, nam) VALUES (2, 'Bob');\n";
    let set = set(&[("V1__create_users.sql", &create), ("V2__people.sql", people)]);
    let error = run_url(&set, &ctx.db.url).await.err().ok_or("the run succeeded")?;
    assert_eq!(
        format!("{error:#}"),
        readme.block_after("`error.report()` is the report of what")?.trim_end()
    );
    Ok(())
}

async fn commands() -> TestResult {
    let project = PythonProject::with(&[])?;
    let help = tool(&project, "", &["--help"]).await?.stdout;
    let listed = help.split("Commands:\n").nth(1).ok_or("no commands")?;
    let listed = listed.lines().take_while(|line| !line.is_empty());
    let listed: BTreeSet<_> = listed.filter_map(|line| line.split_whitespace().next()).collect();

    let readme = Readme::read()?.text;
    let table = readme.split("| command | what it does |").nth(1).ok_or("no table")?;
    let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
    let first_cells = rows.filter_map(|row| row.split('|').nth(1));
    let quoted = first_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let in_readme: BTreeSet<_> = quoted.filter_map(|it| it.split_whitespace().next()).collect();
    assert_eq!(in_readme, listed);
    Ok(())
}

/// The documentation of the crate has no files beside it, so it has the plots as texts.
async fn plots() -> TestResult {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let embedded = std::fs::read_to_string(root.join("src/docs/plots.md"))?;
    let readme = Readme::read()?.text;
    for name in ["hundred", "nothing-pending"] {
        let plot = std::fs::read_to_string(root.join(format!("benches/results/{name}.svg")))?;
        assert!(plot.contains(" cores, ") && plot.contains(", 20"), "the machine and the date");
        let definition = embedded
            .lines()
            .find_map(|line| line.strip_prefix(&format!("[plot-{name}]: data:image/svg+xml,")));
        assert_eq!(decoded(definition.ok_or("no definition")?), plot, "{name}");
        assert!(readme.contains(&format!("][plot-{name}]")), "{name}");
        assert!(readme.contains(&format!("[plot-{name}]: benches/results/{name}.svg")), "{name}");
    }
    Ok(())
}

/// Replaces `%20` and the like.
fn decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).unwrap());
        bytes.extend(rest.as_bytes());
    }
    String::from_utf8(bytes).unwrap()
}
