-- A difference is of a process, of an invoice or of a document of the ERP's (`item`); it is told of once `tell_at` has come;
-- it ends by agreeing again, by being counted, or by a person's reason.
ALTER TABLE differences
    ADD COLUMN item TEXT,
    ADD COLUMN connection_id TEXT,
    ADD COLUMN last_seen_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN tell_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN closed_how TEXT,
    ADD COLUMN closed_by TEXT,
    ADD COLUMN close_reason TEXT,
    ADD CONSTRAINT ck_differences_closed_how CHECK (closed_how IN ('agrees', 'counted', 'accepted')),
    ADD CONSTRAINT ck_differences_accepted_for_a_reason
        CHECK (closed_how IS DISTINCT FROM 'accepted' OR closed_by IS NOT NULL AND close_reason <> '');
CREATE UNIQUE INDEX uq_differences_item ON differences (kind, item) WHERE closed_at IS NULL AND item IS NOT NULL;
CREATE INDEX ix_differences_item ON differences (item) WHERE item IS NOT NULL;

-- What a posting is in: both sides are summed up without a look at payments or credits. Null for what a version before this one
-- queues meanwhile: such a posting is looked at one by one.
ALTER TABLE postings ADD COLUMN currency TEXT;
UPDATE postings q SET currency = p.currency FROM payments p WHERE p.id = q.payment_id;
UPDATE postings q SET currency = k.currency FROM credits k WHERE k.id = q.credit_id;
CREATE INDEX ix_postings_reversals ON postings (payment_id) WHERE kind = 'reversal';

-- Each comparison of providers, books and ERPs: what it looked at by side, whether all was equal.
CREATE TABLE reconciliations (
    id TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    sides JSONB DEFAULT '{}' NOT NULL,
    differing INTEGER,
    is_equal BOOLEAN,
    CONSTRAINT pk_reconciliations PRIMARY KEY (id)
);
CREATE INDEX ix_reconciliations_started_at ON reconciliations (started_at);

ALTER TABLE reconciliations ENABLE ROW LEVEL SECURITY;
ALTER TABLE reconciliations FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_sees_all ON reconciliations TO duly_owner USING (true) WITH CHECK (true);
CREATE POLICY worker_sees_all ON reconciliations TO duly_worker USING (true) WITH CHECK (true);
CREATE POLICY staff_sees_all ON reconciliations TO duly_staff USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON reconciliations TO duly_worker;
GRANT SELECT ON reconciliations TO duly_staff;
