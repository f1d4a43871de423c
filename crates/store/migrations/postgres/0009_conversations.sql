-- Conversations, their items, and the branches of their history. Rows have numbers of the database's own beside the ids
-- that are shown: what belongs together lies together and indexes stay small. The numbers never leave the server.

CREATE TABLE conversations (
    key           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id            TEXT COLLATE "C" NOT NULL UNIQUE,
    user_id       TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title         TEXT,
    project_id    TEXT COLLATE "C",
    referrer      TEXT COLLATE "C",
    metadata      JSONB NOT NULL, -- JSON object of texts
    is_private    BOOLEAN NOT NULL,
    active_line   BIGINT NOT NULL, -- the line of the active branch
    active_branch TEXT COLLATE "C" NOT NULL, -- and its name
    item_count    BIGINT NOT NULL, -- of the active branch
    next_line     BIGINT NOT NULL,
    next_sequence BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    updated_at    BIGINT NOT NULL,
    deleted_at    BIGINT
);
CREATE INDEX conversations_created ON conversations (user_id, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX conversations_updated ON conversations (user_id, updated_at, id) WHERE deleted_at IS NULL;
CREATE INDEX conversations_project ON conversations (user_id, project_id, created_at, id)
    WHERE deleted_at IS NULL AND project_id IS NOT NULL;
CREATE INDEX conversations_in_projects ON conversations (user_id, created_at, id)
    WHERE deleted_at IS NULL AND project_id IS NOT NULL;
CREATE INDEX conversations_referrer ON conversations (user_id, referrer, created_at, id)
    WHERE deleted_at IS NULL AND referrer IS NOT NULL;
CREATE INDEX conversations_deleted ON conversations (deleted_at) WHERE deleted_at IS NOT NULL;

-- A branch is a name for a line of items that goes on from a point of other lines. A conversation that was never
-- branched has no row here: its items are on line 0, whose name is MAIN.
CREATE TABLE conversation_branches (
    conversation        BIGINT NOT NULL REFERENCES conversations (key) ON DELETE CASCADE,
    line                BIGINT NOT NULL,
    name                TEXT COLLATE "C" NOT NULL,
    description         TEXT,
    history             JSONB NOT NULL, -- JSON: the lines before its own, oldest first, each with the last number it shows
    parent_line         BIGINT,
    forked_from_item_id TEXT COLLATE "C",
    forked_at           BIGINT,
    item_count          BIGINT NOT NULL, -- while it is not the active one
    created_at          BIGINT NOT NULL,
    updated_at          BIGINT NOT NULL,
    PRIMARY KEY (conversation, line),
    UNIQUE (conversation, name)
);

CREATE TABLE conversation_items (
    key            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id             TEXT COLLATE "C" NOT NULL UNIQUE,
    conversation   BIGINT NOT NULL REFERENCES conversations (key) ON DELETE CASCADE,
    line           BIGINT NOT NULL,
    sequence       BIGINT NOT NULL, -- no two of a conversation are equal; later is larger
    type           TEXT COLLATE "C" NOT NULL,
    role           TEXT COLLATE "C",
    status         TEXT COLLATE "C",
    call_id        TEXT COLLATE "C",
    body           TEXT NOT NULL, -- JSON object as it was received, without what the columns say
    model          TEXT, -- what made it
    usage          TEXT, -- JSON
    finish_reason  TEXT COLLATE "C",
    rating         TEXT COLLATE "C", -- like, unlike
    rating_comment TEXT,
    rated_at       BIGINT,
    created_at     BIGINT NOT NULL,
    ended_at       BIGINT, -- when it became complete, or was left incomplete
    UNIQUE (conversation, line, sequence)
);
CREATE INDEX conversation_items_call ON conversation_items (conversation, call_id) WHERE call_id IS NOT NULL;

-- What one branch shows in an item's place: another body, or nothing.
CREATE TABLE conversation_item_changes (
    conversation BIGINT NOT NULL REFERENCES conversations (key) ON DELETE CASCADE,
    line         BIGINT NOT NULL,
    item         BIGINT NOT NULL REFERENCES conversation_items (key) ON DELETE CASCADE,
    body         TEXT, -- null where the branch does not show the item
    changed_at   BIGINT NOT NULL,
    PRIMARY KEY (conversation, line, item)
);
CREATE INDEX conversation_item_changes_item ON conversation_item_changes (item);

-- The words of titles and messages, by the rows' numbers. The text itself is not kept a second time.
CREATE TABLE conversation_search (
    conversation BIGINT NOT NULL PRIMARY KEY REFERENCES conversations (key) ON DELETE CASCADE,
    terms        TSVECTOR NOT NULL
);
CREATE INDEX conversation_search_terms ON conversation_search USING gin (terms);
CREATE TABLE conversation_item_search (
    item  BIGINT NOT NULL PRIMARY KEY REFERENCES conversation_items (key) ON DELETE CASCADE,
    terms TSVECTOR NOT NULL
);
CREATE INDEX conversation_item_search_terms ON conversation_item_search USING gin (terms);
