-- The balance rule: what is open is the ERP's snapshot less our own money that this snapshot cannot have counted.
-- A pair (payment, invoice) is counted by the snapshot when every posting of it was confirmed before the read began.
CREATE VIEW balances WITH (security_invoker = true) AS
SELECT i.id, i.customer_id, i.currency,
       (i.total - i.settled - coalesce(u.uncounted, 0))::bigint AS open,
       coalesce(h.held, 0)::bigint AS held
FROM invoices i
LEFT JOIN LATERAL (
    SELECT sum(g.net - coalesce((SELECT n.amount FROM snapshot_seen n
                                 WHERE n.invoice_id = i.id AND n.payment_id = g.payment_id), 0))::bigint AS uncounted
    FROM (SELECT a.payment_id, sum(a.amount) AS net
          FROM allocations a JOIN postings p ON p.id = a.posting_id
          WHERE a.invoice_id = i.id
          GROUP BY a.payment_id
          HAVING NOT bool_and(coalesce(p.confirmed_seq < i.read_seq, false))) g) u ON true
LEFT JOIN LATERAL (SELECT sum(x.amount) AS held FROM holds x WHERE x.invoice_id = i.id) h ON true;

-- The status a person sees (domain/invoices.py says the same in Python; a test compares them).
CREATE VIEW invoice_states WITH (security_invoker = true) AS
SELECT i.*, b.open, b.held, greatest(greatest(b.open, 0) - b.held, 0)::bigint AS available,
       CASE WHEN i.status = 'written_off' THEN 'written_off'
            WHEN i.status = 'closed' THEN 'closed'
            WHEN b.open <= 0 THEN 'paid'
            WHEN b.held >= b.open THEN 'payment_pending'
            WHEN i.status = 'in_dispute' THEN 'in_dispute'
            WHEN i.status = 'in_instalments' THEN 'in_instalments'
            WHEN b.open < i.total AND i.status <> 'unknown' THEN 'partially_paid'
            ELSE 'open' END AS shown,
       (b.open > 0 AND i.status NOT IN ('written_off', 'closed', 'draft', 'void')) AS counted
FROM invoices i JOIN balances b ON b.id = i.id;

-- An entry balances, per currency, when its transaction ends.
CREATE FUNCTION journal_entry_balances() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM journal_lines WHERE entry_id = NEW.entry_id GROUP BY currency HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'journal entry % does not balance', NEW.entry_id USING ERRCODE = '23514';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER journal_balances AFTER INSERT ON journal_lines
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION journal_entry_balances();

-- The journal, the timeline and the access log are only ever added to.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: correct it by a new row', TG_TABLE_NAME USING ERRCODE = '42501';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON journal_entries FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON journal_lines FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON timeline FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON access_log FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- Who may see which row. The worker and staff see all, by policies of their own; the portal sees its customers'.
DO $$
DECLARE
    t text;
    mine constant text := '(SELECT string_to_array(current_setting(''duly.customers'', true), '',''))::text[]';
BEGIN
    FOR t IN SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
             AND c.relname <> 'alembic_version' LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY owner_sees_all ON %I TO duly_owner USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY worker_sees_all ON %I TO duly_worker USING (true) WITH CHECK (true)', t);
        EXECUTE format('CREATE POLICY staff_sees_all ON %I TO duly_staff USING (true) WITH CHECK (true)', t);
    END LOOP;
    EXECUTE format('CREATE POLICY portal_sees_its_own ON customers TO duly_portal USING (id = ANY (%s))', mine);
    EXECUTE format('CREATE POLICY portal_sees_its_own ON invoices TO duly_portal USING (customer_id = ANY (%s)
        AND status NOT IN (''draft'', ''void'') AND NOT deleted
        AND NOT (paused AND current_setting(''duly.hide_paused'', true) IS NOT DISTINCT FROM ''on''))', mine);
    -- A parent pays its children's invoices: whether the ERP has confirmed that is part of the child's balance.
    EXECUTE format('CREATE POLICY portal_sees_its_own ON postings TO duly_portal USING (customer_id = ANY (%s)
        OR EXISTS (SELECT 1 FROM allocations a WHERE a.posting_id = postings.id AND a.customer_id = ANY (%s)))', mine, mine);
    FOREACH t IN ARRAY ARRAY['contacts', 'snapshot_seen', 'payments', 'payment_lines', 'holds', 'allocations',
                             'wanted', 'payment_methods', 'method_setups', 'timeline'] LOOP
        EXECUTE format('CREATE POLICY portal_sees_its_own ON %I TO duly_portal USING (customer_id = ANY (%s))', t, mine);
    END LOOP;
    FOREACH t IN ARRAY ARRAY['customers', 'contacts', 'invoices', 'snapshot_seen', 'payments', 'payment_lines', 'holds',
                             'postings', 'allocations', 'wanted', 'payment_methods', 'method_setups', 'timeline',
                             'balances', 'invoice_states'] LOOP
        EXECUTE format('GRANT SELECT ON %I TO duly_portal', t);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO duly_worker;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO duly_staff;
GRANT INSERT, UPDATE, DELETE ON sessions, portal_links, rate_counters TO duly_staff;
GRANT INSERT, UPDATE ON staff, inbox TO duly_staff;
GRANT INSERT ON settings, access_log, outbox TO duly_staff;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO duly_worker, duly_staff;
REVOKE UPDATE, DELETE ON journal_entries, journal_lines, timeline, access_log FROM duly_worker;
