-- What SQLite puts off, PostgreSQL's index does by itself: its list of pending entries.
SELECT 1;
