-- Conversations, their items, and the branches of their history. Rows have numbers of the database's own beside the ids
-- that are shown: what belongs together lies together and indexes stay small. The numbers never leave the server.

CREATE TABLE conversations (
    key           INTEGER NOT NULL PRIMARY KEY,
    id            TEXT NOT NULL UNIQUE,
    user_id       TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title         TEXT,
    project_id    TEXT,
    referrer      TEXT,
    metadata      TEXT NOT NULL, -- JSON object of texts
    is_private    INTEGER NOT NULL,
    active_line   INTEGER NOT NULL, -- the line of the active branch
    active_branch TEXT NOT NULL, -- and its name
    item_count    INTEGER NOT NULL, -- of the active branch
    next_line     INTEGER NOT NULL,
    next_sequence INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    deleted_at    INTEGER
) STRICT;
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
    conversation        INTEGER NOT NULL REFERENCES conversations (key) ON DELETE CASCADE,
    line                INTEGER NOT NULL,
    name                TEXT NOT NULL,
    description         TEXT,
    history             TEXT NOT NULL, -- JSON: the lines before its own, oldest first, each with the last number it shows
    parent_line         INTEGER,
    forked_from_item_id TEXT,
    forked_at           INTEGER,
    item_count          INTEGER NOT NULL, -- while it is not the active one
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL,
    PRIMARY KEY (conversation, line),
    UNIQUE (conversation, name)
) STRICT;

CREATE TABLE conversation_items (
    key            INTEGER NOT NULL PRIMARY KEY,
    id             TEXT NOT NULL UNIQUE,
    conversation   INTEGER NOT NULL REFERENCES conversations (key) ON DELETE CASCADE,
    line           INTEGER NOT NULL,
    sequence       INTEGER NOT NULL, -- no two of a conversation are equal; later is larger
    type           TEXT NOT NULL,
    role           TEXT,
    status         TEXT,
    call_id        TEXT,
    body           TEXT NOT NULL, -- JSON object as it was received, without what the columns say
    model          TEXT, -- what made it
    usage          TEXT, -- JSON
    finish_reason  TEXT,
    rating         TEXT, -- like, unlike
    rating_comment TEXT,
    rated_at       INTEGER,
    created_at     INTEGER NOT NULL,
    ended_at       INTEGER, -- when it became complete, or was left incomplete
    UNIQUE (conversation, line, sequence)
) STRICT;
CREATE INDEX conversation_items_call ON conversation_items (conversation, call_id) WHERE call_id IS NOT NULL;

-- What one branch shows in an item's place: another body, or nothing.
CREATE TABLE conversation_item_changes (
    conversation INTEGER NOT NULL REFERENCES conversations (key) ON DELETE CASCADE,
    line         INTEGER NOT NULL,
    item         INTEGER NOT NULL REFERENCES conversation_items (key) ON DELETE CASCADE,
    body         TEXT, -- null where the branch does not show the item
    changed_at   INTEGER NOT NULL,
    PRIMARY KEY (conversation, line, item)
) STRICT;
CREATE INDEX conversation_item_changes_item ON conversation_item_changes (item);

-- The words of titles and messages, by the rows' numbers. The text itself is not kept a second time.
CREATE VIRTUAL TABLE conversation_search USING fts5
    (terms, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
CREATE VIRTUAL TABLE conversation_item_search USING fts5
    (terms, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');
CREATE TRIGGER conversation_search_gone AFTER DELETE ON conversations BEGIN
    DELETE FROM conversation_search WHERE rowid = old.key;
END;
CREATE TRIGGER conversation_item_search_gone AFTER DELETE ON conversation_items BEGIN
    DELETE FROM conversation_item_search WHERE rowid = old.key;
END;
