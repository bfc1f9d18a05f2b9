-- +goose Up

-- Times are microseconds since 1970-01-01 UTC. Texts that are compared are
-- binary: the collations for text ignore spaces at the end.

CREATE TABLE IF NOT EXISTS latchwork_clients (
	id               VARBINARY(255) NOT NULL PRIMARY KEY,
	name             TEXT           NOT NULL,
	public           BOOLEAN        NOT NULL,
	secrets          TEXT           NOT NULL, -- a JSON array of {"hash", "deadline"}
	auth_method      VARBINARY(64)  NOT NULL,
	grant_types      TEXT           NOT NULL, -- a JSON array
	scopes           MEDIUMTEXT     NOT NULL, -- a JSON array
	default_scopes   MEDIUMTEXT     NOT NULL, -- a JSON array
	redirect_uris    MEDIUMTEXT     NOT NULL, -- a JSON array
	first_party      BOOLEAN        NOT NULL,
	resource_server  BOOLEAN        NOT NULL,
	disabled         BOOLEAN        NOT NULL,
	access_lifetime  BIGINT         NOT NULL, -- nanoseconds, as the next two
	refresh_idle     BIGINT         NOT NULL,
	refresh_absolute BIGINT         NOT NULL,
	created_at       BIGINT         NOT NULL,
	updated_at       BIGINT         NOT NULL,
	version          BIGINT         NOT NULL
) ENGINE = InnoDB, CHARACTER SET utf8mb4, COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS latchwork_grants (
	id           VARBINARY(255) NOT NULL PRIMARY KEY,
	subject_kind VARBINARY(32)  NOT NULL,
	subject_id   VARBINARY(255) NOT NULL,
	client_id    VARBINARY(255) NOT NULL,
	scope        MEDIUMTEXT     NOT NULL, -- a JSON array
	resources    MEDIUMTEXT     NOT NULL, -- a JSON array
	created_at   BIGINT         NOT NULL,
	expires_at   BIGINT         NOT NULL,
	revoked_at   BIGINT,                  -- NULL: not revoked
	INDEX latchwork_grants_subject (subject_id, subject_kind, id),
	INDEX latchwork_grants_client (client_id, id),
	INDEX latchwork_grants_expires_at (expires_at)
) ENGINE = InnoDB, CHARACTER SET utf8mb4, COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS latchwork_credentials (
	hash         BINARY(32)     NOT NULL PRIMARY KEY,
	id           VARBINARY(255) NOT NULL,
	kind         VARBINARY(32)  NOT NULL,
	grant_id     VARBINARY(255) NOT NULL,
	client_id    VARBINARY(255) NOT NULL,
	scope        MEDIUMTEXT     NOT NULL, -- a JSON array
	resources    MEDIUMTEXT     NOT NULL, -- a JSON array
	created_at   BIGINT         NOT NULL,
	expires_at   BIGINT         NOT NULL,
	spent_at     BIGINT,                  -- NULL: not spent
	attempt      BINARY(16),
	challenge    VARBINARY(255) NOT NULL,
	redirect_uri TEXT           NOT NULL,
	INDEX latchwork_credentials_grant_id (grant_id),
	INDEX latchwork_credentials_expires_at (expires_at),
	FOREIGN KEY (grant_id) REFERENCES latchwork_grants (id)
) ENGINE = InnoDB, CHARACTER SET utf8mb4, COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS latchwork_oauth_schema (
	version INT NOT NULL PRIMARY KEY
) ENGINE = InnoDB;

INSERT INTO latchwork_oauth_schema (version) VALUES (1);
