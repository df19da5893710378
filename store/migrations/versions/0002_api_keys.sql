CREATE TABLE api_keys (
    id TEXT NOT NULL,
    label TEXT NOT NULL,
    prefix TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    scopes TEXT[] NOT NULL,
    created_by TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_used_on DATE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_api_keys PRIMARY KEY (id),
    CONSTRAINT uq_api_keys_prefix UNIQUE (prefix)
);
CREATE TABLE idempotent_requests (
    api_key_id TEXT NOT NULL,
    key_hash TEXT NOT NULL,
    operation TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    object_id TEXT NOT NULL,
    status INTEGER,
    answer TEXT,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    answered_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_idempotent_requests PRIMARY KEY (api_key_id, key_hash),
    CONSTRAINT uq_idempotent_requests_object_id UNIQUE (object_id),
    CONSTRAINT fk_idempotent_requests_api_key_id_api_keys FOREIGN KEY(api_key_id) REFERENCES api_keys (id)
);
-- Lists of everything, the newest first: what the API pages through.
CREATE INDEX ix_invoices_issued ON invoices (issued_on, id);
CREATE INDEX ix_payments_opened ON payments (opened_at, id);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['api_keys', 'idempotent_requests'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_sees_all ON %I TO duly_owner USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY staff_sees_all ON %I TO duly_staff USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;

-- The worker has no business with keys, and a key's secret and scopes never change.
GRANT SELECT, INSERT ON api_keys, idempotent_requests TO duly_staff;
GRANT UPDATE (last_used_on, revoked_at) ON api_keys TO duly_staff;
GRANT UPDATE (status, answer, answered_at) ON idempotent_requests TO duly_staff;
