INSERT INTO users (id, name) VALUES (1, 'Ada');

-- rollback
DELETE FROM users WHERE id = 1;
