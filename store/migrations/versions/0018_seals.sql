-- Seals of the journal: each covers the entries since the one before and is chained to it. Written once, never changed.
CREATE TABLE seals (
    number BIGINT NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    tree TEXT NOT NULL,
    previous TEXT NOT NULL,
    seal TEXT NOT NULL,
    sealed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_seals PRIMARY KEY (number),
    CONSTRAINT uq_seals_first_seq UNIQUE (first_seq)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON seals FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- The boundary of a seal is read while nobody books: who books shares this lock until the end of its transaction, and takes it
-- before it draws from the journal's sequence (a trigger of the statement comes before its rows).
CREATE FUNCTION share_the_boundary() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(7305804402467697);
    RETURN NULL;
END $$;
CREATE TRIGGER within_a_seal BEFORE INSERT ON journal_entries
    FOR EACH STATEMENT EXECUTE FUNCTION share_the_boundary();

ALTER TABLE seals ENABLE ROW LEVEL SECURITY;
ALTER TABLE seals FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_sees_all ON seals TO duly_owner USING (true) WITH CHECK (true);
CREATE POLICY worker_sees_all ON seals TO duly_worker USING (true) WITH CHECK (true);
CREATE POLICY staff_sees_all ON seals TO duly_staff USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON seals TO duly_worker;
GRANT SELECT ON seals TO duly_staff;
