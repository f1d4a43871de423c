-- Texts that are still to be put into the index of words: that costs many times what keeping them does, so it is done for
-- many at once.

CREATE TABLE conversation_search_due (
    id      INTEGER NOT NULL PRIMARY KEY, -- twice the number of the conversation's or item's row, and one more for an item
    user_id TEXT NOT NULL,
    text    TEXT NOT NULL
) STRICT;
CREATE INDEX conversation_search_due_owner ON conversation_search_due (user_id, id);

DROP TRIGGER conversation_search_gone;
DROP TRIGGER conversation_item_search_gone;
CREATE TRIGGER conversation_search_gone AFTER DELETE ON conversations BEGIN
    DELETE FROM conversation_search_due WHERE id = 2 * old.key;
    DELETE FROM conversation_search WHERE rowid = old.key;
END;
CREATE TRIGGER conversation_item_search_gone AFTER DELETE ON conversation_items BEGIN
    DELETE FROM conversation_search_due WHERE id = 2 * old.key + 1;
    DELETE FROM conversation_item_search WHERE rowid = old.key;
END;
