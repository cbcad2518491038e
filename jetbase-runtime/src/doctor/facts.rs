//! Reads what a diagnosis is made of. Nothing here decides.

use jetbase_core::{Dialect, Goal, Plan, Until, plan};

use super::DoctorRequest;
use crate::connection::{Cause, End};
use crate::connection::{ResultRow, ResultSet, RowHandling, SendFailure, send_within};
use crate::dialect::{Bindings, Sql, sql};
use crate::environment;
use crate::error::{Error, ErrorKind, SettingError};
use crate::execute::{Empty, prepare};
use crate::journal::Unfinished;
use crate::options::direct_or;
use crate::query::{LockStatus, read_lock};
use crate::run::Published;
use crate::session::{Liveness, Session, Topology};
use crate::state::{DatabaseState, Namespace, NamespaceOptions, guarded, read_state};
use crate::target::{Connect, ConnectionOwner};
use crate::wait::{Limit, Wait};

/// Everything that was read.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) dialect: Dialect,
    pub(super) role: Option<String>,
    pub(super) wait: Result<Wait, SettingError>,
    pub(super) lease: Result<std::time::Duration, SettingError>,
    /// Whether the run has an address that bypasses a pooler.
    pub(super) has_direct_url: bool,
    pub(super) published: Published,
    /// The answers about the server; `None` if it could not be asked.
    pub(super) server: Option<ServerFacts>,
    /// Where the run would work, or why it could not work there.
    pub(super) namespace: Result<Namespace, Error>,
    /// What the run would do; `None` if the history cannot be read.
    pub(super) work: Option<Result<WorkFacts, Error>>,
    /// The files of which only a part is permanent.
    pub(super) unfinished: Vec<Unfinished>,
    /// The session that the run would have; `None` if nothing was tried.
    pub(super) session: Option<Result<SessionFacts, Error>>,
}

/// What the server says about itself and the user.
#[derive(Clone, Debug, Default)]
pub(super) struct ServerFacts {
    pub(super) row: ResultRow,
    /// The rights that the user lacks.
    pub(super) missing_rights: Vec<ResultRow>,
    /// The roles that may give the user more rights than the list of rights shows.
    pub(super) roles: Vec<String>,
    /// Creates the index of the history.
    pub(super) add_index: String,
    /// Why the server did not answer everything.
    pub(super) refused: Option<Cause>,
}

/// What a run would do.
#[derive(Clone, Debug, Default)]
pub(super) struct WorkFacts {
    pub(super) applied: usize,
    pub(super) pending: usize,
}

/// The session of a run, and the lock that it would need.
#[derive(Debug)]
pub(super) struct SessionFacts {
    pub(super) owner: ConnectionOwner,
    pub(super) liveness: Liveness,
    pub(super) topology: Topology,
    pub(super) pooled: bool,
    pub(super) published: Vec<String>,
    /// The zone of the times that a run writes (PostgreSQL).
    pub(super) zone: String,
    /// The file of an SQLite database; `None` for one in memory.
    pub(super) file: Option<String>,
    /// `None` if there are no tables yet.
    pub(super) lock: Option<Result<LockStatus, Error>>,
}

impl Facts {
    /// Asks the database. `direct` bypasses a pooler.
    pub(super) async fn read(
        request: &DoctorRequest,
        source: &mut dyn Connect,
        mut direct: Option<Box<dyn Connect>>,
    ) -> Self {
        let DoctorRequest { options, published, .. } = request;
        let dialect = source.dialect();
        let limit = Limit::start(Wait::UpTo(MAX_WAIT));
        let state = read_state(source, &options.namespace).await;
        let (mut server, mut work, mut session) = (None, None, None);
        // A question inside a transaction of the caller would change its settings.
        if can_ask(&state) {
            let schema = state.as_ref().ok().map(|state| state.namespace.schema.as_str());
            server = read_server(source, &options.namespace, schema, limit).await.ok();
        }
        let has_direct_url = direct.is_some();
        if let Ok(state) = &state {
            work = Some(plan_work(request, state));
            let source = direct_or(&mut direct, source);
            session = Some(read_session(source, state, limit).await);
        }
        Facts {
            dialect,
            role: options.namespace.role.clone(),
            wait: options.wait.clone(),
            lease: environment::lease(),
            has_direct_url,
            published: *published,
            server,
            unfinished: state.as_ref().map(|it| Unfinished::of(&it.journal)).unwrap_or_default(),
            namespace: state.map(|state| state.namespace),
            work,
            session,
        }
    }
}

