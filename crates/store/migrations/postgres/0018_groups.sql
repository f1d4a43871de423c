-- What a provider says of a user's groups, and of what is switched on for the user.

ALTER TABLE external_accounts ADD COLUMN group_names JSONB NOT NULL DEFAULT '[]'; -- array of texts
ALTER TABLE external_accounts ADD COLUMN feature_flags JSONB NOT NULL DEFAULT '[]'; -- array of texts
