-- The link by which the first administrator makes an account. At most one row.

CREATE TABLE setup_links (
    token      BLOB NOT NULL PRIMARY KEY, -- SHA-256 of what the link holds
    expires_at INTEGER NOT NULL
) STRICT;
