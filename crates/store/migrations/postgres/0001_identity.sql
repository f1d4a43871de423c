-- Who calls: users, their sessions and keys. Times are microseconds since the Unix epoch.
-- Ids are compared byte by byte (COLLATE "C"): pages must not depend on the locale of the database.

CREATE TABLE users (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    issuer      TEXT NOT NULL,
    subject     TEXT NOT NULL,
    username    TEXT NOT NULL UNIQUE,
    email       TEXT,
    name        TEXT,
    roles       JSONB NOT NULL, -- JSON array of role names
    disabled_at BIGINT,
    created_at  BIGINT NOT NULL,
    UNIQUE (issuer, subject)
);

CREATE TABLE sessions (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id    TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE refresh_tokens (
    digest     BYTEA NOT NULL PRIMARY KEY, -- SHA-256 of the token
    session_id TEXT COLLATE "C" NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at    BIGINT
);
CREATE INDEX refresh_tokens_session ON refresh_tokens (session_id);

CREATE TABLE api_keys (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id      TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name         TEXT NOT NULL,
    prefix       TEXT NOT NULL,
    suffix       TEXT NOT NULL,
    digest       BYTEA NOT NULL UNIQUE, -- SHA-256 of the key
    scopes       JSONB NOT NULL, -- JSON array
    created_at   BIGINT NOT NULL,
    expires_at   BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at   BIGINT
);
CREATE INDEX api_keys_owner ON api_keys (user_id, id);

-- The public halves of the keys that servers on this database sign with: each verifies the others' tokens.
CREATE TABLE signing_keys (
    kid        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    public_jwk JSONB NOT NULL, -- JSON
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL -- when a server last said that it signs with this key
);
