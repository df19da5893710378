-- Who of the staff has taken up what waits for a person. `item` is the id of what waits: a payment's, a posting's, …
CREATE TABLE inbox_owners (
    item TEXT NOT NULL,
    staff_id TEXT NOT NULL,
    taken_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_inbox_owners PRIMARY KEY (item),
    CONSTRAINT fk_inbox_owners_staff_id_staff FOREIGN KEY(staff_id) REFERENCES staff (id)
);
-- What waits is little of much: each kind is found without reading the rest.
CREATE INDEX ix_postings_refused ON postings (seq) WHERE state = 'refused';
CREATE INDEX ix_inbox_parked ON inbox (received_at) WHERE state = 'parked';

ALTER TABLE inbox_owners ENABLE ROW LEVEL SECURITY;
ALTER TABLE inbox_owners FORCE ROW LEVEL SECURITY;
CREATE POLICY owner_sees_all ON inbox_owners TO duly_owner USING (true) WITH CHECK (true);
CREATE POLICY staff_sees_all ON inbox_owners TO duly_staff USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON inbox_owners TO duly_staff;
