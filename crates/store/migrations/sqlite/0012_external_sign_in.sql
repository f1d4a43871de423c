-- Signing in through an external OpenID Connect provider.

CREATE TABLE external_logins (
    state        BLOB NOT NULL PRIMARY KEY, -- SHA-256 of what the browser brings back from the provider
    issuer       TEXT NOT NULL, -- which provider
    verifier     TEXT NOT NULL, -- what proves that who exchanges the code is who began (PKCE)
    nonce        TEXT NOT NULL, -- what the ID token has to hold
    browser      BLOB NOT NULL, -- SHA-256 of the cookie of the browser that began
    redirect_url TEXT NOT NULL, -- where the browser is to land
    upgrade      INTEGER NOT NULL, -- 1 when a guest is to become the account, 0 for a plain sign-in
    expires_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX external_logins_expiry ON external_logins (expires_at);

-- Whom a provider vouched for, until a guest says that it is him.
CREATE TABLE external_grants (
    code       BLOB NOT NULL PRIMARY KEY, -- SHA-256 of the code
    identity   TEXT NOT NULL, -- JSON: what the provider says
    id_token   TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX external_grants_expiry ON external_grants (expires_at);

-- What a provider says of a user beyond the user's row.
CREATE TABLE external_accounts (
    user_id     TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    asserted_at INTEGER NOT NULL, -- when the provider said what the row holds; older words do not count
    picture     TEXT
) STRICT;

-- Sessions that the provider has one of too, which its logout ends.
CREATE TABLE external_sessions (
    session_id TEXT NOT NULL PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    issuer     TEXT NOT NULL,
    id_token   TEXT NOT NULL -- names the session to the provider; no credential here
) STRICT;

-- Access tokens of the provider that were taken back here before they lapse.
CREATE TABLE denied_tokens (
    token      BLOB NOT NULL PRIMARY KEY, -- SHA-256 of the token without its signature
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX denied_tokens_expiry ON denied_tokens (expires_at);
