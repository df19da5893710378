-- What runs Duly is looked at by many: what is open is found by an index, however much was closed.
CREATE INDEX ix_differences_open ON differences (kind) WHERE closed_at IS NULL;

-- Where a payment is traced, its posting goes on in the same trace, minutes later and in another process.
ALTER TABLE postings ADD COLUMN trace TEXT;
