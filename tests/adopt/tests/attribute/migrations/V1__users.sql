CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    name VARCHAR(200) NOT NULL
);

-- rollback
DROP TABLE users;
