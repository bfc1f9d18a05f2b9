-- +goose Up

-- Times are microseconds since 1970-01-01 UTC. Texts that are compared are
-- binary: the collations for text ignore spaces at the end.

CREATE TABLE IF NOT EXISTS latchwork_keys (
	id             VARBINARY(255)  NOT NULL PRIMARY KEY,
	name           VARCHAR(255)    NOT NULL,
	name_folded    VARBINARY(1020) NOT NULL, -- with small ASCII letters, to search in
	type           VARBINARY(32)   NOT NULL,
	owner          VARBINARY(255)  NOT NULL,
	permissions    MEDIUMTEXT      NOT NULL, -- a JSON array
	allowed_ips    MEDIUMTEXT      NOT NULL, -- a JSON array, or the JSON string "anywhere"
	hint           VARBINARY(64)   NOT NULL,
	metadata       MEDIUMTEXT      NOT NULL, -- a JSON object
	enabled        BOOLEAN         NOT NULL,
	created_at     BIGINT          NOT NULL,
	created_by     VARBINARY(255)  NOT NULL,
	updated_at     BIGINT          NOT NULL,
	expires_at     BIGINT,                   -- NULL: never
	revoked_at     BIGINT,                   -- NULL: not revoked
	revoked_reason VARCHAR(255)    NOT NULL,
	version        BIGINT          NOT NULL,
	secret_count   INT             NOT NULL, -- how many rows of latchwork_key_secrets
	INDEX latchwork_keys_owner (owner, id),
	INDEX latchwork_keys_created_by (created_by, id),
	INDEX latchwork_keys_revoked_at (revoked_at)
) ENGINE = InnoDB, CHARACTER SET utf8mb4, COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS latchwork_key_secrets (
	hash      BINARY(32)     NOT NULL PRIMARY KEY,
	key_id    VARBINARY(255) NOT NULL,
	pepper_id VARBINARY(32)  NOT NULL, -- empty: no pepper
	deadline  BIGINT,                  -- NULL: lives as long as the key
	INDEX latchwork_key_secrets_key_id (key_id, pepper_id, deadline), -- all columns, with the hash
	FOREIGN KEY (key_id) REFERENCES latchwork_keys (id) ON DELETE CASCADE
) ENGINE = InnoDB, CHARACTER SET utf8mb4, COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS latchwork_key_events (
	id          VARBINARY(255) NOT NULL PRIMARY KEY,
	key_id      VARBINARY(255) NOT NULL,
	kind        VARBINARY(32)  NOT NULL,
	happened_at BIGINT         NOT NULL,
	actor       VARCHAR(255)   NOT NULL,
	changes     MEDIUMTEXT     NOT NULL, -- a JSON array of {"field", "old", "new"}
	INDEX latchwork_key_events_key_id (key_id, id),
	INDEX latchwork_key_events_happened_at (happened_at),
	FOREIGN KEY (key_id) REFERENCES latchwork_keys (id) ON DELETE CASCADE
) ENGINE = InnoDB, CHARACTER SET utf8mb4, COLLATE utf8mb4_bin;

-- What other nodes poll.
CREATE TABLE IF NOT EXISTS latchwork_key_changes (
	seq        BIGINT         NOT NULL AUTO_INCREMENT PRIMARY KEY,
	key_id     VARBINARY(255) NOT NULL,
	version    BIGINT         NOT NULL,
	changed_at BIGINT         NOT NULL
) ENGINE = InnoDB, CHARACTER SET utf8mb4, COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS latchwork_key_uses (
	key_id    VARBINARY(255) NOT NULL PRIMARY KEY,
	last_at   BIGINT         NOT NULL,
	last_addr VARBINARY(64)  NOT NULL -- empty: not known
) ENGINE = InnoDB, CHARACTER SET utf8mb4, COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS latchwork_key_days (
	key_id            VARBINARY(255) NOT NULL,
	day               BIGINT         NOT NULL, -- its beginning
	allowed           BIGINT         NOT NULL,
	denied_state      BIGINT         NOT NULL,
	denied_address    BIGINT         NOT NULL,
	denied_type       BIGINT         NOT NULL,
	denied_permission BIGINT         NOT NULL,
	denied_request    BIGINT         NOT NULL,
	PRIMARY KEY (key_id, day),
	INDEX latchwork_key_days_day (day)
) ENGINE = InnoDB, CHARACTER SET utf8mb4, COLLATE utf8mb4_bin;

CREATE TABLE IF NOT EXISTS latchwork_key_schema (
	version INT NOT NULL PRIMARY KEY
) ENGINE = InnoDB;

INSERT INTO latchwork_key_schema (version) VALUES (1);
