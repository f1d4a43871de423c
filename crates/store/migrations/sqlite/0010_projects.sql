-- Projects, shared conversations, and the answers that are given again to who asks twice.

CREATE TABLE projects (
    id          TEXT NOT NULL PRIMARY KEY,
    user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    description TEXT,
    instruction TEXT,
    is_favorite INTEGER NOT NULL,
    archived_at INTEGER,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    deleted_at  INTEGER
) STRICT;
CREATE UNIQUE INDEX projects_live_name ON projects (user_id, name) WHERE deleted_at IS NULL;
CREATE INDEX projects_owner ON projects (user_id, id) WHERE deleted_at IS NULL;

CREATE TABLE shares (
    id               TEXT NOT NULL PRIMARY KEY,
    slug             TEXT NOT NULL UNIQUE, -- what the public address holds
    user_id          TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    conversation_id  TEXT NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    item_id          TEXT, -- null where the whole conversation is shared
    title            TEXT NOT NULL,
    include_images   INTEGER NOT NULL,
    include_context  INTEGER NOT NULL,
    view_count       INTEGER NOT NULL,
    last_viewed_at   INTEGER,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    expires_at       INTEGER,
    revoked_at       INTEGER
) STRICT;
CREATE INDEX shares_owner ON shares (user_id, id);
CREATE INDEX shares_conversation ON shares (conversation_id, id);

-- Beside the shares, since a row is written anew when it is viewed and a snapshot may be large.
CREATE TABLE share_snapshots (
    share_id TEXT NOT NULL PRIMARY KEY REFERENCES shares (id) ON DELETE CASCADE,
    content  TEXT NOT NULL -- JSON, as it is answered
) STRICT;

-- The images of a snapshot, each with an address of its own.
CREATE TABLE share_images (
    share_id  TEXT NOT NULL REFERENCES shares (id) ON DELETE CASCADE,
    number    INTEGER NOT NULL, -- from 1 on, as the snapshot numbers them
    mime_type TEXT NOT NULL,
    content   BLOB NOT NULL,
    PRIMARY KEY (share_id, number)
) STRICT;

CREATE TABLE idempotency_keys (
    user_id      TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    route        TEXT NOT NULL, -- verb and template
    key_digest   BLOB NOT NULL, -- SHA-256 of the key
    fingerprint  BLOB NOT NULL, -- SHA-256 of the address and the body
    holder       BLOB NOT NULL, -- names the request that claimed it
    locked_until INTEGER, -- null once it is answered
    status       INTEGER, -- null where the answer is not kept
    answer       BLOB, -- headers and body, readable with the key only
    expires_at   INTEGER NOT NULL,
    PRIMARY KEY (user_id, route, key_digest)
) STRICT;
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
CREATE INDEX idempotency_keys_holder ON idempotency_keys (holder) WHERE locked_until IS NOT NULL;
