-- What a provider says of a user's groups, and of what is switched on for the user.

ALTER TABLE external_accounts ADD COLUMN group_names TEXT NOT NULL DEFAULT '[]'; -- JSON array of texts
ALTER TABLE external_accounts ADD COLUMN feature_flags TEXT NOT NULL DEFAULT '[]'; -- JSON array of texts
