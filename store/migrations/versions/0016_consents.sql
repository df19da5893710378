-- What a person's consent at a vendor led to: the pair of tokens, sealed as one; `number` tells one pair from the next. Whoever
-- renews holds the row. `choices` are what the vendor left to choose (which organisation, say), by setting.
CREATE TABLE connection_tokens (
    connection_id TEXT NOT NULL,
    sealed TEXT NOT NULL,
    number BIGINT DEFAULT '1' NOT NULL,
    choices JSONB DEFAULT '{}' NOT NULL,
    consented_by TEXT NOT NULL,
    consented_at TIMESTAMP WITH TIME ZONE NOT NULL,
    renewed_at TIMESTAMP WITH TIME ZONE,
    lost_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_connection_tokens PRIMARY KEY (connection_id),
    CONSTRAINT fk_connection_tokens_connection_id_connections FOREIGN KEY(connection_id) REFERENCES connections (id)
);

-- Who was sent to a vendor for consent, from which session: the way back is believed once, and only there.
CREATE TABLE consents_asked (
    state_hash TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    session_hash TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_consents_asked PRIMARY KEY (state_hash),
    CONSTRAINT fk_consents_asked_connection_id_connections FOREIGN KEY(connection_id) REFERENCES connections (id)
);

ALTER TABLE connection_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE connection_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_sees_all ON connection_tokens TO duly_owner USING (true) WITH CHECK (true);
CREATE POLICY staff_sees_all ON connection_tokens TO duly_staff USING (true) WITH CHECK (true);
CREATE POLICY worker_sees_all ON connection_tokens TO duly_worker USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON connection_tokens TO duly_staff;
GRANT SELECT, UPDATE ON connection_tokens TO duly_worker;

ALTER TABLE consents_asked ENABLE ROW LEVEL SECURITY;
ALTER TABLE consents_asked FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_sees_all ON consents_asked TO duly_owner USING (true) WITH CHECK (true);
CREATE POLICY staff_sees_all ON consents_asked TO duly_staff USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON consents_asked TO duly_staff;
