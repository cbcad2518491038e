-- upgrade
ALTER TABLE users ADD COLUMN email VARCHAR(320);

CREATE UNIQUE INDEX users_email ON users (email);

-- rollback
DROP TABLE users;

CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    name VARCHAR(200) NOT NULL
);
