-- upgrade
CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    name VARCHAR(200) NOT NULL
);

CREATE INDEX users_name ON users (name);

-- rollback
DROP VIEW IF EXISTS user_names;
DROP TABLE users;
