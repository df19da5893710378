-- The second factor of a member of staff (RFC 6238): the secret is encrypted; a step that was used is not used again.
CREATE TABLE second_factors (
    staff_id TEXT NOT NULL,
    sealed TEXT NOT NULL,
    last_step BIGINT DEFAULT '0' NOT NULL,
    begun_at TIMESTAMP WITH TIME ZONE NOT NULL,
    confirmed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_second_factors PRIMARY KEY (staff_id),
    CONSTRAINT fk_second_factors_staff_id_staff FOREIGN KEY(staff_id) REFERENCES staff (id)
);
CREATE TABLE recovery_codes (
    staff_id TEXT NOT NULL,
    code_hash TEXT NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_recovery_codes PRIMARY KEY (staff_id, code_hash),
    CONSTRAINT fk_recovery_codes_staff_id_staff FOREIGN KEY(staff_id) REFERENCES staff (id)
);
-- One-time links with which a member of staff sets a password; the worker makes them while it writes the mail.
CREATE TABLE password_links (
    token_hash TEXT NOT NULL,
    staff_id TEXT NOT NULL,
    purpose TEXT NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_password_links PRIMARY KEY (token_hash),
    CONSTRAINT fk_password_links_staff_id_staff FOREIGN KEY(staff_id) REFERENCES staff (id)
);
CREATE INDEX ix_password_links_staff_id ON password_links (staff_id);

-- Where a session comes from, for its owner's list; and which member of staff views as the customer.
ALTER TABLE sessions
    ADD COLUMN viewer_id TEXT,
    ADD COLUMN address TEXT,
    ADD COLUMN agent TEXT,
    ADD CONSTRAINT fk_sessions_viewer_id_staff FOREIGN KEY(viewer_id) REFERENCES staff (id);
CREATE INDEX ix_sessions_viewer_id ON sessions (viewer_id) WHERE viewer_id IS NOT NULL;
-- The access log is searched by person, the newest first.
CREATE INDEX ix_access_log_actor ON access_log (actor, seq);
CREATE INDEX ix_access_log_action ON access_log (action, seq);

DO $$
DECLARE
    t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['second_factors', 'recovery_codes', 'password_links'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_sees_all ON %I TO duly_owner USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY staff_sees_all ON %I TO duly_staff USING (true) WITH CHECK (true)', t);
    END LOOP;
END $$;
GRANT SELECT, INSERT, UPDATE, DELETE ON second_factors, recovery_codes TO duly_staff;
GRANT SELECT, INSERT, UPDATE ON password_links TO duly_staff;
-- The worker makes links and can neither read nor use them.
CREATE POLICY worker_makes ON password_links FOR INSERT TO duly_worker WITH CHECK (true);
GRANT INSERT ON password_links TO duly_worker;
