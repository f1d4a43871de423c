-- An upgrade through an external provider is bound to the guest who began it. What is under way begins anew.

ALTER TABLE login_requests ADD COLUMN guest_id TEXT COLLATE "C"; -- the guest who is to become who signs in; NULL for a plain sign-in

DELETE FROM external_logins;
ALTER TABLE external_logins DROP COLUMN upgrade;
ALTER TABLE external_logins ADD COLUMN guest_id TEXT COLLATE "C"; -- as in login_requests

DROP TABLE external_grants;
CREATE TABLE external_grants (
    code       BYTEA NOT NULL PRIMARY KEY, -- SHA-256 of the code
    guest_id   TEXT COLLATE "C" NOT NULL, -- who alone may take it
    identity   JSONB NOT NULL, -- what the provider says
    id_token   TEXT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX external_grants_expiry ON external_grants (expires_at);
