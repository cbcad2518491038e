use std::fmt::Write as _;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jetbase::{DatabaseUrl, Wait};
use jetbase_test_harness::{
    Database, Needs, PythonProject, Suite, TestContext, TestError, TestResult,
};

use super::POSTGRES;
use super::mallory::{Mallory, query_as_admin};
use super::victim::{V1, V3, set_for, tool};

pub(crate) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    suite.each(
        "every_command_refuses_a_lock_table_with_code_of_another_role",
        POSTGRES,
        nothing,
        |ctx| refuses_code(ctx, "jetbase_lock"),
    );
    suite.each(
        "every_command_refuses_a_history_with_code_of_another_role",
        POSTGRES,
        nothing,
        |ctx| refuses_code(ctx, "jetbase_migrations"),
    );
    suite.each(
        "every_command_refuses_superseded_texts_with_code_of_another_role",
        POSTGRES,
        nothing,
        |ctx| refuses_code(ctx, "jetbase_superseded"),
    );
    suite.each(
        "every_command_refuses_a_journal_with_code_of_another_role",
        POSTGRES,
        nothing,
        |ctx| refuses_code(ctx, "jetbase_journal"),
    );
    suite.each(
        "no_run_executes_a_trigger_that_is_added_repeatedly",
        POSTGRES,
        nothing,
        triggers_are_added,
    );
    suite.each(
        "no_run_executes_a_view_that_replaces_a_table_repeatedly",
        POSTGRES,
        nothing,
        views_are_swapped,
    );
    suite.each(
        "no_run_executes_a_trigger_that_is_added_while_it_works",
        POSTGRES,
        nothing,
        trigger_during_run,
    );
}

