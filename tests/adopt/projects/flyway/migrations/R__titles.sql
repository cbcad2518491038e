DROP VIEW IF EXISTS titles;
CREATE VIEW titles AS SELECT title AS it FROM posts;
