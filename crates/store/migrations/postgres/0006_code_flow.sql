-- Signing in through the page: what was begun, and what was granted and not yet exchanged. Rows live for minutes.

CREATE TABLE login_requests (
    state        BYTEA NOT NULL PRIMARY KEY, -- SHA-256 of what the browser brings back
    verifier     TEXT NOT NULL, -- what proves that who exchanges the code is who began (PKCE)
    redirect_url TEXT NOT NULL, -- where the browser is to land
    expires_at   BIGINT NOT NULL
);
CREATE INDEX login_requests_expiry ON login_requests (expires_at);

CREATE TABLE authorization_codes (
    code       BYTEA NOT NULL PRIMARY KEY, -- SHA-256 of the code
    user_id    TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    challenge  TEXT NOT NULL, -- the verifier's digest
    browser    BYTEA NOT NULL, -- SHA-256 of the cookie of the browser that signed in
    expires_at BIGINT NOT NULL
);
CREATE INDEX authorization_codes_expiry ON authorization_codes (expires_at);
