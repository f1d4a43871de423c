-- Users who can sign in by themselves. Guests have neither a password nor a name or address that others could want.

ALTER TABLE users ADD COLUMN email_folded TEXT; -- in lower case; null for guests
ALTER TABLE users ADD COLUMN username_folded TEXT; -- in lower case; null for guests
ALTER TABLE users ADD COLUMN email_verified_at INTEGER;
ALTER TABLE users ADD COLUMN password_hash TEXT; -- Argon2id, with its salt and parameters
CREATE UNIQUE INDEX users_email_folded ON users (email_folded);
CREATE UNIQUE INDEX users_username_folded ON users (username_folded);
