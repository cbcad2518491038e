CREATE TABLE users (
    id INT PRIMARY KEY,
    name VARCHAR(40) NOT NULL
);

-- rollback
DROP TABLE users;
