-- +goose Up

-- Times are microseconds since 1970-01-01 UTC. Texts that are compared have
-- the collation "C": byte for byte.

CREATE TABLE latchwork_clients (
	id               text COLLATE "C" NOT NULL PRIMARY KEY,
	name             text             NOT NULL,
	public           boolean          NOT NULL,
	secrets          text             NOT NULL, -- a JSON array of {"hash", "deadline"}
	auth_method      text             NOT NULL,
	grant_types      text             NOT NULL, -- a JSON array
	scopes           text             NOT NULL, -- a JSON array
	default_scopes   text             NOT NULL, -- a JSON array
	redirect_uris    text             NOT NULL, -- a JSON array
	first_party      boolean          NOT NULL,
	resource_server  boolean          NOT NULL,
	disabled         boolean          NOT NULL,
	access_lifetime  bigint           NOT NULL, -- nanoseconds, as the next two
	refresh_idle     bigint           NOT NULL,
	refresh_absolute bigint           NOT NULL,
	created_at       bigint           NOT NULL,
	updated_at       bigint           NOT NULL,
	version          bigint           NOT NULL
);

CREATE TABLE latchwork_grants (
	id           text COLLATE "C" NOT NULL PRIMARY KEY,
	subject_kind text COLLATE "C" NOT NULL,
	subject_id   text COLLATE "C" NOT NULL,
	client_id    text COLLATE "C" NOT NULL,
	scope        text             NOT NULL, -- a JSON array
	resources    text             NOT NULL, -- a JSON array
	created_at   bigint           NOT NULL,
	expires_at   bigint           NOT NULL,
	revoked_at   bigint                     -- NULL: not revoked
);

CREATE INDEX latchwork_grants_subject ON latchwork_grants (subject_id, subject_kind, id);

CREATE INDEX latchwork_grants_client ON latchwork_grants (client_id, id);

CREATE INDEX latchwork_grants_expires_at ON latchwork_grants (expires_at);

CREATE TABLE latchwork_credentials (
	hash         bytea            NOT NULL PRIMARY KEY CHECK (octet_length(hash) = 32),
	id           text             NOT NULL,
	kind         text             NOT NULL,
	grant_id     text COLLATE "C" NOT NULL REFERENCES latchwork_grants (id),
	client_id    text COLLATE "C" NOT NULL,
	scope        text             NOT NULL, -- a JSON array
	resources    text             NOT NULL, -- a JSON array
	created_at   bigint           NOT NULL,
	expires_at   bigint           NOT NULL,
	spent_at     bigint,                    -- NULL: not spent
	attempt      bytea CHECK (octet_length(attempt) = 16),
	challenge    text             NOT NULL,
	redirect_uri text             NOT NULL
);

CREATE INDEX latchwork_credentials_grant_id ON latchwork_credentials (grant_id);

CREATE INDEX latchwork_credentials_expires_at ON latchwork_credentials (expires_at);

CREATE TABLE latchwork_oauth_schema (
	version integer NOT NULL PRIMARY KEY
);

INSERT INTO latchwork_oauth_schema (version) VALUES (1);
