-- +goose Up

-- Times are microseconds since 1970-01-01 UTC. Texts that are compared have
-- the collation "C": byte for byte.

CREATE TABLE latchwork_keys (
	id             text COLLATE "C" NOT NULL PRIMARY KEY,
	name           text             NOT NULL,
	name_folded    text COLLATE "C" NOT NULL, -- with small ASCII letters, to search in
	type           text COLLATE "C" NOT NULL,
	owner          text COLLATE "C" NOT NULL,
	permissions    text             NOT NULL, -- a JSON array
	allowed_ips    text             NOT NULL, -- a JSON array, or the JSON string "anywhere"
	hint           text COLLATE "C" NOT NULL,
	metadata       text             NOT NULL, -- a JSON object
	enabled        boolean          NOT NULL,
	created_at     bigint           NOT NULL,
	created_by     text COLLATE "C" NOT NULL,
	updated_at     bigint           NOT NULL,
	expires_at     bigint,                    -- NULL: never
	revoked_at     bigint,                    -- NULL: not revoked
	revoked_reason text             NOT NULL,
	version        bigint           NOT NULL,
	secret_count   integer          NOT NULL  -- how many rows of latchwork_key_secrets
);

CREATE INDEX latchwork_keys_owner ON latchwork_keys (owner, id);

CREATE INDEX latchwork_keys_created_by ON latchwork_keys (created_by, id);

CREATE INDEX latchwork_keys_revoked_at ON latchwork_keys (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE latchwork_key_secrets (
	hash      bytea            NOT NULL PRIMARY KEY CHECK (octet_length(hash) = 32),
	key_id    text COLLATE "C" NOT NULL REFERENCES latchwork_keys (id) ON DELETE CASCADE,
	pepper_id text COLLATE "C" NOT NULL, -- empty: no pepper
	deadline  bigint                     -- NULL: lives as long as the key
);

CREATE INDEX latchwork_key_secrets_key_id ON latchwork_key_secrets (key_id);

CREATE TABLE latchwork_key_events (
	id          text COLLATE "C" NOT NULL PRIMARY KEY,
	key_id      text COLLATE "C" NOT NULL REFERENCES latchwork_keys (id) ON DELETE CASCADE,
	kind        text             NOT NULL,
	happened_at bigint           NOT NULL,
	actor       text             NOT NULL,
	changes     text             NOT NULL -- a JSON array of {"field", "old", "new"}
);

CREATE INDEX latchwork_key_events_key_id ON latchwork_key_events (key_id, id);

CREATE INDEX latchwork_key_events_happened_at ON latchwork_key_events (happened_at);

-- What other nodes poll.
CREATE TABLE latchwork_key_changes (
	seq        bigint           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	key_id     text COLLATE "C" NOT NULL,
	version    bigint           NOT NULL,
	changed_at bigint           NOT NULL
);

CREATE TABLE latchwork_key_uses (
	key_id    text COLLATE "C" NOT NULL PRIMARY KEY,
	last_at   bigint           NOT NULL,
	last_addr text             NOT NULL -- empty: not known
);

CREATE TABLE latchwork_key_days (
	key_id            text COLLATE "C" NOT NULL,
	day               bigint           NOT NULL, -- its beginning
	allowed           bigint           NOT NULL,
	denied_state      bigint           NOT NULL,
	denied_address    bigint           NOT NULL,
	denied_type       bigint           NOT NULL,
	denied_permission bigint           NOT NULL,
	denied_request    bigint           NOT NULL,
	PRIMARY KEY (key_id, day)
);

CREATE INDEX latchwork_key_days_day ON latchwork_key_days (day);

CREATE TABLE latchwork_key_schema (
	version integer NOT NULL PRIMARY KEY
);

INSERT INTO latchwork_key_schema (version) VALUES (1);