/// How long the examination waits for the server.
const MAX_WAIT: std::time::Duration = std::time::Duration::from_secs(10);

/// Whether questions can be sent over the connection that has read the state.
fn can_ask(state: &Result<DatabaseState, Error>) -> bool {
    use crate::error::NamespaceError::InTransaction;
    !matches!(
        state.as_ref().map_err(Error::kind),
        Err(ErrorKind::Namespace(InTransaction) | ErrorKind::Setting(_))
    )
}

/// Asks the server about itself.
async fn read_server(
    source: &mut dyn Connect,
    options: &NamespaceOptions,
    schema: Option<&str>,
    limit: Limit,
) -> Result<ServerFacts, Cause> {
    let dialect = source.dialect();
    let sql = sql(dialect);
    let bindings = Bindings::new(dialect, Some(schema.unwrap_or_default()))
        .literal("schema_name", schema.unwrap_or_default())
        .literals("trusted", &options.trusted);
    let bindings = guarded(sql, bindings).nested("tables_exist", sql.tables_exist);
    let role = options.role.as_deref().filter(|_| dialect == Dialect::Postgres && schema.is_some());
    let set_role = role.map(|role| bindings.clone().identifier("name", role));
    let set_role = set_role.map(|bindings| bindings.render("SET LOCAL ROLE {name}"));
    let questions = sql.doctor.iter().map(|part| bindings.render(part));
    let parts: Vec<_> = set_role.into_iter().chain(questions).collect();
    let facts_at = parts.len() - sql.doctor.len() + sql.doctor_facts;

    let mut connection = source.connect_for_reading(limit.for_connecting()).await?;
    let message = parts.join(";\n");
    let answer =
        send_within(connection.as_mut(), &message, RowHandling::Keep, Some(limit.for_answer()))
            .await;
    connection.finish(End::Reuse).await;
    let (sets, refused) = match answer {
        Ok(sets) => (sets, None),
        Err(SendFailure { completed, cause }) => (completed, Some(cause)),
    };
    Ok(server_facts(sql, &bindings, sets.get(facts_at..).unwrap_or_default(), refused))
}

fn server_facts(
    sql: &Sql,
    bindings: &Bindings,
    sets: &[ResultSet],
    refused: Option<Cause>,
) -> ServerFacts {
    let rows = |index: usize| sets.get(index).map(|set| set.rows.clone()).unwrap_or_default();
    ServerFacts {
        row: sets.first().map(ResultSet::first_row).unwrap_or_default(),
        missing_rights: rows(1),
        roles: rows(2).iter().map(|row| row.text("role_name").to_owned()).collect(),
        add_index: bindings.render(sql.add_index),
        refused,
    }
}

/// Plans a run, and prepares its files as the run would.
fn plan_work(request: &DoctorRequest, state: &DatabaseState) -> Result<WorkFacts, Error> {
    let history = state.history.as_deref().unwrap_or_default();
    let planned: Plan = plan(&request.set, history, &Goal::Upgrade(Until::End), &request.policy)?;
    let jobs =
        prepare(&request.set, &planned, state.namespace.syntax, Empty::default(), Vec::new())?;
    Ok(WorkFacts { applied: history.len(), pending: jobs.len() })
}

/// Returns the zone of the times that a run writes. Only PostgreSQL's times depend on it.
fn zone_of(session: &Session<'_>) -> String {
    match session.dialect {
        Dialect::Postgres => session.bindings.render("{zone}").trim_matches('\'').to_owned(),
        Dialect::MySql | Dialect::Sqlite => "UTC".to_owned(),
    }
}

/// Opens the session that a run would have, and closes it again.
async fn read_session(
    source: &mut dyn Connect,
    state: &DatabaseState,
    limit: Limit,
) -> Result<SessionFacts, Error> {
    let mut session = Session::open(source, state, limit).await?;
    session.wait_within(limit).await;
    let lock = if session.has_tables { Some(read_lock(&mut session).await) } else { None };
    let facts = SessionFacts {
        owner: session.owner,
        liveness: session.liveness,
        topology: session.topology,
        pooled: session.pooled,
        published: session.published.clone(),
        zone: zone_of(&session),
        file: session.file.clone(),
        lock,
    };
    session.close().await;
    Ok(facts)
}
