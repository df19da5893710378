-- What providers paid out and out of what: rows once each, by the provider's own ids. A payout is in balance where its parts'
-- net amounts sum up to it; its deposit is what an ERP shows of it.
CREATE TABLE payouts (
    connection_id TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    state TEXT NOT NULL,
    made_at TIMESTAMP WITH TIME ZONE NOT NULL,
    arrives_on DATE,
    is_itemised BOOLEAN NOT NULL,
    first_read_at TIMESTAMP WITH TIME ZONE NOT NULL,
    read_at TIMESTAMP WITH TIME ZONE NOT NULL,
    deposit_erp TEXT,
    deposit_document TEXT,
    deposit_amount BIGINT,
    deposit_currency TEXT,
    CONSTRAINT pk_payouts PRIMARY KEY (connection_id, provider_id),
    CONSTRAINT ck_payouts_state CHECK (state IN ('pending', 'paid', 'failed')),
    CONSTRAINT ck_payouts_deposit_whole CHECK ((deposit_erp IS NULL) = (deposit_amount IS NULL))
);
CREATE INDEX ix_payouts_made_at ON payouts (made_at DESC, provider_id);

CREATE TABLE payout_items (
    connection_id TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    payout_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    source_id TEXT,
    our_ref TEXT,
    gross BIGINT NOT NULL,
    fee BIGINT NOT NULL,
    net BIGINT NOT NULL,
    currency TEXT NOT NULL,
    taken BIGINT NOT NULL,
    taken_currency TEXT NOT NULL,
    payment_id TEXT,
    refund_id TEXT,
    CONSTRAINT pk_payout_items PRIMARY KEY (connection_id, provider_id),
    CONSTRAINT ck_payout_items_net CHECK (net = gross - fee),
    CONSTRAINT ck_payout_items_kind CHECK (kind IN ('charge', 'refund', 'fee', 'dispute', 'adjustment')),
    CONSTRAINT fk_payout_items_payout FOREIGN KEY (connection_id, payout_id) REFERENCES payouts (connection_id, provider_id),
    CONSTRAINT fk_payout_items_payment_id_payments FOREIGN KEY (payment_id) REFERENCES payments (id),
    CONSTRAINT fk_payout_items_refund_id_refunds FOREIGN KEY (refund_id) REFERENCES refunds (id)
);
CREATE INDEX ix_payout_items_payout ON payout_items (connection_id, payout_id);
CREATE INDEX ix_payout_items_payment ON payout_items (payment_id) WHERE payment_id IS NOT NULL;
CREATE INDEX ix_payout_items_refund ON payout_items (refund_id) WHERE refund_id IS NOT NULL;

CREATE TABLE payout_cursors (
    connection_id TEXT NOT NULL,
    cursor TEXT,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    read_at TIMESTAMP WITH TIME ZONE NOT NULL,
    judged_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_payout_cursors PRIMARY KEY (connection_id)
);

-- Nothing of a payout is a customer's.
ALTER TABLE payouts ENABLE ROW LEVEL SECURITY;
ALTER TABLE payouts FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_sees_all ON payouts TO duly_owner USING (true) WITH CHECK (true);
CREATE POLICY worker_sees_all ON payouts TO duly_worker USING (true) WITH CHECK (true);
CREATE POLICY staff_sees_all ON payouts TO duly_staff USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON payouts TO duly_worker;
GRANT SELECT ON payouts TO duly_staff;

ALTER TABLE payout_items ENABLE ROW LEVEL SECURITY;
ALTER TABLE payout_items FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_sees_all ON payout_items TO duly_owner USING (true) WITH CHECK (true);
CREATE POLICY worker_sees_all ON payout_items TO duly_worker USING (true) WITH CHECK (true);
CREATE POLICY staff_sees_all ON payout_items TO duly_staff USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON payout_items TO duly_worker;
GRANT SELECT ON payout_items TO duly_staff;

ALTER TABLE payout_cursors ENABLE ROW LEVEL SECURITY;
ALTER TABLE payout_cursors FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_sees_all ON payout_cursors TO duly_owner USING (true) WITH CHECK (true);
CREATE POLICY worker_sees_all ON payout_cursors TO duly_worker USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON payout_cursors TO duly_worker;
