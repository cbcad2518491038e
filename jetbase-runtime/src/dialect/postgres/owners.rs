//! The questions about the owners of jetbase's tables, who could let a reader run code.

/// Fails unless the tables belong to this user, or to the first superuser of the server. It is much
/// faster than `CHECK`.
pub(super) const CHECK_OWN: &str = "SELECT 1 / CASE WHEN EXISTS (SELECT 1 FROM pg_class AS c
  WHERE c.oid IN ({guarded}) AND c.relowner <> 10 AND pg_get_userbyid(c.relowner) <> current_user) THEN 0 ELSE 1 END";

/// The same in the first message, for the two tables that it reads. The search path is still that of the tables.
pub(super) const CHECK_OWN_STATE: &str = "SELECT 1 OPERATOR(pg_catalog./) CASE WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_class AS c
  WHERE c.oid OPERATOR(pg_catalog.=) ANY (ARRAY['jetbase_migrations'::pg_catalog.regclass, 'jetbase_lock'::pg_catalog.regclass]::pg_catalog.oid[])
    AND c.relowner OPERATOR(pg_catalog.<>) 10::pg_catalog.oid
    AND pg_catalog.pg_get_userbyid(c.relowner) OPERATOR(pg_catalog.<>) current_user) THEN 0 ELSE 1 END";

/// Fails if one of jetbase's tables could run code of an owner who is not trusted.
pub(super) const CHECK: &str = "SELECT 1 / CASE WHEN EXISTS (SELECT 1 FROM {untrusted} AS tables WHERE fault IS NOT NULL) THEN 0 ELSE 1 END";

/// Lists which of jetbase's tables could run code of an owner who is not trusted, and how.
///
/// Trusted are the current role, superusers, the owner of the database, and the roles that the
/// caller names. A table of any other owner must only run built-in code.
pub(super) const UNTRUSTED: &str = "(SELECT owned.relname, owned.owner, CASE
    WHEN owned.relkind <> 'r' THEN 'is no plain table'
    WHEN owned.relispartition OR EXISTS (SELECT 1 FROM pg_inherits AS i WHERE owned.oid IN (i.inhrelid, i.inhparent))
      THEN 'inherits, or is inherited from'
    WHEN EXISTS (SELECT 1 FROM pg_trigger AS t WHERE t.tgrelid = owned.oid) THEN 'has a trigger or a foreign key'
    WHEN EXISTS (SELECT 1 FROM pg_rewrite AS r WHERE r.ev_class = owned.oid) THEN 'has a rule'
    WHEN owned.relrowsecurity OR EXISTS (SELECT 1 FROM pg_policy AS p WHERE p.polrelid = owned.oid)
      THEN 'has row-level security'
    WHEN EXISTS (SELECT 1 FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid
        WHERE a.attrelid = owned.oid AND a.attnum > 0
          AND (t.typtype <> 'b' OR t.typnamespace <> 'pg_catalog'::regnamespace OR a.attcollation >= 16384))
      THEN 'has a column whose type or collation is not built in'
    WHEN EXISTS (SELECT 1 FROM pg_attrdef AS d WHERE d.adrelid = owned.oid
        AND pg_get_expr(d.adbin, d.adrelid) NOT IN ('CURRENT_TIMESTAMP', 'now()', 'false'))
      THEN 'has a default or a generated column that jetbase does not know'
    WHEN EXISTS (SELECT 1 FROM pg_constraint AS k WHERE k.conrelid = owned.oid AND k.contype NOT IN ('p', 'u', 'n')
        AND pg_get_constraintdef(k.oid) <> 'CHECK ((id = 1))')
      THEN 'has a constraint that jetbase does not know'
    WHEN EXISTS (SELECT 1 FROM pg_index AS x WHERE x.indrelid = owned.oid
        AND (x.indexprs IS NOT NULL
          OR pg_get_expr(x.indpred, x.indrelid) <> '((migration_type)::text = ''VERSIONED''::text)'
          OR EXISTS (SELECT 1 FROM pg_opclass AS o
            WHERE o.oid = ANY (x.indclass) AND o.opcnamespace <> 'pg_catalog'::regnamespace)))
      THEN 'has an index that jetbase does not know'
  END AS fault
  FROM (SELECT c.*, pg_get_userbyid(c.relowner) AS owner FROM pg_class AS c
    WHERE c.oid IN ({guarded}) AND NOT EXISTS (SELECT 1 FROM pg_roles AS o WHERE o.oid = c.relowner
      AND (o.rolsuper OR o.rolname = current_user OR o.rolname IN ({trusted})
        OR o.oid = (SELECT datdba FROM pg_database WHERE datname = current_database())))) AS owned)";

/// Whether the tables and their schema belong to this user, or to the first superuser of the server. The schema
/// can also belong to the owner of the database. It is much faster than `OWNERS_TRUSTED`.
pub(super) const OWNED: &str = "NOT EXISTS (SELECT 1 FROM pg_class AS c
    WHERE c.oid IN ({guarded}) AND c.relowner <> 10 AND pg_get_userbyid(c.relowner) <> {user})
  AND NOT EXISTS (SELECT 1 FROM pg_namespace AS n WHERE n.nspname = {schema_name} AND n.nspowner <> 10
    AND pg_get_userbyid(n.nspowner) NOT IN ({user}, 'pg_database_owner'))";

/// Whether only trusted roles can change the tables: they own the tables and the schema.
pub(super) const OWNERS_TRUSTED: &str = "NOT EXISTS (SELECT 1 FROM (
    SELECT relowner FROM pg_class WHERE oid IN ({guarded})
    UNION SELECT nspowner FROM pg_namespace WHERE nspname = {schema_name}) AS owners(owner)
  WHERE NOT EXISTS (SELECT 1 FROM pg_roles AS o WHERE o.oid = owners.owner
    AND (o.rolsuper OR o.rolname IN ({user}, 'pg_database_owner') OR o.rolname IN ({trusted})
      OR o.oid = (SELECT datdba FROM pg_database WHERE datname = current_database()))))";
