-- What is asked to go back and what went, of each payment: never more than was captured, whatever runs at once.
ALTER TABLE payments ADD COLUMN refunding BIGINT DEFAULT 0 NOT NULL, ADD COLUMN refunded BIGINT DEFAULT 0 NOT NULL;
ALTER TABLE payments ADD CONSTRAINT ck_payments_refunds_within_captured
    CHECK (refunding >= 0 AND refunded >= 0 AND refunding + refunded <= captured);

CREATE TABLE refunds (
    id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    state TEXT NOT NULL,
    version INTEGER DEFAULT '1' NOT NULL,
    run_id TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    refused_rule TEXT,
    refused_facts JSONB DEFAULT '{}' NOT NULL,
    reason TEXT NOT NULL,
    note TEXT NOT NULL,
    needs_second BOOLEAN DEFAULT 'false' NOT NULL,
    requested_by TEXT NOT NULL,
    second_by TEXT,
    ended_by TEXT,
    refund_key TEXT NOT NULL,
    first_sent_at TIMESTAMP WITH TIME ZONE,
    sent_at TIMESTAMP WITH TIME ZONE,
    provider_ref TEXT,
    failure_code TEXT,
    requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    unknown_since TIMESTAMP WITH TIME ZONE,
    last_checked_at TIMESTAMP WITH TIME ZONE,
    next_check_at TIMESTAMP WITH TIME ZONE,
    check_note TEXT,
    CONSTRAINT pk_refunds PRIMARY KEY (id),
    CONSTRAINT fk_refunds_payment_id_payments FOREIGN KEY(payment_id) REFERENCES payments (id),
    CONSTRAINT ck_refunds_amount_positive CHECK (amount > 0),
    -- The second person is another one, and nothing that needs one leaves without.
    CONSTRAINT ck_refunds_two_people CHECK (second_by <> requested_by),
    CONSTRAINT ck_refunds_second_person CHECK (NOT needs_second OR second_by IS NOT NULL
        OR state IN ('refused', 'awaiting_second', 'rejected'))
);
CREATE INDEX ix_refunds_payment_id ON refunds (payment_id);
CREATE INDEX ix_refunds_open ON refunds (requested_at)
    WHERE state IN ('requested', 'awaiting_second', 'sent', 'processing', 'unknown');

CREATE TABLE refund_lines (
    refund_id TEXT NOT NULL,
    invoice_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    amount BIGINT NOT NULL,
    CONSTRAINT pk_refund_lines PRIMARY KEY (refund_id, invoice_id),
    CONSTRAINT fk_refund_lines_refund_id_refunds FOREIGN KEY(refund_id) REFERENCES refunds (id),
    CONSTRAINT fk_refund_lines_invoice_id_invoices FOREIGN KEY(invoice_id) REFERENCES invoices (id),
    CONSTRAINT ck_refund_lines_amount_positive CHECK (amount > 0)
);

DO $$
DECLARE
    t text;
    mine constant text := '(SELECT string_to_array(current_setting(''duly.customers'', true), '',''))::text[]';
BEGIN
    FOREACH t IN ARRAY ARRAY['refunds', 'refund_lines'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_sees_all ON %I TO duly_owner USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY worker_sees_all ON %I TO duly_worker USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY staff_sees_all ON %I TO duly_staff USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY portal_sees_its_own ON %I TO duly_portal USING (customer_id = ANY (%s))', t, mine);
        EXECUTE format('GRANT SELECT ON %I TO duly_portal, duly_staff', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO duly_worker', t);
    END LOOP;
END $$;
