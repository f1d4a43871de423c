-- Refresh tokens follow one another: each but a session's first replaces its parent.

ALTER TABLE refresh_tokens ADD COLUMN parent BLOB; -- digest of the token it replaces
ALTER TABLE refresh_tokens ADD COLUMN superseded_at INTEGER; -- when another took its place before it was used
ALTER TABLE refresh_tokens ADD COLUMN access_token_id TEXT; -- the access token that was handed out with it
ALTER TABLE refresh_tokens ADD COLUMN access_used_at INTEGER; -- first use of that access token
ALTER TABLE refresh_tokens ADD COLUMN access_revoked_at INTEGER;
CREATE INDEX refresh_tokens_parent ON refresh_tokens (parent);
CREATE INDEX refresh_tokens_access ON refresh_tokens (access_token_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);
