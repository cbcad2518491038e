// The code of the migration sends the statements of m20240301_120000_index_posts.up.sql.
