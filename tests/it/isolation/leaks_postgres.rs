use super::leaks::LeakCase;

/// A query for the whole session state.
pub(super) const QUERY: &str = "SELECT 'prepared ' || name::text AS line FROM pg_catalog.pg_prepared_statements
  UNION ALL SELECT 'cursor ' || name FROM pg_catalog.pg_cursors
  UNION ALL SELECT 'channel ' || pg_listening_channels()
  UNION ALL SELECT 'temporary ' || relname::text FROM pg_catalog.pg_class WHERE relnamespace = pg_my_temp_schema()
  UNION ALL SELECT 'temporary ' || proname::text FROM pg_catalog.pg_proc WHERE pronamespace = pg_my_temp_schema()
  UNION ALL SELECT 'lock ' || objid FROM pg_catalog.pg_locks
    WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND classid <> 1784835700
  UNION ALL SELECT 'user ' || current_user || ' ' || session_user
  UNION ALL SELECT 'mine ' || COALESCE(current_setting('my.setting', true), '')
  UNION ALL SELECT 'setting ' || name || ' ' || setting FROM pg_catalog.pg_settings
    WHERE name <> 'application_name' AND name NOT LIKE '%.%'";

/// A function and a trigger that change the session state.
const LEAVES: &str = "CREATE FUNCTION leaves() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN
  SET TIME ZONE 'Asia/Tokyo'; SET work_mem = '7MB';
  PERFORM set_config('my.setting', 'leaked', false);
  CREATE TEMPORARY TABLE users AS SELECT * FROM users; RETURN 1; END $$;
CREATE FUNCTION fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM leaves(); RETURN NEW; END $$;
CREATE TABLE guarded (id INTEGER);
CREATE TRIGGER fires BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION fires()";

const INSERT: &str = "INSERT INTO users (id) VALUES (7);\n";

pub(super) const CASES: &[LeakCase] = &[
    LeakCase::new("a_prepared_statement", "PREPARE q AS SELECT 1;\n")
        .second("PREPARE q AS SELECT 2;\nDEALLOCATE q;\n"),
    LeakCase::new("a_temporary_view", "CREATE TEMPORARY VIEW users AS SELECT 5 AS id;\n").second(
        "CREATE TABLE counted AS SELECT count(*) FROM users;\nINSERT INTO users (id) VALUES (7);\n",
    ),
    LeakCase::new("a_temporary_sequence", "CREATE TEMPORARY SEQUENCE numbers;\n")
        .before("CREATE SEQUENCE numbers START 100")
        .second("INSERT INTO users (id) SELECT nextval('numbers');\n"),
    LeakCase::new(
        "a_temporary_function",
        "CREATE FUNCTION pg_temp.five() RETURNS integer LANGUAGE sql AS 'SELECT 5';\n",
    ),
    LeakCase::new("a_temporary_type", "CREATE TYPE pg_temp.mood AS ENUM ('a');\n")
        .before("CREATE TYPE mood AS ENUM ('b')")
        .second("CREATE TABLE moods AS SELECT 'b'::mood AS m;\n"),
    LeakCase::new("a_cursor", "DECLARE c CURSOR WITH HOLD FOR SELECT id FROM users;\n")
        .second("DECLARE c CURSOR WITH HOLD FOR SELECT 1;\nCLOSE c;\n"),
    LeakCase::new("a_channel", "LISTEN news;\n"),
    LeakCase::new("a_search_path", "SET search_path TO pg_catalog;\n").second(INSERT),
    LeakCase::new("a_role", "SET ROLE {other};\n").second(INSERT),
    LeakCase::new("a_session_user", "SET SESSION AUTHORIZATION {other};\n").second(INSERT),
    LeakCase::new("a_client_encoding", "SET client_encoding = 'LATIN1';\n"),
    LeakCase::new("names_in_latin1", "SET NAMES 'latin1';\n"),
    LeakCase::new(
        "an_encoding_by_function",
        "SELECT set_config('client_encoding', 'LATIN1', false);\n",
    ),
    LeakCase::new("a_time_zone", "SET TIME ZONE 'Asia/Tokyo';\n"),
    LeakCase::new("settings_by_function", "SELECT set_config('work_mem', '7MB', false);\n"),
    LeakCase::new("a_custom_setting", "SET my.setting = 'leaked';\n"),
    LeakCase::new(
        "read_only_transactions",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY;\n",
    )
    .second(INSERT),
    LeakCase::new("an_isolation_level", "SET default_transaction_isolation = 'serializable';\n"),
    LeakCase::new("replication_role", "SET session_replication_role = 'replica';\n"),
    LeakCase::new("a_short_idle_timeout", "SET idle_in_transaction_session_timeout = '1ms';\n"),
    LeakCase::new("a_last_value_of_a_sequence", "INSERT INTO numbered DEFAULT VALUES;\n")
        .before("CREATE TABLE numbered (id SERIAL)")
        .second(
            "DO $$ BEGIN INSERT INTO users (id) VALUES (lastval() + 1000);
EXCEPTION WHEN object_not_in_prerequisite_state THEN INSERT INTO users (id) VALUES (-1); END $$;\n",
        ),
    LeakCase::new("a_current_value_of_a_sequence", "SELECT nextval('numbers');\n")
        .before("CREATE SEQUENCE numbers START 100")
        .second(
            "DO $$ BEGIN INSERT INTO users (id) VALUES (currval('numbers'));
EXCEPTION WHEN object_not_in_prerequisite_state THEN INSERT INTO users (id) VALUES (-1); END $$;\n",
        ),
    LeakCase::new("a_session_lock", "SELECT pg_advisory_lock(42);\n").may_be_refused(),
    LeakCase::new("a_shared_session_lock", "SELECT pg_advisory_lock_shared(1, 42);\n")
        .may_be_refused(),
    LeakCase::new(
        "the_session_state_of_a_block",
        "DO $$ BEGIN SET TIME ZONE 'Asia/Tokyo'; SET my.setting = 'leaked';
CREATE TEMP TABLE users AS SELECT * FROM users; EXECUTE 'PREPARE q AS SELECT 1'; END $$;\n",
    )
    .second(INSERT),
    LeakCase::new("the_session_state_of_a_function", "SELECT leaves();\n")
        .before(LEAVES)
        .second(INSERT),
    LeakCase::new("the_session_state_of_a_trigger", "INSERT INTO guarded (id) VALUES (1);\n")
        .before(LEAVES)
        .second(INSERT),
    LeakCase::new(
        "settings_that_a_reset_removes",
        "SET TIME ZONE 'Asia/Tokyo';\nRESET ALL;\nINSERT INTO users (id) VALUES (3);\n",
    )
    .second(INSERT),
    LeakCase::new(
        "a_reset_in_its_first_statement",
        "RESET ALL;\nINSERT INTO users (id) VALUES (3);\n",
    ),
    LeakCase::new("a_reset_of_the_role", "RESET ROLE;\nRESET SESSION AUTHORIZATION;\n")
        .second(INSERT),
    LeakCase::new(
        "a_partial_discard",
        "CREATE TEMP TABLE x (id INTEGER);\nDISCARD TEMP;\nDISCARD PLANS;\nDISCARD SEQUENCES;\n",
    ),
];
