INSERT INTO users (id, name) VALUES (1, 'ada');
INSERT INTO posts (id, author, title) VALUES (1, 1, 'a; b');
