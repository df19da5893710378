-- Payment documents of an ERP's books, whoever wrote them: what reconciliation compares postings with. Customers do not see them.
CREATE TABLE erp_payments (
    connection_id TEXT NOT NULL,
    erp_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    number TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL,
    unapplied BIGINT NOT NULL,
    received_on DATE NOT NULL,
    reference TEXT,
    author TEXT,
    stands BOOLEAN NOT NULL,
    lines JSONB DEFAULT '[]' NOT NULL,
    read_seq BIGINT NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_erp_payments PRIMARY KEY (connection_id, erp_id),
    CONSTRAINT fk_erp_payments_customer_id_customers FOREIGN KEY(customer_id) REFERENCES customers (id)
);
CREATE INDEX ix_erp_payments_reference ON erp_payments (reference) WHERE reference IS NOT NULL;
CREATE INDEX ix_erp_payments_customer ON erp_payments (customer_id, received_on);

-- Offers to a customer, and the templates that its invoices are made from.
CREATE TABLE erp_quotes (
    id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    erp_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    number TEXT NOT NULL,
    currency TEXT NOT NULL,
    total BIGINT NOT NULL,
    issued_on DATE NOT NULL,
    expires_on DATE,
    status TEXT NOT NULL,
    status_word TEXT NOT NULL,
    lines JSONB DEFAULT '[]' NOT NULL,
    deleted BOOLEAN DEFAULT 'false' NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_erp_quotes PRIMARY KEY (id),
    CONSTRAINT uq_erp_quotes_connection_id_erp_id UNIQUE (connection_id, erp_id),
    CONSTRAINT fk_erp_quotes_customer_id_customers FOREIGN KEY(customer_id) REFERENCES customers (id)
);
CREATE INDEX ix_erp_quotes_customer ON erp_quotes (customer_id, issued_on);
CREATE TABLE erp_recurring (
    id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    erp_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    title TEXT NOT NULL,
    frequency TEXT NOT NULL,
    starts_on DATE,
    next_on DATE,
    remaining INTEGER,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL,
    active BOOLEAN NOT NULL,
    deleted BOOLEAN DEFAULT 'false' NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_erp_recurring PRIMARY KEY (id),
    CONSTRAINT uq_erp_recurring_connection_id_erp_id UNIQUE (connection_id, erp_id),
    CONSTRAINT fk_erp_recurring_customer_id_customers FOREIGN KEY(customer_id) REFERENCES customers (id)
);
CREATE INDEX ix_erp_recurring_customer ON erp_recurring (customer_id);

-- How each stream of an ERP is getting on. A stream that never answered has a row and was never read: read_at may be empty.
ALTER TABLE sync_cursors
    ALTER COLUMN read_at DROP NOT NULL,
    ALTER COLUMN rows_read TYPE BIGINT,
    ADD COLUMN last_run_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN last_ok_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN ok_seq BIGINT,
    ADD COLUMN loaded_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN failed_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN failures INTEGER DEFAULT '0' NOT NULL,
    ADD COLUMN next_try_at TIMESTAMP WITH TIME ZONE,
    ADD COLUMN expected BIGINT;
-- What was read before is loaded: only a stream that begins is read as a first load.
UPDATE sync_cursors SET last_run_at = read_at, last_ok_at = read_at, loaded_at = read_at WHERE cursor <> '';

GRANT UPDATE (next_try_at) ON sync_cursors TO duly_staff;  -- who asks for it now ends the waiting

-- The books as a whole may differ: then no customer is named.
ALTER TABLE differences ALTER COLUMN customer_id DROP NOT NULL;

DO $$
DECLARE
    t text;
    mine constant text := '(SELECT string_to_array(current_setting(''duly.customers'', true), '',''))::text[]';
BEGIN
    FOREACH t IN ARRAY ARRAY['erp_payments', 'erp_quotes', 'erp_recurring'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_sees_all ON %I TO duly_owner USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY worker_sees_all ON %I TO duly_worker USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY staff_sees_all ON %I TO duly_staff USING (true)', t);
        EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO duly_worker', t);
        EXECUTE format('GRANT SELECT ON %I TO duly_staff', t);
    END LOOP;
    EXECUTE format('CREATE POLICY portal_sees_its_own ON erp_quotes TO duly_portal USING (customer_id = ANY (%s)
        AND status <> ''draft'' AND NOT deleted)', mine);
    EXECUTE format('CREATE POLICY portal_sees_its_own ON erp_recurring TO duly_portal USING (customer_id = ANY (%s)
        AND NOT deleted)', mine);
    GRANT SELECT ON erp_quotes, erp_recurring TO duly_portal;
END $$;
