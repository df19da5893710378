-- What the ERP holds for a customer and has not (wholly) applied: a snapshot, as of its own read.
CREATE TABLE credits (
    id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    erp_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    number TEXT NOT NULL,
    kind TEXT NOT NULL,
    currency TEXT NOT NULL,
    issued_on DATE NOT NULL,
    total BIGINT NOT NULL,
    used BIGINT NOT NULL,
    read_seq BIGINT NOT NULL,
    origin TEXT,
    deleted BOOLEAN DEFAULT 'false' NOT NULL,
    applications JSONB DEFAULT '[]' NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_credits PRIMARY KEY (id),
    CONSTRAINT uq_credits_connection_id_erp_id UNIQUE (connection_id, erp_id),
    CONSTRAINT fk_credits_customer_id_customers FOREIGN KEY(customer_id) REFERENCES customers (id)
);
CREATE INDEX ix_credits_customer ON credits (customer_id, issued_on);

CREATE TABLE apply_requests (
    id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    credit_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount BIGINT DEFAULT '0' NOT NULL,
    state TEXT NOT NULL,
    version INTEGER DEFAULT '1' NOT NULL,
    run_id TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    refused_rule TEXT,
    refused_facts JSONB DEFAULT '{}' NOT NULL,
    channel TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    needs_second BOOLEAN DEFAULT 'false' NOT NULL,
    first_by TEXT,
    second_by TEXT,
    ended_by TEXT,
    reason TEXT,
    question TEXT,
    answer TEXT,
    erp_words TEXT,
    postings INTEGER DEFAULT '0' NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    remind_at TIMESTAMP WITH TIME ZONE,
    escalate_at TIMESTAMP WITH TIME ZONE,
    expires_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_apply_requests PRIMARY KEY (id),
    CONSTRAINT fk_apply_requests_customer_id_customers FOREIGN KEY(customer_id) REFERENCES customers (id),
    CONSTRAINT fk_apply_requests_credit_id_credits FOREIGN KEY(credit_id) REFERENCES credits (id),
    CONSTRAINT ck_apply_requests_amount_positive CHECK (amount > 0 OR state IN ('opening', 'refused')),
    -- Two people above the limit, whatever a page or a workflow believes.
    CONSTRAINT ck_apply_requests_two_people CHECK (second_by <> first_by),
    CONSTRAINT ck_apply_requests_second_person CHECK (
        NOT needs_second OR second_by IS NOT NULL OR state NOT IN ('posting', 'applied', 'undoing', 'undone'))
);
CREATE INDEX ix_apply_requests_customer_id ON apply_requests (customer_id, opened_at DESC);
CREATE INDEX ix_apply_requests_credit_id ON apply_requests (credit_id);
CREATE INDEX ix_apply_requests_open ON apply_requests (opened_at)
    WHERE state IN ('opening', 'submitted', 'asked', 'second', 'posting', 'posting_failed', 'undoing');

CREATE TABLE apply_lines (
    request_id TEXT NOT NULL,
    invoice_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    amount BIGINT NOT NULL,
    approved BIGINT,
    position INTEGER NOT NULL,
    CONSTRAINT pk_apply_lines PRIMARY KEY (request_id, invoice_id),
    CONSTRAINT ck_apply_lines_amount_positive CHECK (amount > 0),
    CONSTRAINT ck_apply_lines_approved_within CHECK (approved BETWEEN 0 AND amount),
    CONSTRAINT fk_apply_lines_request_id_apply_requests FOREIGN KEY(request_id) REFERENCES apply_requests (id),
    CONSTRAINT fk_apply_lines_invoice_id_invoices FOREIGN KEY(invoice_id) REFERENCES invoices (id)
);

-- What open requests reserve of a credit, as `holds` does of an invoice.
CREATE TABLE credit_holds (
    holder_id TEXT NOT NULL,
    credit_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    amount BIGINT NOT NULL,
    held_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_credit_holds PRIMARY KEY (holder_id, credit_id),
    CONSTRAINT ck_credit_holds_amount_positive CHECK (amount > 0),
    CONSTRAINT fk_credit_holds_credit_id_credits FOREIGN KEY(credit_id) REFERENCES credits (id)
);
CREATE INDEX ix_credit_holds_credit_id ON credit_holds (credit_id);

-- One table of allocations, source → target: the source is a payment of ours or a credit of the ERP's.
ALTER TABLE allocations ALTER COLUMN payment_id DROP NOT NULL;
ALTER TABLE allocations ADD COLUMN credit_id TEXT;
ALTER TABLE allocations ADD CONSTRAINT fk_allocations_credit_id_credits FOREIGN KEY(credit_id) REFERENCES credits (id);
ALTER TABLE allocations ADD CONSTRAINT ck_allocations_one_source CHECK (num_nonnulls(payment_id, credit_id) = 1);
CREATE INDEX ix_allocations_credit_id ON allocations (credit_id) WHERE credit_id IS NOT NULL;
ALTER TABLE postings ALTER COLUMN payment_id DROP NOT NULL;
ALTER TABLE postings ADD COLUMN credit_id TEXT;
ALTER TABLE postings ADD COLUMN request_id TEXT;
ALTER TABLE postings ADD CONSTRAINT ck_postings_one_source CHECK (num_nonnulls(payment_id, credit_id) = 1);
CREATE INDEX ix_postings_request_id ON postings (request_id) WHERE request_id IS NOT NULL;

