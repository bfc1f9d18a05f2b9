-- +goose Up

-- Times are microseconds since 1970-01-01 UTC.

CREATE TABLE latchwork_clients (
	id               TEXT    NOT NULL PRIMARY KEY,
	name             TEXT    NOT NULL,
	public           INTEGER NOT NULL CHECK (public IN (0, 1)),
	secrets          TEXT    NOT NULL, -- a JSON array of {"hash", "deadline"}
	auth_method      TEXT    NOT NULL,
	grant_types      TEXT    NOT NULL, -- a JSON array
	scopes           TEXT    NOT NULL, -- a JSON array
	default_scopes   TEXT    NOT NULL, -- a JSON array
	redirect_uris    TEXT    NOT NULL, -- a JSON array
	first_party      INTEGER NOT NULL CHECK (first_party IN (0, 1)),
	resource_server  INTEGER NOT NULL CHECK (resource_server IN (0, 1)),
	disabled         INTEGER NOT NULL CHECK (disabled IN (0, 1)),
	access_lifetime  INTEGER NOT NULL, -- nanoseconds, as the next two
	refresh_idle     INTEGER NOT NULL,
	refresh_absolute INTEGER NOT NULL,
	created_at       INTEGER NOT NULL,
	updated_at       INTEGER NOT NULL,
	version          INTEGER NOT NULL
) STRICT;

CREATE TABLE latchwork_grants (
	id           TEXT    NOT NULL PRIMARY KEY,
	subject_kind TEXT    NOT NULL,
	subject_id   TEXT    NOT NULL,
	client_id    TEXT    NOT NULL,
	scope        TEXT    NOT NULL, -- a JSON array
	resources    TEXT    NOT NULL, -- a JSON array
	created_at   INTEGER NOT NULL,
	expires_at   INTEGER NOT NULL,
	revoked_at   INTEGER           -- NULL: not revoked
) STRICT;

CREATE INDEX latchwork_grants_subject ON latchwork_grants (subject_id, subject_kind, id);

CREATE INDEX latchwork_grants_client ON latchwork_grants (client_id, id);

CREATE INDEX latchwork_grants_expires_at ON latchwork_grants (expires_at);

CREATE TABLE latchwork_credentials (
	hash         BLOB    NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
	id           TEXT    NOT NULL,
	kind         TEXT    NOT NULL,
	grant_id     TEXT    NOT NULL REFERENCES latchwork_grants (id),
	client_id    TEXT    NOT NULL,
	scope        TEXT    NOT NULL, -- a JSON array
	resources    TEXT    NOT NULL, -- a JSON array
	created_at   INTEGER NOT NULL,
	expires_at   INTEGER NOT NULL,
	spent_at     INTEGER,          -- NULL: not spent
	attempt      BLOB CHECK (length(attempt) = 16),
	challenge    TEXT    NOT NULL,
	redirect_uri TEXT    NOT NULL
) STRICT;

CREATE INDEX latchwork_credentials_grant_id ON latchwork_credentials (grant_id);

CREATE INDEX latchwork_credentials_expires_at ON latchwork_credentials (expires_at);

CREATE TABLE latchwork_oauth_schema (
	version INTEGER NOT NULL PRIMARY KEY
) STRICT;

INSERT INTO latchwork_oauth_schema (version) VALUES (1);
