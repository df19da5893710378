-- Connections that staff make: what each was given, which kinds and currencies it is to take, what was found wrong with it.
ALTER TABLE connections
    ADD COLUMN title TEXT,
    ADD COLUMN is_managed BOOLEAN DEFAULT 'false' NOT NULL,
    ADD COLUMN version BIGINT DEFAULT '1' NOT NULL,
    ADD COLUMN given JSONB DEFAULT '{}' NOT NULL,
    ADD COLUMN kinds JSONB DEFAULT '[]' NOT NULL,
    ADD COLUMN currencies JSONB DEFAULT '[]' NOT NULL,
    ADD COLUMN preferred JSONB DEFAULT '[]' NOT NULL,
    ADD COLUMN once JSONB,
    ADD COLUMN countries JSONB DEFAULT '{}' NOT NULL,
    ADD COLUMN calls_per_second INTEGER,
    ADD COLUMN problems JSONB DEFAULT '[]' NOT NULL,
    ADD COLUMN checked_at TIMESTAMP WITH TIME ZONE,
    ADD CONSTRAINT ck_connections_calls_per_second CHECK (calls_per_second > 0);

-- Secrets of connections, each sealed under a key of its own and that key under the master key. The newest of a name is used;
-- one before it counts until it is ended.
CREATE TABLE connection_secrets (
    id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    name TEXT NOT NULL,
    sealed TEXT NOT NULL,
    hint TEXT NOT NULL,
    added_by TEXT NOT NULL,
    added_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_connection_secrets PRIMARY KEY (id),
    CONSTRAINT fk_connection_secrets_connection_id_connections FOREIGN KEY(connection_id) REFERENCES connections (id)
);
CREATE INDEX ix_connection_secrets_connection_id ON connection_secrets (connection_id, name) WHERE ended_at IS NULL;

ALTER TABLE connection_secrets ENABLE ROW LEVEL SECURITY;
ALTER TABLE connection_secrets FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_sees_all ON connection_secrets TO duly_owner USING (true) WITH CHECK (true);
CREATE POLICY staff_sees_all ON connection_secrets TO duly_staff USING (true) WITH CHECK (true);
CREATE POLICY worker_sees_all ON connection_secrets TO duly_worker USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON connection_secrets TO duly_staff;
GRANT SELECT, UPDATE ON connection_secrets TO duly_worker;
GRANT INSERT, UPDATE ON connections TO duly_staff;
