// The code of the migration sends the statements of m20240401_120000_first_user.up.sql.
