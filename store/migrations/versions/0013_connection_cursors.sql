-- The last event of a provider's list that was read, and when it was asked; only workers read lists.
CREATE TABLE connection_cursors (
    connection_id TEXT NOT NULL,
    cursor TEXT,
    read_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_connection_cursors PRIMARY KEY (connection_id),
    CONSTRAINT fk_connection_cursors_connection_id_connections FOREIGN KEY(connection_id) REFERENCES connections (id)
);
-- Payments that their bank took back or asks about are little of much: the staff inbox finds them without reading the rest.
CREATE INDEX ix_payments_came_back ON payments (changed_at) WHERE state IN ('returned', 'disputed');

ALTER TABLE connection_cursors ENABLE ROW LEVEL SECURITY;
ALTER TABLE connection_cursors FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_sees_all ON connection_cursors TO duly_owner USING (true) WITH CHECK (true);
CREATE POLICY worker_sees_all ON connection_cursors TO duly_worker USING (true) WITH CHECK (true);
CREATE POLICY staff_sees_all ON connection_cursors TO duly_staff USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON connection_cursors TO duly_worker;
GRANT SELECT ON connection_cursors TO duly_staff;