-- The balance rule of 0001, and beside it the bracket: an ERP shows what a credit settled without a reference of ours, so
-- all of it counts as lacking until its posting was confirmed before the read (and store/snapshots.py refuses a read during
-- which it may have landed).
CREATE OR REPLACE VIEW balances WITH (security_invoker = true) AS
SELECT i.id, i.customer_id, i.currency,
       (i.total - i.settled - coalesce(u.uncounted, 0))::bigint AS open,
       coalesce(h.held, 0)::bigint AS held,
       coalesce(h.requested, 0)::bigint AS requested
FROM invoices i
LEFT JOIN LATERAL (
    SELECT sum(CASE WHEN g.payment_id IS NULL THEN g.unconfirmed
                    ELSE g.net - coalesce((SELECT n.amount FROM snapshot_seen n
                                           WHERE n.invoice_id = i.id AND n.payment_id = g.payment_id), 0) END)::bigint AS uncounted
    FROM (SELECT a.payment_id, sum(a.amount) AS net,
                 coalesce(sum(a.amount) FILTER (WHERE NOT coalesce(p.confirmed_seq < i.read_seq, false)), 0) AS unconfirmed
          FROM allocations a JOIN postings p ON p.id = a.posting_id
          WHERE a.invoice_id = i.id
          GROUP BY a.payment_id
          HAVING NOT bool_and(coalesce(p.confirmed_seq < i.read_seq, false))) g) u ON true
LEFT JOIN LATERAL (SELECT sum(x.amount) AS held, sum(x.amount) FILTER (WHERE starts_with(x.holder_id, 'req_')) AS requested
                   FROM holds x WHERE x.invoice_id = i.id) h ON true;

-- What is wholly held by requests shows so, and not as if somebody were paying it.
CREATE OR REPLACE VIEW invoice_states WITH (security_invoker = true) AS
SELECT i.*, b.open, b.held, greatest(greatest(b.open, 0) - b.held, 0)::bigint AS available,
       CASE WHEN i.status = 'written_off' THEN 'written_off'
            WHEN i.status = 'closed' THEN 'closed'
            WHEN b.open <= 0 THEN 'paid'
            WHEN b.requested >= b.open THEN 'requested'
            WHEN b.held >= b.open THEN 'payment_pending'
            WHEN i.status = 'in_dispute' THEN 'in_dispute'
            WHEN i.status = 'in_instalments' THEN 'in_instalments'
            WHEN b.open < i.total AND i.status <> 'unknown' THEN 'partially_paid'
            ELSE 'open' END AS shown,
       (b.open > 0 AND i.status NOT IN ('written_off', 'closed', 'draft', 'void')) AS counted,
       b.requested
FROM invoices i JOIN balances b ON b.id = i.id;

-- What is left of a credit: the same bracket, by the credit's own read.
CREATE VIEW credit_balances WITH (security_invoker = true) AS
SELECT c.id, c.customer_id, c.currency,
       (c.total - c.used - coalesce(u.uncounted, 0))::bigint AS unapplied,
       coalesce(h.held, 0)::bigint AS held
FROM credits c
LEFT JOIN LATERAL (
    SELECT sum(a.amount) AS uncounted
    FROM allocations a JOIN postings p ON p.id = a.posting_id
    WHERE a.credit_id = c.id AND NOT coalesce(p.confirmed_seq < c.read_seq, false)) u ON true
LEFT JOIN LATERAL (SELECT sum(x.amount) AS held FROM credit_holds x WHERE x.credit_id = c.id) h ON true;

DO $$
DECLARE
    t text;
    mine constant text := '(SELECT string_to_array(current_setting(''duly.customers'', true), '',''))::text[]';
BEGIN
    FOREACH t IN ARRAY ARRAY['credits', 'apply_requests', 'apply_lines', 'credit_holds'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_sees_all ON %I TO duly_owner USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY worker_sees_all ON %I TO duly_worker USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY staff_sees_all ON %I TO duly_staff USING (true)', t);
        EXECUTE format('CREATE POLICY portal_sees_its_own ON %I TO duly_portal USING (customer_id = ANY (%s))', t, mine);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO duly_worker', t);
        EXECUTE format('GRANT SELECT ON %I TO duly_staff, duly_portal', t);
    END LOOP;
    GRANT SELECT ON credit_balances TO duly_worker, duly_staff, duly_portal;
END $$;
