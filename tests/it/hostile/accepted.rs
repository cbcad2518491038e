use jetbase::DatabaseUrl;
use jetbase_test_harness::{Database, Needs, Suite, TestContext, TestError, TestResult};

use super::POSTGRES;
use super::mallory::{Mallory, query_as_admin, value_as_admin};
use super::victim::{V1, V3, Victim};
use crate::apply::set;

pub(crate) fn register(suite: &mut Suite) {
    let nothing = Needs::NOTHING;
    suite.each("a_run_accepts_plain_tables_of_another_role", POSTGRES, nothing, plain_tables);
    suite.each("a_run_accepts_triggers_of_the_databases_owner", POSTGRES, nothing, databases_owner);
    suite.each("a_run_accepts_triggers_of_a_superuser", POSTGRES, nothing, superusers);
    suite.each("a_run_accepts_triggers_of_its_own_role", POSTGRES, nothing, own_triggers);
    suite.each("a_run_accepts_triggers_of_a_trusted_owner", POSTGRES, nothing, trusted_owner);
    suite.each("a_run_accepts_triggers_of_the_role_that_it_takes", POSTGRES, nothing, taken_role);
}

/// Creates an audit table and triggers that write to it, as the role of this URL.
async fn audit(db: &Database) -> TestResult {
    db.execute(
        "CREATE TABLE public.audit (what text);
         GRANT ALL ON public.audit TO PUBLIC;
         CREATE FUNCTION public.note() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN INSERT INTO public.audit VALUES (TG_OP || ' ' || TG_TABLE_NAME); RETURN NULL; END $$;
         CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON public.jetbase_lock
           FOR EACH ROW EXECUTE FUNCTION public.note();
         CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON public.jetbase_migrations
           FOR EACH ROW EXECUTE FUNCTION public.note()",
    )
    .await
}

/// Returns how often the triggers have recorded an insert into the history.
async fn audited(db: &Database) -> Result<Option<String>, TestError> {
    value_as_admin(db, "SELECT count(*) FROM public.audit WHERE what = 'INSERT jetbase_migrations'")
        .await
}

/// The same database as another role.
fn as_role(db: &Database, role: &str) -> Database {
    let mut own = db.clone();
    own.url = db.url_as(role, "x");
    own
}

/// Creates a role that may log in and create tables.
async fn role(db: &Database, what: &str) -> Result<String, TestError> {
    let name = format!("{}_{what}", db.name);
    db.admin(&format!("CREATE ROLE {name} LOGIN PASSWORD 'x'")).await?;
    query_as_admin(db, &format!("GRANT ALL ON SCHEMA public TO {name}")).await?;
    Ok(name)
}

/// Drops the database, then the roles that owned something in it.
async fn drop_all(db: &Database, roles: &[&str]) -> TestResult {
    db.admin(&format!("DROP DATABASE {} WITH (FORCE)", db.name)).await?;
    for role in roles {
        db.admin(&format!("DROP ROLE {role}")).await?;
    }
    Ok(())
}

/// Another role created the tables with its own run. Then an administrator runs all commands.
async fn plain_tables(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let mallory = Mallory::create(db).await?;
    // The run of the other role creates empty tables, because the commands expect them empty.
    jetbase::run(&set(&[V1]), DatabaseUrl(&mallory.db.url)).await?;
    jetbase::rollback(&set(&[V1]), DatabaseUrl(&mallory.db.url)).await?;
    Victim::new(db, None, "public").runs_all_commands().await?;
    mallory.executed_nothing(db).await?;
    mallory.remove(db).await
}

async fn databases_owner(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let owner = role(db, "owner").await?;
    db.admin(&format!("ALTER DATABASE {} OWNER TO {owner}", db.name)).await?;
    let own = as_role(db, &owner);
    jetbase::run(&set(&[V1]), DatabaseUrl(&own.url)).await?;
    audit(&own).await?;
    let report = jetbase::run(&set(&[V1, V3]), DatabaseUrl(&db.url)).await?;
    assert_eq!(report.applied.len(), 1);
    assert_eq!(audited(db).await?.as_deref(), Some("1"));
    drop_all(db, &[&owner]).await
}

async fn superusers(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let user = role(db, "user").await?;
    jetbase::run(&set(&[V1]), DatabaseUrl(&db.url)).await?;
    audit(db).await?;
    query_as_admin(db, &format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {user}")).await?;
    let own = as_role(db, &user);
    let two = set(&[V1, V3]);
    assert_eq!(jetbase::run(&two, DatabaseUrl(&own.url)).await?.applied.len(), 1);
    assert_eq!(audited(db).await?.as_deref(), Some("1"));
    assert_eq!(jetbase::rollback(&two, DatabaseUrl(&own.url)).await?.applied.len(), 1);
    assert!(!jetbase::lock_status(&two, DatabaseUrl(&own.url)).await?.locked);
    drop_all(db, &[&user]).await
}

async fn own_triggers(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let user = role(db, "user").await?;
    let own = as_role(db, &user);
    jetbase::run(&set(&[V1]), DatabaseUrl(&own.url)).await?;
    audit(&own).await?;
    let two = set(&[V1, V3]);
    assert_eq!(jetbase::run(&two, DatabaseUrl(&own.url)).await?.applied.len(), 1);
    assert_eq!(audited(db).await?.as_deref(), Some("1"));
    assert_eq!(jetbase::status(&two, DatabaseUrl(&own.url)).await?.applied.len(), 2);
    assert_eq!(jetbase::rollback(&two, DatabaseUrl(&own.url)).await?.applied.len(), 1);
    drop_all(db, &[&user]).await
}

/// A run that takes the role of the owner trusts the owner.
async fn taken_role(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let user = role(db, "user").await?;
    let target = DatabaseUrl(&db.url);
    jetbase::run(&set(&[V1]), target).role(&user).await?;
    audit(&as_role(db, &user)).await?;
    let report = jetbase::run(&set(&[V1, V3]), target).role(&user).await?;
    assert_eq!(report.applied.len(), 1);
    assert_eq!(audited(db).await?.as_deref(), Some("1"));
    drop_all(db, &[&user]).await
}

/// A run accepts the triggers of a trusted owner. Without it, the error names the option.
async fn trusted_owner(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let user = role(db, "user").await?;
    let own = as_role(db, &user);
    jetbase::run(&set(&[V1]), DatabaseUrl(&own.url)).await?;
    audit(&own).await?;
    let (two, target) = (set(&[V1, V3]), DatabaseUrl(&db.url));
    let error =
        jetbase::run(&two, target).await.expect_err("the owner of the trigger is not trusted");
    let text = format!("{error:#}");
    assert!(text.contains(&user) && text.contains("trust_owner"), "{text}");
    let report = jetbase::run(&two, target).trust_owner(&user).await?;
    assert_eq!(report.applied.len(), 1);
    assert_eq!(audited(db).await?.as_deref(), Some("1"));
    assert!(jetbase::check(&two, target).trust_owner(&user).await?.is_ready());
    assert!(!jetbase::lock_status(&two, target).trust_owner(&user).await?.locked);
    assert_eq!(jetbase::unlock(&two, target).trust_owner(&user).await?.holder, None);
    assert_eq!(jetbase::rollback(&two, target).trust_owner(&user).await?.applied.len(), 1);
    drop_all(db, &[&user]).await
}
