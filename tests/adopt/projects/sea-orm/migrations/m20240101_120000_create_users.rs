// The code of the migration sends the statements of m20240101_120000_create_users.up.sql.
