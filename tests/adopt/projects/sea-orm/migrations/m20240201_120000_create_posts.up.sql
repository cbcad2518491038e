CREATE TABLE posts (
    id INT PRIMARY KEY,
    author INT NOT NULL,
    title VARCHAR(80) NOT NULL
)
