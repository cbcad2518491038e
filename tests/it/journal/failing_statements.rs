//! Statements that fail, each in its own way.

use jetbase_test_harness::DatabaseKind;

/// A statement that fails, and what its file needs for that.
#[derive(Clone, Copy, Debug)]
pub(super) struct FailingInput {
    pub(super) failing: &'static str,
    /// The directive of the file.
    pub(super) directive: &'static str,
    /// A statement before it.
    pub(super) setting: &'static str,
    /// Whether it may have taken effect in part, so that the next run asks.
    pub(super) may_ask: bool,
}

const fn plain(failing: &'static str) -> FailingInput {
    FailingInput { failing, directive: "", setting: "", may_ask: false }
}

const fn under(directive: &'static str, failing: &'static str) -> FailingInput {
    FailingInput { directive, ..plain(failing) }
}

const fn after(setting: &'static str, failing: &'static str) -> FailingInput {
    FailingInput { setting, ..plain(failing) }
}

const fn asking(failing: &'static str) -> FailingInput {
    FailingInput { may_ask: true, ..plain(failing) }
}

/// All inputs for one database.
pub(super) fn failing_inputs(kind: DatabaseKind) -> Vec<FailingInput> {
    let common = COMMON.iter().map(|failing| plain(failing)).filter(|input| {
        // SQLite checks foreign keys at the end of a file in a transaction only, and a view when it is
        // used.
        let deferred =
            ["child", "parent WHERE", "VIEW"].iter().any(|it| input.failing.contains(it));
        !(kind == DatabaseKind::Sqlite && deferred)
    });
    let own: &[FailingInput] = match kind {
        DatabaseKind::Postgres => POSTGRES,
        DatabaseKind::Mysql => MYSQL,
        DatabaseKind::Sqlite => SQLITE,
    };
    common.chain(own.iter().copied()).collect()
}

/// The statements that fail on every database.
const COMMON: &[&str] = &[
    "SELEC 1",
    "INSERT INTO fx (id VALUES) (1)",
    "INSERT INTO nowhere VALUES (1)",
    "INSERT INTO fx (nowhere) VALUES (1)",
    "CREATE TABLE fx (id INTEGER)",
    "INSERT INTO strict VALUES (NULL)",
    "INSERT INTO strict VALUES (7), (7)",
    "INSERT INTO strict VALUES (8), (-1)",
    "INSERT INTO child VALUES (99)",
    "DROP TABLE nowhere",
    "CREATE INDEX i ON fx (nowhere)",
    "ALTER TABLE nowhere ADD COLUMN a INTEGER",
    "SELECT nowhere(1)",
    "UPDATE fx SET nowhere = 1",
    "INSERT INTO fx SELECT id FROM nowhere",
    "CREATE VIEW v AS SELECT nowhere FROM fx",
    "DELETE FROM parent WHERE id = 1",
    "ALTER TABLE fx ADD COLUMN id INTEGER",
    "CREATE UNIQUE INDEX u ON twice (id)",
];

