DROP VIEW credit_balances;
DROP VIEW invoice_states;
DROP VIEW balances;
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
GRANT SELECT ON balances, invoice_states TO duly_worker, duly_staff, duly_portal;
-- What credits settled is what the ERP knows of them: without these rows its own figures stay.
DELETE FROM holds WHERE holder_id IN (SELECT id FROM apply_requests);
DELETE FROM allocations WHERE credit_id IS NOT NULL;
DELETE FROM postings WHERE credit_id IS NOT NULL;
DROP INDEX ix_postings_request_id;
ALTER TABLE postings DROP CONSTRAINT ck_postings_one_source;
ALTER TABLE postings DROP COLUMN request_id;
ALTER TABLE postings DROP COLUMN credit_id;
ALTER TABLE postings ALTER COLUMN payment_id SET NOT NULL;
DROP INDEX ix_allocations_credit_id;
ALTER TABLE allocations DROP CONSTRAINT ck_allocations_one_source;
ALTER TABLE allocations DROP COLUMN credit_id;
ALTER TABLE allocations ALTER COLUMN payment_id SET NOT NULL;
DROP TABLE credit_holds;
DROP TABLE apply_lines;
DROP TABLE apply_requests;
DROP TABLE credits;
