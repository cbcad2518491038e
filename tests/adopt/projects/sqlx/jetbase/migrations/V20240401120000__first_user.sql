INSERT INTO users (id, name) VALUES (1, 'ada');
INSERT INTO posts (id, author, title) VALUES (1, 1, 'a; b');

-- rollback
-- rollback
DELETE FROM posts WHERE id = 1;
DELETE FROM users WHERE id = 1;
