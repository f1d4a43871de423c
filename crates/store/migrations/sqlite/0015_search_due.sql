-- Entries of the index of words that are still to be written: that costs many times what keeping the texts does, so it is
-- done for many at once.

CREATE TABLE conversation_search_due (
    user_id TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    entry   INTEGER NOT NULL, -- twice the number of a conversation's row; or of an item's, and one more
    PRIMARY KEY (user_id, entry)
) STRICT, WITHOUT ROWID;
