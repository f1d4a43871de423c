-- Acts that matter to security. Lines are added and never changed; they refer to nothing, since they outlive what they
-- tell of.

CREATE TABLE audit_logs (
    id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    created_at  BIGINT NOT NULL,
    action      TEXT COLLATE "C" NOT NULL,
    actor_kind  TEXT COLLATE "C" NOT NULL, -- user, command_line, unknown
    actor_id    TEXT COLLATE "C", -- the user's id
    target      TEXT COLLATE "C", -- the id of a user, key or session
    detail      TEXT,
    address     TEXT,
    user_agent  TEXT,
    request_id  TEXT,
    once        TEXT COLLATE "C" UNIQUE -- what is noted once only: of lines that say the same, the first stays
);
CREATE INDEX audit_logs_action ON audit_logs (action, id);
CREATE INDEX audit_logs_actor ON audit_logs (actor_id, id);
CREATE INDEX audit_logs_target ON audit_logs (target, id);
