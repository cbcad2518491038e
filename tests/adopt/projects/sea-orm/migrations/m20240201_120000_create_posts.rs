// The code of the migration sends the statements of m20240201_120000_create_posts.up.sql.
