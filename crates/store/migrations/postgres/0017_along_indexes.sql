-- What was looked for from end to end: the codes of a user who is deleted or signed out, and who administers the server.

CREATE INDEX authorization_codes_user ON authorization_codes (user_id);
CREATE INDEX users_admins ON users (id) WHERE CAST(roles AS TEXT) LIKE '%"admin"%';