/// SQL that makes other roles execute code when they use a table: `{t}` is the table, `{s}` its
/// schema, `{c}` a text column, `{k}` its key.
const ATTACKS: &[(&str, &str)] = &[
    ("a trigger before rows",
     "CREATE TRIGGER h BEFORE INSERT OR UPDATE OR DELETE ON {t} FOR EACH ROW EXECUTE FUNCTION trap.on_row()"),
    ("a trigger after rows",
     "CREATE TRIGGER h AFTER INSERT OR UPDATE OR DELETE ON {t} FOR EACH ROW EXECUTE FUNCTION trap.on_row()"),
    ("a trigger on statements",
     "CREATE TRIGGER h AFTER INSERT OR UPDATE OR DELETE ON {t} FOR EACH STATEMENT EXECUTE FUNCTION trap.on_row()"),
    ("a trigger with a condition",
     "CREATE TRIGGER h BEFORE UPDATE ON {t} FOR EACH ROW WHEN (trap.accepts(NEW.{c})) EXECUTE FUNCTION trap.on_row()"),
    ("a deferred constraint trigger",
     "CREATE CONSTRAINT TRIGGER h AFTER INSERT OR UPDATE OR DELETE ON {t} DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION trap.on_row()"),
    ("a disabled trigger",
     "CREATE TRIGGER h BEFORE INSERT OR UPDATE ON {t} FOR EACH ROW EXECUTE FUNCTION trap.on_row();
      ALTER TABLE {t} DISABLE TRIGGER h"),
    ("a rule for updates", "CREATE RULE h AS ON UPDATE TO {t} DO ALSO SELECT trap.caught('rule')"),
    ("a rule for inserts", "CREATE RULE h AS ON INSERT TO {t} DO ALSO SELECT trap.caught('rule')"),
    ("a rule for deletes", "CREATE RULE h AS ON DELETE TO {t} DO INSTEAD SELECT trap.caught('rule')"),
    ("a policy",
     "CREATE POLICY h ON {t} USING (trap.caught('policy')); ALTER TABLE {t} ENABLE ROW LEVEL SECURITY"),
    ("a forced policy",
     "CREATE POLICY h ON {t} USING (trap.caught('policy')); ALTER TABLE {t} ENABLE ROW LEVEL SECURITY;
      ALTER TABLE {t} FORCE ROW LEVEL SECURITY"),
    ("a policy that is not in force yet", "CREATE POLICY h ON {t} USING (trap.caught('policy'))"),
    ("a default", "ALTER TABLE {t} ALTER COLUMN {c} SET DEFAULT trap.word()"),
    ("a default of a column that we do not name", "ALTER TABLE {t} ADD COLUMN extra text DEFAULT trap.word()"),
    ("a check", "ALTER TABLE {t} ADD CONSTRAINT h CHECK (trap.accepts({c}))"),
    ("a check of later rows", "ALTER TABLE {t} ADD CONSTRAINT h CHECK (trap.accepts({c})) NOT VALID"),
    ("an index of an expression", "CREATE INDEX ON {t} ((trap.fixed({c})))"),
    ("an index with a predicate", "CREATE INDEX ON {t} ({c}) WHERE trap.accepts({c})"),
    ("an exclusion", "ALTER TABLE {t} ADD CONSTRAINT h EXCLUDE USING btree ((trap.fixed({c} || {k}::text)) WITH =)"),
    ("a generated column", "ALTER TABLE {t} ADD COLUMN extra text GENERATED ALWAYS AS (trap.fixed({c})) STORED"),
    ("a column of a domain", "ALTER TABLE {t} ALTER COLUMN {c} TYPE trap.checked"),
    ("one more column of a domain", "ALTER TABLE {t} ADD COLUMN extra trap.checked"),
    ("a column of a domain over a domain",
     "CREATE DOMAIN {s}.outer_domain AS trap.checked; ALTER TABLE {t} ADD COLUMN extra {s}.outer_domain"),
    ("a table that refers to it",
     "CREATE UNIQUE INDEX h ON {t} ({c}); ALTER TABLE {t} ADD UNIQUE USING INDEX h;
      CREATE TABLE {s}.child (c varchar(64) REFERENCES {t} ({c}) ON DELETE CASCADE ON UPDATE CASCADE);
      INSERT INTO {s}.child SELECT {c} FROM {t};
      CREATE TRIGGER h BEFORE UPDATE OR DELETE ON {s}.child FOR EACH ROW EXECUTE FUNCTION trap.on_row()"),
    ("a table that inherits from it",
     "CREATE TABLE {s}.child () INHERITS ({t}); INSERT INTO {s}.child SELECT * FROM ONLY {t};
      CREATE TRIGGER h BEFORE UPDATE OR DELETE ON {s}.child FOR EACH ROW EXECUTE FUNCTION trap.on_row()"),
    ("partitions",
     "ALTER TABLE {t} RENAME TO kept; CREATE TABLE {t} (LIKE {s}.kept INCLUDING DEFAULTS) PARTITION BY LIST ({c});
      CREATE TABLE {s}.part PARTITION OF {t} DEFAULT; INSERT INTO {t} SELECT * FROM {s}.kept;
      CREATE TRIGGER h BEFORE INSERT OR UPDATE ON {s}.part FOR EACH ROW EXECUTE FUNCTION trap.on_row()"),
    ("partitions by an expression",
     "ALTER TABLE {t} RENAME TO kept; CREATE TABLE {t} (LIKE {s}.kept INCLUDING DEFAULTS) PARTITION BY LIST ((trap.fixed({c})));
      CREATE TABLE {s}.part PARTITION OF {t} DEFAULT; INSERT INTO {t} SELECT * FROM {s}.kept"),
    ("a view", "ALTER TABLE {t} RENAME TO kept; CREATE VIEW {t} AS SELECT * FROM {s}.kept WHERE trap.caught('view')"),
    ("a view over a function",
     "ALTER TABLE {t} RENAME TO kept;
      CREATE FUNCTION {s}.kept_rows() RETURNS SETOF {s}.kept LANGUAGE plpgsql AS
        $$ BEGIN PERFORM trap.caught('view'); RETURN QUERY SELECT * FROM {s}.kept; END $$;
      CREATE VIEW {t} AS SELECT * FROM {s}.kept_rows()"),
    ("a materialized view",
     "ALTER TABLE {t} RENAME TO kept; CREATE MATERIALIZED VIEW {t} AS SELECT * FROM {s}.kept"),
];

const SUPERSEDED: &str = "CREATE TABLE jetbase_superseded (filename VARCHAR(512) NOT NULL,
  checksum VARCHAR(64) NOT NULL, PRIMARY KEY (filename, checksum))";
const JOURNAL: &str = "CREATE TABLE jetbase_journal (filename VARCHAR(512) NOT NULL, direction VARCHAR(8) NOT NULL,
  statement INT NOT NULL, digest VARCHAR(64) NOT NULL, state VARCHAR(8) NOT NULL, place VARCHAR(32) NOT NULL, found INT,
  leftover_schema VARCHAR(255), leftover_name VARCHAR(255), applied_at TIMESTAMP, recorded_at TIMESTAMP NOT NULL,
  process_id VARCHAR(36) NOT NULL, PRIMARY KEY (filename, direction, statement))";
const ROC: (&str, &str) = ("ROC__v.sql", "COMMENT ON COLUMN a.id IS 'one';\n");
const ROC_2: (&str, &str) = ("ROC__v.sql", "COMMENT ON COLUMN a.id IS 'two';\n");

/// Creates a schema in which a run of the attacker has created the tables of jetbase.
async fn prepare(mallory: &Mallory, db: &Database, schema: &str) -> TestResult {
    mallory.create_schema(db, schema).await?;
    jetbase::run(&set_for(Some(schema), &[V1, ROC])?, DatabaseUrl(&mallory.db.url)).await?;
    mallory.db.execute(&format!("SET search_path = {schema}; {SUPERSEDED}; {JOURNAL}")).await
}

/// Returns what is failures with a result that must be an error with these texts.
fn missing_refusal<T, E: std::fmt::Display>(
    result: Result<T, E>,
    texts: &[&str],
) -> Option<String> {
    match result {
        Ok(_) => Some("was not refused".to_owned()),
        Err(error) => {
            let text = format!("{error:#}");
            (!texts.iter().all(|part| text.contains(part))).then(|| format!("failed with: {text}"))
        }
    }
}

/// Runs every command in a schema and returns what is failures with those that were not refused.
async fn commands_not_refused(
    db: &Database,
    schema: &str,
    texts: &[&str],
) -> Result<Vec<String>, TestError> {
    let set = set_for(Some(schema), &[V1, V3, ROC_2])?;
    let target = DatabaseUrl(&db.url);
    let wait = Wait::UpTo(Duration::from_secs(1));
    let mut failures = Vec::new();
    let mut add = |command: &str, failure: Option<String>| {
        failures.extend(failure.map(|failure| format!("{command} {failure}")));
    };
    add("status", missing_refusal(jetbase::status(&set, target).await, texts));
    add("check", missing_refusal(jetbase::check(&set, target).await, texts));
    add("validate", missing_refusal(jetbase::validate(&set, target).await, texts));
    add("history", missing_refusal(jetbase::history(&set, target).await, texts));
    add("current", missing_refusal(jetbase::current(&set, target).await, texts));
    add("lock_status", missing_refusal(jetbase::lock_status(&set, target).await, texts));
    add("dry run", missing_refusal(jetbase::run(&set, target).dry_run().await, texts));
    add("run", missing_refusal(jetbase::run(&set, target).wait(wait).await, texts));
    add("rollback", missing_refusal(jetbase::rollback(&set, target).wait(wait).await, texts));
    add("unlock", missing_refusal(jetbase::unlock(&set, target).await, texts));
    add("forced unlock", missing_refusal(jetbase::unlock(&set, target).force().await, texts));
    Ok(failures)
}

async fn repairs_not_refused(
    db: &Database,
    schema: &str,
    texts: &[&str],
) -> Result<Vec<String>, TestError> {
    let changed = (V1.0, "CREATE TABLE a (id BIGINT);\n-- rollback\nDROP TABLE a;\n");
    let project = PythonProject::with(&[changed])?;
    let mut failures = Vec::new();
    for command in ["fix-checksums", "fix-files"] {
        let (succeeded, output) =
            tool(db, &project, &[command, "--schema", schema, "--wait", "1s"]).await?;
        let result = if succeeded { Ok(()) } else { Err(output) };
        failures
            .extend(missing_refusal(result, texts).map(|failure| format!("{command} {failure}")));
    }
    Ok(failures)
}

async fn refuses_code(ctx: TestContext, table: &'static str) -> TestResult {
    let db = &ctx.db;
    let mallory = Mallory::create(db).await?;
    let texts = [mallory.name.as_str(), table];
    let (column, key) = match table {
        "jetbase_lock" => ("process_id", "id"),
        "jetbase_migrations" => ("checksum", "order_executed"),
        "jetbase_journal" => ("digest", "filename"),
        _ => ("checksum", "filename"),
    };
    let mut report = String::new();
    for (number, (attack, sql)) in ATTACKS.iter().enumerate() {
        let schema = format!("attack_{number}");
        prepare(&mallory, db, &schema).await?;
        let sql = sql
            .replace("{t}", &format!("{schema}.{table}"))
            .replace("{s}", &schema)
            .replace("{c}", column)
            .replace("{k}", key);
        mallory.execute(&sql).await?;
        let mut failures = commands_not_refused(db, &schema, &texts).await?;
        // The program runs the same queries, so a few attacks are enough.
        if number % 8 == 0 {
            failures.extend(repairs_not_refused(db, &schema, &texts).await?);
        }
        let executed = mallory.executed(db).await?;
        if !failures.is_empty() || !executed.is_empty() {
            writeln!(report, "{attack}: {failures:#?}\n  executed: {executed:?}")?;
        }
        let reset = format!(
            "TRUNCATE trap.seen; ALTER SEQUENCE trap.calls RESTART;
             ALTER ROLE {} NOSUPERUSER",
            mallory.name
        );
        query_as_admin(db, &reset).await?;
    }
    if !report.is_empty() {
        return Err(report.into());
    }
    mallory.remove(db).await
}

/// Repeats statements as the attacker until `stop` is set. Returns how often they succeeded.
fn repeat(
    mallory: &Mallory,
    statements: &'static [&'static str],
    stop: &Arc<AtomicBool>,
) -> impl Future<Output = u32> + Send + use<> {
    let (db, stop) = (mallory.db.clone(), Arc::clone(stop));
    async move {
        let mut count = 0;
        while !stop.load(Ordering::SeqCst) {
            for statement in statements {
                let sql =
                    format!("SET lock_timeout = '1s'; SET search_path = pg_catalog; {statement}");
                count += u32::from(db.execute(&sql).await.is_ok());
            }
        }
        count
    }
}

const TRIGGERS: &[&str] = &[
    "CREATE TRIGGER h BEFORE INSERT OR UPDATE OR DELETE ON public.jetbase_lock FOR EACH ROW EXECUTE FUNCTION trap.on_row()",
    "DROP TRIGGER IF EXISTS h ON public.jetbase_lock",
    "CREATE TRIGGER h BEFORE INSERT OR UPDATE OR DELETE ON public.jetbase_migrations FOR EACH ROW EXECUTE FUNCTION trap.on_row()",
    "DROP TRIGGER IF EXISTS h ON public.jetbase_migrations",
];
const VIEWS: &[&str] = &[
    "BEGIN; ALTER TABLE public.jetbase_lock RENAME TO kept;
     CREATE VIEW public.jetbase_lock AS SELECT * FROM public.kept WHERE trap.caught('view'); COMMIT",
    "BEGIN; DROP VIEW public.jetbase_lock; ALTER TABLE public.kept RENAME TO jetbase_lock; COMMIT",
];

/// Runs many times while the attacker changes its tables, and once more afterwards.
async fn while_tables_change(ctx: TestContext, statements: &'static [&'static str]) -> TestResult {
    let db = &ctx.db;
    let mallory = Mallory::create(db).await?;
    let files: Vec<_> = (2..=21)
        .map(|number| {
            (format!("V{number}__t.sql"), format!("CREATE TABLE t{number} (id INTEGER);\n"))
        })
        .collect();
    let files: Vec<_> =
        [V1].into_iter().chain(files.iter().map(|(name, text)| (&**name, &**text))).collect();
    jetbase::run(&set_for(None, &files[..1])?, DatabaseUrl(&mallory.db.url)).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let changing = tokio::spawn(repeat(&mallory, statements, &stop));
    let mut refused = Vec::new();
    for number in 2..=files.len() {
        let set = set_for(None, &files[..number])?;
        let run = jetbase::run(&set, DatabaseUrl(&db.url)).wait(Wait::UpTo(Duration::from_secs(2)));
        // A run may be refused. It may also succeed while the table has no trigger or view.
        refused.extend(run.await.err().map(|error| format!("{error:#}")));
        let _ = jetbase::lock_status(&set, DatabaseUrl(&db.url)).await;
    }
    stop.store(true, Ordering::SeqCst);
    let changes = changing.await?;
    if let Err(executed) = mallory.executed_nothing(db).await {
        return Err(format!("{executed}\n{changes} changes; refusals: {refused:#?}").into());
    }
    assert!(changes > 10, "the tables changed too rarely: {changes}");
    for statement in statements.iter().rev().step_by(2) {
        // The trigger or view may already be removed.
        let _ = mallory.execute(statement).await;
    }
    jetbase::run(&set_for(None, &files)?, DatabaseUrl(&db.url)).await?;
    mallory.executed_nothing(db).await?;
    mallory.remove(db).await
}

async fn triggers_are_added(ctx: TestContext) -> TestResult {
    while_tables_change(ctx, TRIGGERS).await
}

async fn views_are_swapped(ctx: TestContext) -> TestResult {
    while_tables_change(ctx, VIEWS).await
}

/// The attacker adds a trigger while a file runs and between two files.
async fn trigger_during_run(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let mallory = Mallory::create(db).await?;
    jetbase::run(&set_for(None, &[V1])?, DatabaseUrl(&mallory.db.url)).await?;
    let slow = "SELECT pg_catalog.pg_sleep(0.5);\n";
    let off = format!("-- jetbase: transaction=off\n{slow}SELECT 1;\n");
    let set = set_for(None, &[V1, ("V2__s.sql", slow), ("V3__s.sql", &off), ("V4__s.sql", slow)])?;
    let stop = Arc::new(AtomicBool::new(false));
    // The first trigger that is added is kept.
    let adding = [
        tokio::spawn(repeat(&mallory, &TRIGGERS[..1], &stop)),
        tokio::spawn(repeat(&mallory, &TRIGGERS[2..3], &stop)),
    ];
    let url = db.url.clone();
    let run = tokio::spawn(jetbase::run_url(&set, &url).into_future());
    let result = run.await?;
    stop.store(true, Ordering::SeqCst);
    for adding in adding {
        adding.await?;
    }
    if let Err(executed) = mallory.executed_nothing(db).await {
        let outcome =
            result.map(|report| report.to_string()).unwrap_or_else(|error| format!("{error:#}"));
        return Err(format!("{executed}\n{outcome}").into());
    }
    if let Err(error) = result {
        assert!(format!("{error:#}").contains(&mallory.name), "{error:#}");
    }
    mallory.remove(db).await
}
