-- Requests for money of our payments go with the rows that they are about; what they settled stays the payment's.
CREATE TEMPORARY TABLE ours ON COMMIT DROP AS
SELECT r.id FROM apply_requests r JOIN credits k ON k.id = r.credit_id WHERE k.payment_id IS NOT NULL;
DELETE FROM holds WHERE holder_id IN (SELECT id FROM ours);
DELETE FROM credit_holds WHERE holder_id IN (SELECT id FROM ours);
DELETE FROM apply_lines WHERE request_id IN (SELECT id FROM ours);
DELETE FROM apply_requests WHERE id IN (SELECT id FROM ours);
UPDATE postings SET request_id = NULL WHERE request_id IN (SELECT id FROM ours);
DELETE FROM credits WHERE payment_id IS NOT NULL;
CREATE OR REPLACE VIEW credit_balances WITH (security_invoker = true) AS
SELECT c.id, c.customer_id, c.currency,
       (c.total - c.used - coalesce(u.uncounted, 0))::bigint AS unapplied,
       coalesce(h.held, 0)::bigint AS held
FROM credits c
LEFT JOIN LATERAL (
    SELECT sum(a.amount) AS uncounted
    FROM allocations a JOIN postings p ON p.id = a.posting_id
    WHERE a.credit_id = c.id AND NOT coalesce(p.confirmed_seq < c.read_seq, false)) u ON true
LEFT JOIN LATERAL (SELECT sum(x.amount) AS held FROM credit_holds x WHERE x.credit_id = c.id) h ON true;
ALTER TABLE credits DROP COLUMN payment_id;
