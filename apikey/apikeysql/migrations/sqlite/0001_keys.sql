-- +goose Up

-- Times are microseconds since 1970-01-01 UTC.

CREATE TABLE latchwork_keys (
	id             TEXT    NOT NULL PRIMARY KEY,
	name           TEXT    NOT NULL,
	name_folded    TEXT    NOT NULL, -- with small ASCII letters, to search in
	type           TEXT    NOT NULL,
	owner          TEXT    NOT NULL,
	permissions    TEXT    NOT NULL, -- a JSON array
	allowed_ips    TEXT    NOT NULL, -- a JSON array, or the JSON string "anywhere"
	hint           TEXT    NOT NULL,
	metadata       TEXT    NOT NULL, -- a JSON object
	enabled        INTEGER NOT NULL CHECK (enabled IN (0, 1)),
	created_at     INTEGER NOT NULL,
	created_by     TEXT    NOT NULL,
	updated_at     INTEGER NOT NULL,
	expires_at     INTEGER,          -- NULL: never
	revoked_at     INTEGER,          -- NULL: not revoked
	revoked_reason TEXT    NOT NULL,
	version        INTEGER NOT NULL,
	secret_count   INTEGER NOT NULL  -- how many rows of latchwork_key_secrets
) STRICT;

CREATE INDEX latchwork_keys_owner ON latchwork_keys (owner, id);

CREATE INDEX latchwork_keys_created_by ON latchwork_keys (created_by, id);

CREATE INDEX latchwork_keys_revoked_at ON latchwork_keys (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE latchwork_key_secrets (
	hash      BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
	key_id    TEXT NOT NULL REFERENCES latchwork_keys (id) ON DELETE CASCADE,
	pepper_id TEXT NOT NULL, -- empty: no pepper
	deadline  INTEGER        -- NULL: lives as long as the key
) STRICT, WITHOUT ROWID;

-- With all columns, the hash among them, so that a key needs no second step.
CREATE INDEX latchwork_key_secrets_key_id ON latchwork_key_secrets (key_id, pepper_id, deadline);

CREATE TABLE latchwork_key_events (
	id          TEXT    NOT NULL PRIMARY KEY,
	key_id      TEXT    NOT NULL REFERENCES latchwork_keys (id) ON DELETE CASCADE,
	kind        TEXT    NOT NULL,
	happened_at INTEGER NOT NULL,
	actor       TEXT    NOT NULL,
	changes     TEXT    NOT NULL -- a JSON array of {"field", "old", "new"}
) STRICT;

CREATE INDEX latchwork_key_events_key_id ON latchwork_key_events (key_id, id);

CREATE INDEX latchwork_key_events_happened_at ON latchwork_key_events (happened_at);

-- What other nodes poll.
CREATE TABLE latchwork_key_changes (
	seq        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
	key_id     TEXT    NOT NULL,
	version    INTEGER NOT NULL,
	changed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE latchwork_key_uses (
	key_id    TEXT    NOT NULL PRIMARY KEY,
	last_at   INTEGER NOT NULL,
	last_addr TEXT    NOT NULL -- empty: not known
) STRICT, WITHOUT ROWID;

CREATE TABLE latchwork_key_days (
	key_id            TEXT    NOT NULL,
	day               INTEGER NOT NULL, -- its beginning
	allowed           INTEGER NOT NULL,
	denied_state      INTEGER NOT NULL,
	denied_address    INTEGER NOT NULL,
	denied_type       INTEGER NOT NULL,
	denied_permission INTEGER NOT NULL,
	denied_request    INTEGER NOT NULL,
	PRIMARY KEY (key_id, day)
) STRICT, WITHOUT ROWID;

CREATE INDEX latchwork_key_days_day ON latchwork_key_days (day);

CREATE TABLE latchwork_key_schema (
	version INTEGER NOT NULL PRIMARY KEY
) STRICT;

INSERT INTO latchwork_key_schema (version) VALUES (1);