const POSTGRES: &[FailingInput] = &[
    plain("SELECT 1 / (id - id) FROM parent"),
    plain("DO $$ BEGIN INSERT INTO fx VALUES (50); RAISE EXCEPTION 'größe'; END $$"),
    plain("DO $$ BEGIN EXECUTE 'SELEC 1'; END $$"),
    plain("DO $$ BEGIN INSERT INTO fx VALUES (51); INSERT INTO strict VALUES (NULL); END $$"),
    plain("SELECT 'größe'::integer FROM parent"),
    plain("SET CONSTRAINTS nowhere IMMEDIATE"),
    plain("CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELEC 1'"),
    plain("CREATE FUNCTION f() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN größe größe; END $$"),
    plain("SELECT fails()"),
    plain("INSERT INTO strict SELECT 9 FROM generate_series(1, 2)"),
    plain("CREATE TRIGGER t BEFORE INSERT ON fx EXECUTE FUNCTION nowhere()"),
    plain("CREATE TABLE größe (id INTEGER CHECK (nirgends > 0))"),
    plain("COPY fx FROM '/nowhere/größe'"),
    plain("ALTER TABLE parent ALTER COLUMN id TYPE date USING 'x'::date"),
    plain("INSERT INTO fx VALUES (99999999999)"),
    plain("GRANT SELECT ON fx TO nobody_here"),
    plain("TRUNCATE parent"),
    plain("CREATE EXTENSION nowhere"),
    // A constraint that is checked at the COMMIT.
    plain("INSERT INTO late VALUES (99)"),
    // A missing right.
    plain("DO $$ BEGIN SET LOCAL ROLE pg_monitor; INSERT INTO fx VALUES (52); END $$"),
    // A full disk: of temporary files, and as the server reports it for a table.
    plain(
        "DO $$ BEGIN SET LOCAL work_mem = 64; SET LOCAL temp_file_limit = 64; PERFORM count(*) FROM
         (SELECT i FROM generate_series(1, 200000) AS i ORDER BY md5(i::text) OFFSET 1) AS sorted; END $$",
    ),
    plain("DO $$ BEGIN INSERT INTO fx VALUES (53); RAISE disk_full; END $$"),
    // A deadlock in each attempt.
    plain("DO $$ BEGIN INSERT INTO fx VALUES (54); RAISE deadlock_detected; END $$"),
    under("statement_timeout=200ms", "SELECT pg_sleep(600)"),
    under("lock_timeout=100ms", "SELECT * FROM held"),
    // The session is killed.
    asking("SELECT pg_terminate_backend(pg_backend_pid())"),
];

const MYSQL: &[FailingInput] = &[
    plain("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'größe'"),
    asking("CALL nowhere()"),
    asking("CALL fails()"),
    plain("ALTER TABLE fx DROP COLUMN nowhere"),
    plain("CREATE TABLE fx2 (id INTEGER, id INTEGER)"),
    plain("RENAME TABLE nowhere TO other"),
    plain("INSERT INTO strict SELECT 9 UNION ALL SELECT 9"),
    plain("TRUNCATE TABLE nowhere"),
    plain("GRANT SELECT ON nowhere.nothing TO nobody_here"),
    plain("INSERT INTO fx VALUES (99999999999)"),
    plain("INSERT INTO strict VALUES ('größe')"),
    plain("CREATE TABLE größe (id INTEGER CHECK (nirgends > 0))"),
    plain("CREATE PROCEDURE p() BEGIN DECLARE größe größe; END"),
    plain("ALTER TABLE fx ADD CONSTRAINT c FOREIGN KEY (id) REFERENCES nowhere (id)"),
    plain("ALTER TABLE strict ADD COLUMN a INTEGER, ADD COLUMN a INTEGER"),
    plain("DROP VIEW nowhere"),
    plain("DROP TABLE parent"),
    plain("TRUNCATE TABLE parent"),
    plain("LOAD DATA INFILE '/nowhere/größe' INTO TABLE fx"),
    plain("SELECT 1 INTO @a, @b"),
    plain("INSERT INTO guarded VALUES (1)"),
    // A missing right.
    plain("SELECT * FROM denied"),
    // A table that is full, and has no transactions.
    plain("INSERT INTO full_table SELECT REPEAT('x', 200) FROM information_schema.collations"),
    // A deadlock in each attempt.
    plain("SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213, MESSAGE_TEXT = 'deadlock'"),
    under(
        "statement_timeout=200ms",
        "SELECT SLEEP(600) FROM (SELECT 1 AS i UNION ALL SELECT 2) AS two_rows",
    ),
    plain("SELECT * FROM held FOR UPDATE NOWAIT"),
    // The session is killed.
    asking("KILL CONNECTION_ID()"),
];

