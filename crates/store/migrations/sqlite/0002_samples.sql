-- What the Template API shows.

CREATE TABLE samples (
    id      TEXT NOT NULL PRIMARY KEY,
    message TEXT NOT NULL
) STRICT;

INSERT INTO samples (id, message) VALUES ('sample_0000000000000000', 'Hello from the Template API.');
