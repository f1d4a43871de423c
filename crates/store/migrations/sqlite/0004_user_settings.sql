-- What users changed about their settings; what is not in it is as by default.

CREATE TABLE user_settings (
    user_id    TEXT NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    changes    TEXT NOT NULL, -- JSON object
    updated_at INTEGER NOT NULL
) STRICT;
