-- The attacker executes this after trap.sql. The names are the words in the sources of jetbase:
-- a word before a parenthesis may be a function, and each word may be a relation.
DO $plant$
DECLARE
  schemas text[] := {schemas};
  calls text[] := {calls};
  words text[] := {words};
  types text[] := ARRAY['bool', 'int2', 'int4', 'int8', 'oid', 'name', 'text', 'varchar', 'bpchar', 'timestamp',
    'timestamptz', 'interval', 'numeric', 'xid', '"char"', 'regclass'];
  likely text[] := ARRAY['true', '1', '1', '1', '1', '', '', '', '', 'now', 'now', '0', '1', '1', '1', '0'];
  variants text[] := ARRAY['varchar', 'text', 'int4', 'int8', 'oid', 'name'];
  comparisons text[] := ARRAY['=', '<>', '<', '>', '<=', '>=', '~~', '!~~', '~~*', '!~~*', '~'];
  sums text[] := ARRAY['+', '-', '*', '/', '|', '&', '%'];
  s text; o text; l integer; r integer; f record; a text; g text; at integer; returned text; listed text[];
  alternatives text[]; failed integer := 0; made integer := 0;
BEGIN
  FOR l IN 1 .. array_length(types, 1) LOOP
    EXECUTE format('CREATE FUNCTION trap.one(pg_catalog.%1$s) RETURNS pg_catalog.%1$s LANGUAGE plpgsql IMMUTABLE AS %2$L', types[l],
      format('BEGIN PERFORM trap.caught(%L); RETURN %L; END', 'prefix operator or sum of ' || types[l], likely[l]));
    FOR r IN 1 .. array_length(types, 1) LOOP
      -- Immutable, so that indexes accept them. They return the correct result, so that the statement commits the recorded call.
      FOREACH o IN ARRAY comparisons LOOP
        EXECUTE format('CREATE FUNCTION trap.%I(pg_catalog.%s, pg_catalog.%s) RETURNS pg_catalog.bool LANGUAGE plpgsql IMMUTABLE AS %L',
          o, types[l], types[r],
          format('BEGIN PERFORM trap.caught(%L); RETURN $1::pg_catalog.text OPERATOR(pg_catalog.%s) $2::pg_catalog.text; END',
            format('%s (%s, %s)', o, types[l], types[r]), o));
      END LOOP;
      EXECUTE format('CREATE FUNCTION trap.first(pg_catalog.%s, pg_catalog.%s) RETURNS pg_catalog.%s LANGUAGE plpgsql IMMUTABLE AS %L',
        types[l], types[r], types[l],
        format('BEGIN PERFORM trap.caught(%L); RETURN %L; END', format('sum (%s, %s)', types[l], types[r]), likely[l]));
      EXECUTE format('CREATE FUNCTION trap.joined(pg_catalog.%s, pg_catalog.%s) RETURNS pg_catalog.text LANGUAGE plpgsql IMMUTABLE AS %L',
        types[l], types[r],
        format('BEGIN PERFORM trap.caught(%L); RETURN $1::pg_catalog.text OPERATOR(pg_catalog.||) $2::pg_catalog.text; END', format('|| (%s, %s)', types[l], types[r])));
    END LOOP;
  END LOOP;
  FOREACH s IN ARRAY schemas LOOP
    FOR l IN 1 .. array_length(types, 1) LOOP
      FOREACH o IN ARRAY ARRAY['-', '+', '~'] LOOP
        EXECUTE format('CREATE OPERATOR %I.%s (FUNCTION = trap.one, RIGHTARG = pg_catalog.%s)', s, o, types[l]);
      END LOOP;
      FOR r IN 1 .. array_length(types, 1) LOOP
        FOREACH o IN ARRAY comparisons || sums || ARRAY['||'] LOOP
          EXECUTE format('CREATE OPERATOR %I.%s (FUNCTION = trap.%I, LEFTARG = pg_catalog.%s, RIGHTARG = pg_catalog.%s)',
            s, o, CASE WHEN o = ANY (comparisons) THEN o WHEN o = ANY (sums) THEN 'first' ELSE 'joined' END,
            types[l], types[r]);
          made := made + 1;
        END LOOP;
      END LOOP;
    END LOOP;

    -- Types with known names are found first if pg_catalog is last in the search path.
    FOREACH a IN ARRAY ARRAY['oid', 'name', 'text', 'int2', 'int4', 'int8', 'bool', 'regclass', 'timestamptz', 'xid'] LOOP
      EXECUTE format('CREATE DOMAIN %I.%I AS pg_catalog.%2$I CHECK (trap.caught(%3$L))', s, a, 'type ' || a);
    END LOOP;
    FOR f IN SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v')
        AND relname::text = ANY (words) LOOP
      BEGIN
        EXECUTE format('CREATE VIEW %I.%I AS SELECT * FROM pg_catalog.%2$I WHERE trap.caught(%3$L)', s, f.relname,
          'relation ' || f.relname);
      EXCEPTION WHEN OTHERS THEN failed := failed + 1;
      END;
    END LOOP;

    FOR f IN SELECT DISTINCT proname, prokind FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
        AND prokind IN ('a', 'w') AND proname::text = ANY (calls) LOOP
      FOREACH a IN ARRAY types LOOP
        EXECUTE format('CREATE AGGREGATE %I.%I(pg_catalog.%s) (SFUNC = trap.first, STYPE = pg_catalog.%3$s)',
          s, f.proname, a);
      END LOOP;
      IF f.proname = 'count' THEN
        EXECUTE format('CREATE AGGREGATE %I.count(*) (SFUNC = trap.one, STYPE = pg_catalog.int8, INITCOND = ''1'')', s);
      END IF;
    END LOOP;

    FOR f IN SELECT p.proname::text AS name, p.proretset AS many, p.prorettype AS result,
          ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY AS u(t, n) ORDER BY n) AS own
        FROM pg_proc p WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f'
        AND p.proname::text = ANY (calls) AND NOT p.proargtypes::oid[] && ARRAY['internal'::regtype::oid, 'cstring'::regtype]
        AND p.prorettype NOT IN ('internal'::regtype, 'cstring'::regtype, 'trigger'::regtype) LOOP
      -- First the same signature, then each argument with other types.
      FOR at IN 0 .. coalesce(array_length(f.own, 1), 0) LOOP
        alternatives := CASE
          WHEN at = 0 THEN ARRAY['']
          WHEN f.own[at] IN ('anyarray', 'anycompatiblearray') THEN ARRAY['text[]', 'varchar[]', 'name[]', 'int4[]', 'oid[]']
          ELSE variants END;
        FOREACH a IN ARRAY alternatives LOOP
          listed := f.own;
          IF at > 0 THEN listed[at] := a; END IF;
          returned := format_type(f.result, NULL);
          IF returned IN ('record', 'anyelement', 'anyarray', 'anycompatible', 'anynonarray') THEN
            returned := CASE WHEN at = 0 THEN 'text' ELSE replace(a, '[]', '') END;
          END IF;
          g := CASE WHEN f.many THEN 'RETURN;'
            WHEN at = 0 AND returned NOT IN ('void', 'record') THEN format('RETURN pg_catalog.%I(%s);', f.name,
              (SELECT string_agg('$' || n, ', ') FROM generate_series(1, array_length(f.own, 1)) n))
            WHEN returned = 'boolean' THEN 'RETURN true;'
            WHEN returned = 'void' THEN 'RETURN;' ELSE 'RETURN NULL;' END;
          BEGIN
            EXECUTE format('CREATE FUNCTION %I.%I(%s) RETURNS %s LANGUAGE plpgsql IMMUTABLE AS %L', s, f.name,
              array_to_string(listed, ', '), CASE WHEN f.many THEN 'SETOF ' ELSE '' END || returned,
              format('BEGIN PERFORM trap.caught(%L); %s END',
                format('function %s(%s)', f.name, array_to_string(listed, ', ')), g));
            made := made + 1;
          EXCEPTION WHEN OTHERS THEN failed := failed + 1;
          END;
        END LOOP;
      END LOOP;
    END LOOP;
  END LOOP;
  IF made < 5000 * array_length(schemas, 1) THEN
    RAISE EXCEPTION 'only % operators and functions were planted, % could not be', made, failed;
  END IF;
END $plant$;
