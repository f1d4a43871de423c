-- What keeps accounts in order: keys that must not be believed, proofs of addresses, and what clean-up looks for.

ALTER TABLE signing_keys ADD COLUMN revoked_at BIGINT; -- when it was taken back; the row stays, so that it is for ever

CREATE TABLE email_proofs (
    token      BYTEA NOT NULL PRIMARY KEY, -- SHA-256 of what the link holds
    user_id    TEXT COLLATE "C" NOT NULL UNIQUE REFERENCES users (id) ON DELETE CASCADE, -- a new link puts the one before out of use
    email      TEXT NOT NULL, -- the address it proves; of no use when the user has another by then
    expires_at BIGINT NOT NULL
);
CREATE INDEX email_proofs_expiry ON email_proofs (expires_at);

CREATE INDEX users_guests ON users (id) WHERE roles = '["guest"]';
CREATE INDEX audit_logs_age ON audit_logs (created_at);

-- For the deletion of a user: the other indexes of these tables leave out what is deleted already.
CREATE INDEX conversations_user ON conversations (user_id);
CREATE INDEX projects_user ON projects (user_id);
