-- A payment of ours with money on no invoice is a credit as well: it may be asked for, held and applied like one.
ALTER TABLE credits ADD COLUMN payment_id TEXT;
ALTER TABLE credits ADD CONSTRAINT fk_credits_payment_id_payments FOREIGN KEY(payment_id) REFERENCES payments (id);
ALTER TABLE credits ADD CONSTRAINT uq_credits_payment_id UNIQUE (payment_id);

-- What is left of a credit: by the credit's own read; of a payment of ours, by our own rows.
CREATE OR REPLACE VIEW credit_balances WITH (security_invoker = true) AS
SELECT c.id, c.customer_id, c.currency,
       CASE WHEN c.payment_id IS NULL THEN c.total - c.used - coalesce(u.uncounted, 0) ELSE coalesce(p.unapplied, 0) END::bigint
           AS unapplied,
       coalesce(h.held, 0)::bigint AS held
FROM credits c
LEFT JOIN LATERAL (
    SELECT sum(a.amount) AS uncounted
    FROM allocations a JOIN postings p ON p.id = a.posting_id
    WHERE a.credit_id = c.id AND NOT coalesce(p.confirmed_seq < c.read_seq, false)) u ON true
LEFT JOIN LATERAL (
    SELECT p.captured - p.returned - p.refunded
           - coalesce((SELECT sum(a.amount) FROM allocations a WHERE a.payment_id = p.id), 0)
           - coalesce((SELECT sum(r.amount - coalesce((SELECT sum(l.amount) FROM refund_lines l WHERE l.refund_id = r.id), 0))
                       FROM refunds r WHERE r.payment_id = p.id
                         AND r.state IN ('requested', 'awaiting_second', 'sent', 'processing', 'unknown')), 0) AS unapplied
    FROM payments p WHERE p.id = c.payment_id) p ON true
LEFT JOIN LATERAL (SELECT sum(x.amount) AS held FROM credit_holds x WHERE x.credit_id = c.id) h ON true;

INSERT INTO credits (id, connection_id, erp_id, customer_id, number, kind, currency, issued_on, total, used, read_seq,
                     payment_id, changed_at)
SELECT 'crd' || substr(p.id, 4), c.connection_id, p.id, p.customer_id, upper(right(p.id, 6)), 'overpayment', p.currency,
       (p.opened_at AT TIME ZONE 'UTC')::date, p.captured, 0, 0, p.id, p.changed_at
FROM payments p JOIN customers c ON c.id = p.customer_id
WHERE p.captured - p.returned - p.refunded
      > coalesce((SELECT sum(a.amount) FROM allocations a WHERE a.payment_id = p.id), 0);
