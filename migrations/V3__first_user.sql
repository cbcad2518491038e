-- upgrade
INSERT INTO users (id, name, email) VALUES (1, 'Ada; "the first" -- of all', 'ada@example.org');

-- rollback
DELETE FROM users WHERE id = 1;