const SQLITE: &[FailingInput] = &[
    plain("SELECT abs(-9223372036854775808)"),
    plain("INSERT INTO strict SELECT 9 UNION ALL SELECT 9"),
    plain("ALTER TABLE fx RENAME COLUMN nowhere TO a"),
    plain("DROP INDEX nowhere"),
    plain("REINDEX nowhere"),
    plain("CREATE TRIGGER t AFTER INSERT ON nowhere BEGIN SELECT 1; END"),
    plain("INSERT INTO guarded VALUES (1)"),
    plain("INSERT INTO failing VALUES (1)"),
    plain("SELECT json('größe')"),
    plain("SELECT 'a' LIKE 'b' ESCAPE 'größe'"),
    plain("SELECT randomblob(2000000000)"),
    plain("INSERT INTO typed VALUES ('größe')"),
    plain("SELECT load_extension('nowhere')"),
    plain("CREATE VIRTUAL TABLE v USING nowhere"),
    plain("ALTER TABLE fx DROP COLUMN nowhere"),
    plain("ALTER TABLE strict DROP COLUMN id"),
    plain("INSERT INTO shown VALUES (1)"),
    plain("WITH a AS (SELECT 1) INSERT INTO nowhere SELECT * FROM a"),
    plain("SELECT row_number() FROM fx"),
    plain("CREATE TABLE sqlite_x (id INTEGER)"),
    plain("SELECT * FROM fx ORDER BY 5"),
    plain("SELECT 1 UNION SELECT 1, 2"),
    plain("VALUES (1), (1, 2)"),
    // A full disk.
    after("PRAGMA max_page_count = 300", "INSERT INTO fx SELECT zeroblob(2000000) FROM parent"),
];

/// The statements that prepare the database.
pub(super) fn prepared(kind: DatabaseKind) -> impl Iterator<Item = &'static str> {
    let own: &[&str] = match kind {
        DatabaseKind::Postgres => &[
            "CREATE TABLE held (id INTEGER);
             CREATE TABLE late (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED);
             CREATE FUNCTION fails() RETURNS integer LANGUAGE plpgsql AS
               $$ BEGIN INSERT INTO fx VALUES (55); RAISE EXCEPTION 'größe'; END $$",
        ],
        DatabaseKind::Mysql => &[
            "CREATE TABLE held (id INTEGER); INSERT INTO held VALUES (1);
             CREATE USER IF NOT EXISTS without_rights;
             CREATE DEFINER = without_rights SQL SECURITY DEFINER VIEW denied AS SELECT id FROM parent;
             CREATE TABLE guarded (id INTEGER);
             SET SESSION max_heap_table_size = 16384;
             CREATE TABLE full_table (t CHAR(250)) ENGINE = MEMORY",
            "CREATE PROCEDURE fails() BEGIN INSERT INTO strict VALUES (11); SIGNAL SQLSTATE '45000'; END",
            "CREATE TRIGGER guard BEFORE INSERT ON guarded FOR EACH ROW SIGNAL SQLSTATE '45000'",
        ],
        DatabaseKind::Sqlite => &[
            "CREATE TABLE guarded (id INTEGER);
             CREATE TRIGGER guard BEFORE INSERT ON guarded BEGIN SELECT RAISE(ABORT, 'größe'); END;
             CREATE TABLE failing (id INTEGER);
             CREATE TRIGGER fail BEFORE INSERT ON failing BEGIN SELECT RAISE(ROLLBACK, 'größe'); END;
             CREATE TABLE typed (id INTEGER) STRICT;
             CREATE VIEW shown AS SELECT id FROM parent",
        ],
    };
    std::iter::once(PREPARED).chain(own.iter().copied())
}

const PREPARED: &str = "CREATE TABLE fx (id INTEGER);
CREATE TABLE strict (id INTEGER NOT NULL UNIQUE CHECK (id > 0));
CREATE TABLE twice (id INTEGER);
INSERT INTO twice VALUES (1), (1);
CREATE TABLE parent (id INTEGER PRIMARY KEY);
INSERT INTO parent VALUES (1);
CREATE TABLE child (id INTEGER, FOREIGN KEY (id) REFERENCES parent (id));
INSERT INTO child VALUES (1);";
