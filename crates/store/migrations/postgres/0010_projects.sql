-- Projects, shared conversations, and the answers that are given again to who asks twice.

CREATE TABLE projects (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id     TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    name        TEXT NOT NULL,
    description TEXT,
    instruction TEXT,
    is_favorite BOOLEAN NOT NULL,
    archived_at BIGINT,
    created_at  BIGINT NOT NULL,
    updated_at  BIGINT NOT NULL,
    deleted_at  BIGINT
);
CREATE UNIQUE INDEX projects_live_name ON projects (user_id, name) WHERE deleted_at IS NULL;
CREATE INDEX projects_owner ON projects (user_id, id) WHERE deleted_at IS NULL;

CREATE TABLE shares (
    id               TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    slug             TEXT COLLATE "C" NOT NULL UNIQUE, -- what the public address holds
    user_id          TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    conversation_id  TEXT COLLATE "C" NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    item_id          TEXT COLLATE "C", -- null where the whole conversation is shared
    title            TEXT NOT NULL,
    include_images   BOOLEAN NOT NULL,
    include_context  BOOLEAN NOT NULL,
    view_count       BIGINT NOT NULL,
    last_viewed_at   BIGINT,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL,
    expires_at       BIGINT,
    revoked_at       BIGINT
);
CREATE INDEX shares_owner ON shares (user_id, id);
CREATE INDEX shares_conversation ON shares (conversation_id, id);

-- Beside the shares, since a row is written anew when it is viewed and a snapshot may be large.
CREATE TABLE share_snapshots (
    share_id TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES shares (id) ON DELETE CASCADE,
    content  TEXT NOT NULL -- JSON, as it is answered
);

-- The images of a snapshot, each with an address of its own.
CREATE TABLE share_images (
    share_id  TEXT COLLATE "C" NOT NULL REFERENCES shares (id) ON DELETE CASCADE,
    number    BIGINT NOT NULL, -- from 1 on, as the snapshot numbers them
    mime_type TEXT NOT NULL,
    content   BYTEA NOT NULL,
    PRIMARY KEY (share_id, number)
);

CREATE TABLE idempotency_keys (
    user_id      TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    route        TEXT NOT NULL, -- verb and template
    key_digest   BYTEA NOT NULL, -- SHA-256 of the key
    fingerprint  BYTEA NOT NULL, -- SHA-256 of the address and the body
    holder       BYTEA NOT NULL, -- names the request that claimed it
    locked_until BIGINT, -- null once it is answered
    status       BIGINT, -- null where the answer is not kept
    answer       BYTEA, -- headers and body, readable with the key only
    expires_at   BIGINT NOT NULL,
    PRIMARY KEY (user_id, route, key_digest)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
CREATE INDEX idempotency_keys_holder ON idempotency_keys (holder) WHERE locked_until IS NOT NULL;
