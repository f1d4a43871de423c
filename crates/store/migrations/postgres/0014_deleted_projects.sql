-- Deleted projects are removed for good after a while.

CREATE INDEX projects_deleted ON projects (deleted_at) WHERE deleted_at IS NOT NULL;
