-- An ERP says that an invoice is written off or closed, and not since when: from when Duly read so first, it counts no more.
ALTER TABLE invoices ADD COLUMN ended_at TIMESTAMP WITH TIME ZONE;
UPDATE invoices SET ended_at = changed_at WHERE status IN ('written_off', 'closed');

CREATE FUNCTION note_end_of_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status NOT IN ('written_off', 'closed') THEN
        NEW.ended_at := NULL;
    ELSIF TG_OP = 'INSERT' OR OLD.ended_at IS NULL THEN
        NEW.ended_at := NEW.changed_at;
    ELSE
        NEW.ended_at := OLD.ended_at;
    END IF;
    RETURN NEW;
END $$;
-- Two, for a condition over OLD is none of an INSERT; an invoice whose status stays as it was costs no call.
CREATE TRIGGER note_end BEFORE INSERT ON invoices FOR EACH ROW WHEN (NEW.status IN ('written_off', 'closed'))
    EXECUTE FUNCTION note_end_of_invoice();
CREATE TRIGGER note_other_end BEFORE UPDATE ON invoices FOR EACH ROW WHEN (NEW.status IS DISTINCT FROM OLD.status)
    EXECUTE FUNCTION note_end_of_invoice();

-- A customer reads what the journal says of their invoices, whoever paid them, and of their own money; not the accounts of
-- the business's connections. By columns: nothing else of these tables is theirs.
CREATE INDEX ix_journal_lines_invoice_id ON journal_lines (invoice_id) WHERE invoice_id IS NOT NULL;
DO $$
DECLARE
    mine constant text := '(SELECT string_to_array(current_setting(''duly.customers'', true), '',''))::text[]';
BEGIN
    EXECUTE format('CREATE POLICY portal_sees_its_own ON journal_lines TO duly_portal
        USING (account IN (''receivable'', ''unapplied'', ''credits'')
               AND (customer_id = ANY (%s) OR invoice_id IN (SELECT i.id FROM invoices i WHERE i.customer_id = ANY (%s))))',
        mine, mine);
    EXECUTE format('CREATE POLICY portal_sees_its_own ON journal_entries TO duly_portal
        USING (customer_id = ANY (%s) OR EXISTS (SELECT 1 FROM journal_lines l WHERE l.entry_id = journal_entries.id))', mine);
    -- Since when the ERP shows another amount of a payment than was written there.
    EXECUTE format('CREATE POLICY portal_sees_its_own ON differences TO duly_portal USING (customer_id = ANY (%s))', mine);
END $$;
GRANT SELECT (kind, invoice_id, customer_id, opened_at, closed_at) ON differences TO duly_portal;
GRANT SELECT (id, process_id, customer_id, kind, currency, booked_at) ON journal_entries TO duly_portal;
GRANT SELECT (entry_id, account, holder, customer_id, invoice_id, amount) ON journal_lines TO duly_portal;

-- The ERP's own PDF of a document, of one version of it (the read that Duly has), or that there is none: asked for once a
-- version, by a worker, when somebody wants to see it.
CREATE TABLE erp_documents (
    document_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    version BIGINT NOT NULL,
    state TEXT NOT NULL,
    content BYTEA,
    size INTEGER DEFAULT '0' NOT NULL,
    digest TEXT,
    kept_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_erp_documents PRIMARY KEY (document_id),
    CONSTRAINT ck_erp_documents_kept CHECK ((state = 'kept') = (content IS NOT NULL)),
    CONSTRAINT ck_erp_documents_size CHECK (size = coalesce(length(content), 0) AND size <= 5242880)
);
CREATE INDEX ix_erp_documents_customer_id ON erp_documents (customer_id);
ALTER TABLE erp_documents ALTER COLUMN content SET STORAGE EXTERNAL; -- a PDF is compressed already
ALTER TABLE erp_documents ENABLE ROW LEVEL SECURITY;
ALTER TABLE erp_documents FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_sees_all ON erp_documents TO duly_owner USING (true) WITH CHECK (true);
CREATE POLICY worker_sees_all ON erp_documents TO duly_worker USING (true) WITH CHECK (true);
CREATE POLICY staff_sees_all ON erp_documents TO duly_staff USING (true);
DO $$
DECLARE
    mine constant text := '(SELECT string_to_array(current_setting(''duly.customers'', true), '',''))::text[]';
BEGIN
    EXECUTE format('CREATE POLICY portal_sees_its_own ON erp_documents TO duly_portal USING (customer_id = ANY (%s))', mine);
END $$;
GRANT SELECT ON erp_documents TO duly_portal, duly_staff;
GRANT SELECT, INSERT, UPDATE, DELETE ON erp_documents TO duly_worker;
