-- upgrade
ALTER TABLE users ADD COLUMN email VARCHAR(320);

-- rollback
ALTER TABLE users DROP COLUMN email;
