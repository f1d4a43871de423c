-- Who calls: users, their sessions and keys. Times are microseconds since the Unix epoch.

CREATE TABLE users (
    id          TEXT NOT NULL PRIMARY KEY,
    issuer      TEXT NOT NULL,
    subject     TEXT NOT NULL,
    username    TEXT NOT NULL UNIQUE,
    email       TEXT,
    name        TEXT,
    roles       TEXT NOT NULL, -- JSON array of role names
    disabled_at INTEGER,
    created_at  INTEGER NOT NULL,
    UNIQUE (issuer, subject)
) STRICT;

CREATE TABLE sessions (
    id         TEXT NOT NULL PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE refresh_tokens (
    digest     BLOB NOT NULL PRIMARY KEY, -- SHA-256 of the token
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT;
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

CREATE TABLE api_keys (
    id           TEXT NOT NULL PRIMARY KEY,
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    prefix       TEXT NOT NULL,
    suffix       TEXT NOT NULL,
    digest       BLOB NOT NULL UNIQUE, -- SHA-256 of the key
    scopes       TEXT NOT NULL, -- JSON array
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at   INTEGER
) STRICT;
CREATE INDEX api_keys_owner ON api_keys (user_id, id);

-- The public halves of the keys that servers on this database sign with: each verifies the others' tokens.
CREATE TABLE signing_keys (
    kid        TEXT NOT NULL PRIMARY KEY,
    public_jwk TEXT NOT NULL, -- JSON
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL -- when a server last said that it signs with this key
) STRICT;
