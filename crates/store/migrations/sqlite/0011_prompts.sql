-- Texts of the prompt that administrators wrote, with every version of them; and what the server remembers for users.

-- One text for each key and model. What this server brings along is not stored: only what differs from it.
CREATE TABLE prompt_templates (
    id             TEXT NOT NULL PRIMARY KEY,
    template_key   TEXT NOT NULL, -- which part of the prompt it is for, or a name of one's own
    model          TEXT NOT NULL, -- the only model it is for; empty for all
    name           TEXT NOT NULL,
    description    TEXT NOT NULL,
    category       TEXT NOT NULL,
    enabled        INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    active_version INTEGER NOT NULL, -- 0 for the text that the server brings along
    last_version   INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    UNIQUE (template_key, model)
) STRICT;

CREATE TABLE prompt_template_versions (
    template_id TEXT NOT NULL REFERENCES prompt_templates (id) ON DELETE CASCADE,
    version     INTEGER NOT NULL,
    content     TEXT NOT NULL,
    created_by  TEXT, -- the administrator's id; refers to nothing, since the text outlives its author
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (template_id, version)
) STRICT;

CREATE TABLE memories (
    id         TEXT NOT NULL PRIMARY KEY,
    user_id    TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_id TEXT NOT NULL, -- empty for what belongs to no project
    kind       TEXT NOT NULL, -- core, fact, episode
    content    TEXT NOT NULL,
    digest     BLOB NOT NULL, -- SHA-256 of the content in its plainest spelling: what is known is not kept twice
    source     TEXT NOT NULL, -- user, chat
    embedder   TEXT, -- which model made the vector
    vector     BLOB, -- 32-bit floats, little-endian, of length 1
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (user_id, project_id, digest)
) STRICT;
CREATE INDEX memories_owner ON memories (user_id, id);
