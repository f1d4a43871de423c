-- Texts of the prompt that administrators wrote, with every version of them; and what the server remembers for users.

-- One text for each key and model. What this server brings along is not stored: only what differs from it.
CREATE TABLE prompt_templates (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    template_key   TEXT COLLATE "C" NOT NULL, -- which part of the prompt it is for, or a name of one's own
    model          TEXT COLLATE "C" NOT NULL, -- the only model it is for; empty for all
    name           TEXT COLLATE "C" NOT NULL,
    description    TEXT COLLATE "C" NOT NULL,
    category       TEXT COLLATE "C" NOT NULL,
    enabled        BOOLEAN NOT NULL,
    active_version BIGINT NOT NULL, -- 0 for the text that the server brings along
    last_version   BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    updated_at     BIGINT NOT NULL,
    UNIQUE (template_key, model)
);

CREATE TABLE prompt_template_versions (
    template_id TEXT COLLATE "C" NOT NULL REFERENCES prompt_templates (id) ON DELETE CASCADE,
    version     BIGINT NOT NULL,
    content     TEXT COLLATE "C" NOT NULL,
    created_by  TEXT COLLATE "C", -- the administrator's id; refers to nothing, since the text outlives its author
    created_at  BIGINT NOT NULL,
    PRIMARY KEY (template_id, version)
);

CREATE TABLE memories (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    user_id    TEXT COLLATE "C" NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_id TEXT COLLATE "C" NOT NULL, -- empty for what belongs to no project
    kind       TEXT COLLATE "C" NOT NULL, -- core, fact, episode
    content    TEXT COLLATE "C" NOT NULL,
    digest     BYTEA NOT NULL, -- SHA-256 of the content in its plainest spelling: what is known is not kept twice
    source     TEXT COLLATE "C" NOT NULL, -- user, chat
    embedder   TEXT COLLATE "C", -- which model made the vector
    vector     BYTEA, -- 32-bit floats, little-endian, of length 1
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (user_id, project_id, digest)
);
CREATE INDEX memories_owner ON memories (user_id, id);
