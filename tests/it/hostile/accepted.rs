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
    suite.each("a_run_accepts_triggers_of_a_trusted_owner", POSTGRES, nothing, named_role);
    suite.each("a_run_accepts_triggers_of_the_role_that_it_takes", POSTGRES, nothing, taken_role);
}

/// Makes an audit table and triggers that write to it, as the role of this address.
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

/// How often the audit has noted an insert into the history.
async fn noted(db: &Database) -> Result<Option<String>, TestError> {
    value_as_admin(db, "SELECT count(*) FROM public.audit WHERE what = 'INSERT jetbase_migrations'")
        .await
}

/// The same database as another role.
fn seen_by(db: &Database, role: &str) -> Database {
    let mut own = db.clone();
    own.url = db.url_as(role, "x");
    own
}

/// Makes a role that may log in and create tables.
async fn role(db: &Database, what: &str) -> Result<String, TestError> {
    let name = format!("{}_{what}", db.name);
    db.admin(&format!("CREATE ROLE {name} LOGIN PASSWORD 'x'")).await?;
    query_as_admin(db, &format!("GRANT ALL ON SCHEMA public TO {name}")).await?;
    Ok(name)
}

/// Drops the database, then the roles that owned something in it.
async fn forget(db: &Database, roles: &[&str]) -> TestResult {
    db.admin(&format!("DROP DATABASE {} WITH (FORCE)", db.name)).await?;
    for role in roles {
        db.admin(&format!("DROP ROLE {role}")).await?;
    }
    Ok(())
}

/// A role for deployments made the tables by a run of its own; an administrator goes on.
async fn plain_tables(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let mallory = Mallory::create(db).await?;
    // Made by running, with nothing in it: afterwards every command finds what it expects.
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
    let own = seen_by(db, &owner);
    jetbase::run(&set(&[V1]), DatabaseUrl(&own.url)).await?;
    audit(&own).await?;
    let report = jetbase::run(&set(&[V1, V3]), DatabaseUrl(&db.url)).await?;
    assert_eq!(report.applied.len(), 1);
    assert_eq!(noted(db).await?.as_deref(), Some("1"));
    forget(db, &[&owner]).await
}

async fn superusers(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let user = role(db, "user").await?;
    jetbase::run(&set(&[V1]), DatabaseUrl(&db.url)).await?;
    audit(db).await?;
    query_as_admin(db, &format!("GRANT ALL ON ALL TABLES IN SCHEMA public TO {user}")).await?;
    let own = seen_by(db, &user);
    let two = set(&[V1, V3]);
    assert_eq!(jetbase::run(&two, DatabaseUrl(&own.url)).await?.applied.len(), 1);
    assert_eq!(noted(db).await?.as_deref(), Some("1"));
    assert_eq!(jetbase::rollback(&two, DatabaseUrl(&own.url)).await?.applied.len(), 1);
    assert!(!jetbase::lock_status(&two, DatabaseUrl(&own.url)).await?.locked);
    forget(db, &[&user]).await
}

async fn own_triggers(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let user = role(db, "user").await?;
    let own = seen_by(db, &user);
    jetbase::run(&set(&[V1]), DatabaseUrl(&own.url)).await?;
    audit(&own).await?;
    let two = set(&[V1, V3]);
    assert_eq!(jetbase::run(&two, DatabaseUrl(&own.url)).await?.applied.len(), 1);
    assert_eq!(noted(db).await?.as_deref(), Some("1"));
    assert_eq!(jetbase::status(&two, DatabaseUrl(&own.url)).await?.applied.len(), 2);
    assert_eq!(jetbase::rollback(&two, DatabaseUrl(&own.url)).await?.applied.len(), 1);
    forget(db, &[&user]).await
}

/// Who migrates as the tables' owner trusts that owner.
async fn taken_role(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let user = role(db, "user").await?;
    let target = DatabaseUrl(&db.url);
    jetbase::run(&set(&[V1]), target).role(&user).await?;
    audit(&seen_by(db, &user)).await?;
    let report = jetbase::run(&set(&[V1, V3]), target).role(&user).await?;
    assert_eq!(report.applied.len(), 1);
    assert_eq!(noted(db).await?.as_deref(), Some("1"));
    forget(db, &[&user]).await
}

/// The triggers of a role that the caller names are accepted; otherwise the error says how to name it.
async fn named_role(ctx: TestContext) -> TestResult {
    let db = &ctx.db;
    let user = role(db, "user").await?;
    let own = seen_by(db, &user);
    jetbase::run(&set(&[V1]), DatabaseUrl(&own.url)).await?;
    audit(&own).await?;
    let (two, target) = (set(&[V1, V3]), DatabaseUrl(&db.url));
    let error = jetbase::run(&two, target).await.expect_err("the trigger is a stranger's");
    let text = format!("{error:#}");
    assert!(text.contains(&user) && text.contains("trust_owner"), "{text}");
    let report = jetbase::run(&two, target).trust_owner(&user).await?;
    assert_eq!(report.applied.len(), 1);
    assert_eq!(noted(db).await?.as_deref(), Some("1"));
    assert!(jetbase::check(&two, target).trust_owner(&user).await?.is_ready());
    assert!(!jetbase::lock_status(&two, target).trust_owner(&user).await?.locked);
    assert_eq!(jetbase::unlock(&two, target).trust_owner(&user).await?.holder, None);
    assert_eq!(jetbase::rollback(&two, target).trust_owner(&user).await?.applied.len(), 1);
    forget(db, &[&user]).await
}
