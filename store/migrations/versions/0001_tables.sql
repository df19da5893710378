CREATE SEQUENCE erp_seq AS BIGINT;
CREATE TABLE access_log (
    seq BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    customer_id TEXT,
    object_id TEXT,
    address TEXT,
    agent TEXT,
    facts JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_access_log PRIMARY KEY (seq)
);
CREATE INDEX ix_access_log_customer_id ON access_log (customer_id, seq);
CREATE INDEX ix_access_log_object_id ON access_log (object_id, seq);
CREATE TABLE connections (
    id TEXT NOT NULL,
    role TEXT NOT NULL,
    connector TEXT NOT NULL,
    mode TEXT NOT NULL,
    enabled BOOLEAN DEFAULT 'true' NOT NULL,
    fence BIGINT DEFAULT '0' NOT NULL,
    offers JSONB DEFAULT '{}' NOT NULL,
    health TEXT DEFAULT 'unknown' NOT NULL,
    health_note TEXT,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_connections PRIMARY KEY (id)
);
CREATE TABLE customers (
    id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    erp_id TEXT NOT NULL,
    number TEXT NOT NULL,
    name TEXT NOT NULL,
    currency TEXT NOT NULL,
    email TEXT,
    country TEXT,
    time_zone TEXT DEFAULT 'UTC' NOT NULL,
    parent_id TEXT,
    parent_erp_id TEXT,
    paused BOOLEAN DEFAULT 'false' NOT NULL,
    deleted BOOLEAN DEFAULT 'false' NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_customers PRIMARY KEY (id),
    CONSTRAINT uq_customers_connection_id_erp_id UNIQUE (connection_id, erp_id),
    CONSTRAINT fk_customers_parent_id_customers FOREIGN KEY(parent_id) REFERENCES customers (id)
);
CREATE INDEX ix_customers_name_lower ON customers (lower(name));
CREATE INDEX ix_customers_number ON customers (number);
CREATE INDEX ix_customers_parent_id ON customers (parent_id);
CREATE TABLE inbox (
    id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    dedupe_key TEXT NOT NULL,
    event_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    our_ref TEXT,
    provider_id TEXT,
    claims TEXT,
    state TEXT NOT NULL,
    reason TEXT,
    deliveries INTEGER DEFAULT '1' NOT NULL,
    body BYTEA,
    occurred_at TIMESTAMP WITH TIME ZONE,
    received_at TIMESTAMP WITH TIME ZONE NOT NULL,
    handled_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_inbox PRIMARY KEY (id)
);
CREATE INDEX ix_inbox_our_ref ON inbox (our_ref);
CREATE INDEX ix_inbox_provider_id ON inbox (provider_id);
CREATE INDEX ix_inbox_waiting ON inbox (received_at) WHERE state = 'received';
CREATE UNIQUE INDEX uq_inbox_dedupe ON inbox (connection_id, dedupe_key);
CREATE TABLE journal_entries (
    id TEXT NOT NULL,
    seq BIGINT GENERATED ALWAYS AS IDENTITY,
    process_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    currency TEXT NOT NULL,
    booked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_journal_entries PRIMARY KEY (id),
    CONSTRAINT uq_journal_entries_seq UNIQUE (seq)
);
CREATE INDEX ix_journal_entries_process_id ON journal_entries (process_id);
CREATE TABLE outbox (
    id TEXT NOT NULL,
    dedupe_key TEXT NOT NULL,
    template TEXT NOT NULL,
    to_address TEXT NOT NULL,
    customer_id TEXT,
    process_id TEXT,
    facts JSONB DEFAULT '{}' NOT NULL,
    state TEXT DEFAULT 'queued' NOT NULL,
    attempts INTEGER DEFAULT '0' NOT NULL,
    error_text TEXT,
    seq BIGINT GENERATED ALWAYS AS IDENTITY,
    queued_at TIMESTAMP WITH TIME ZONE NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_outbox PRIMARY KEY (id),
    CONSTRAINT uq_outbox_dedupe_key UNIQUE (dedupe_key)
);
CREATE INDEX ix_outbox_process_id ON outbox (process_id);
CREATE INDEX ix_outbox_waiting ON outbox (seq) WHERE state = 'queued';
CREATE TABLE postings (
    id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    seq BIGINT GENERATED ALWAYS AS IDENTITY,
    docs TEXT[] NOT NULL,
    amount BIGINT NOT NULL,
    state TEXT DEFAULT 'queued' NOT NULL,
    fence BIGINT DEFAULT '0' NOT NULL,
    sent_seq BIGINT,
    sent_at TIMESTAMP WITH TIME ZONE,
    confirmed_seq BIGINT,
    confirmed_at TIMESTAMP WITH TIME ZONE,
    read_back_at TIMESTAMP WITH TIME ZONE,
    attempts INTEGER DEFAULT '0' NOT NULL,
    looks INTEGER DEFAULT '0' NOT NULL,
    look_at TIMESTAMP WITH TIME ZONE,
    erp_id TEXT,
    erp_number TEXT,
    error_code TEXT,
    error_text TEXT,
    queued_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_postings PRIMARY KEY (id),
    CONSTRAINT uq_postings_seq UNIQUE (seq)
);
CREATE INDEX ix_postings_payment_id ON postings (payment_id);
CREATE INDEX ix_postings_unread ON postings (connection_id, confirmed_seq) WHERE confirmed_seq IS NOT NULL AND read_back_at IS NULL;
CREATE INDEX ix_postings_waiting ON postings (connection_id, seq) WHERE confirmed_seq IS NULL;
CREATE TABLE rate_counters (
    bucket TEXT NOT NULL,
    window_at TIMESTAMP WITH TIME ZONE NOT NULL,
    hits INTEGER NOT NULL,
    CONSTRAINT pk_rate_counters PRIMARY KEY (bucket)
);
CREATE TABLE settings (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    value JSONB NOT NULL,
    changed_by TEXT NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_settings PRIMARY KEY (name, version)
);
CREATE TABLE staff (
    id TEXT NOT NULL,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    active BOOLEAN DEFAULT 'true' NOT NULL,
    added_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_staff PRIMARY KEY (id),
    CONSTRAINT uq_staff_email UNIQUE (email)
);
CREATE TABLE sync_cursors (
    connection_id TEXT NOT NULL,
    entity TEXT NOT NULL,
    cursor TEXT NOT NULL,
    rows_read INTEGER DEFAULT '0' NOT NULL,
    read_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_error TEXT,
    CONSTRAINT pk_sync_cursors PRIMARY KEY (connection_id, entity)
);
CREATE TABLE timeline (
    id TEXT NOT NULL,
    seq BIGINT GENERATED ALWAYS AS IDENTITY,
    process_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    facts JSONB DEFAULT '{}' NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_timeline PRIMARY KEY (id)
);
CREATE INDEX ix_timeline_process_id ON timeline (process_id, seq);
CREATE TABLE contacts (
    id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    erp_id TEXT NOT NULL,
    name TEXT NOT NULL,
    email TEXT NOT NULL,
    CONSTRAINT pk_contacts PRIMARY KEY (id),
    CONSTRAINT uq_contacts_customer_id_erp_id UNIQUE (customer_id, erp_id),
    CONSTRAINT fk_contacts_customer_id_customers FOREIGN KEY(customer_id) REFERENCES customers (id)
);
CREATE INDEX ix_contacts_customer_id ON contacts (customer_id);
CREATE TABLE invoices (
    id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    erp_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    parent_id TEXT,
    parent_erp_id TEXT,
    is_parent BOOLEAN DEFAULT 'false' NOT NULL,
    number TEXT NOT NULL,
    site TEXT,
    po_number TEXT,
    terms TEXT,
    currency TEXT NOT NULL,
    issued_on DATE NOT NULL,
    due_on DATE NOT NULL,
    paid_on DATE,
    status TEXT NOT NULL,
    status_word TEXT NOT NULL,
    paused BOOLEAN DEFAULT 'false' NOT NULL,
    deleted BOOLEAN DEFAULT 'false' NOT NULL,
    total BIGINT NOT NULL,
    settled BIGINT NOT NULL,
    read_seq BIGINT NOT NULL,
    discount BIGINT,
    lines JSONB DEFAULT '[]' NOT NULL,
    settlements JSONB DEFAULT '[]' NOT NULL,
    contact_email TEXT,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_invoices PRIMARY KEY (id),
    CONSTRAINT uq_invoices_connection_id_erp_id UNIQUE (connection_id, erp_id),
    CONSTRAINT fk_invoices_customer_id_customers FOREIGN KEY(customer_id) REFERENCES customers (id),
    CONSTRAINT fk_invoices_parent_id_invoices FOREIGN KEY(parent_id) REFERENCES invoices (id)
);
CREATE INDEX ix_invoices_due ON invoices (customer_id, due_on);
CREATE INDEX ix_invoices_oldest_first ON invoices (customer_id, issued_on, due_on, number);
CREATE INDEX ix_invoices_parent_erp_id ON invoices (connection_id, parent_erp_id) WHERE parent_erp_id IS NOT NULL;
CREATE INDEX ix_invoices_parent_id ON invoices (parent_id);
CREATE TABLE journal_lines (
    entry_id TEXT NOT NULL,
    position INTEGER NOT NULL,
    account TEXT NOT NULL,
    holder TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    invoice_id TEXT,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL,
    CONSTRAINT pk_journal_lines PRIMARY KEY (entry_id, position),
    CONSTRAINT ck_journal_lines_amount_not_zero CHECK (amount <> 0),
    CONSTRAINT fk_journal_lines_entry_id_journal_entries FOREIGN KEY(entry_id) REFERENCES journal_entries (id)
);
CREATE INDEX ix_journal_lines_account ON journal_lines (account, holder);
CREATE TABLE method_setups (
    id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    currency TEXT NOT NULL,
    state TEXT NOT NULL,
    run_id TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    refused_rule TEXT,
    refused_facts JSONB DEFAULT '{}' NOT NULL,
    consent_wording TEXT NOT NULL,
    consent_at TIMESTAMP WITH TIME ZONE,
    started_by TEXT NOT NULL,
    channel TEXT NOT NULL,
    return_path TEXT NOT NULL,
    session_id TEXT,
    page_url TEXT,
    method_id TEXT,
    failure_code TEXT,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    deadline_at TIMESTAMP WITH TIME ZONE,
    last_checked_at TIMESTAMP WITH TIME ZONE,
    next_check_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_method_setups PRIMARY KEY (id),
    CONSTRAINT fk_method_setups_customer_id_customers FOREIGN KEY(customer_id) REFERENCES customers (id)
);
CREATE INDEX ix_method_setups_customer_id ON method_setups (customer_id);
CREATE INDEX ix_method_setups_in_flight ON method_setups (state) WHERE state IN ('started','redirected','verifying');
CREATE TABLE payers (
    customer_id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    provider_ref TEXT NOT NULL,
    CONSTRAINT pk_payers PRIMARY KEY (customer_id, connection_id),
    CONSTRAINT fk_payers_customer_id_customers FOREIGN KEY(customer_id) REFERENCES customers (id)
);
CREATE TABLE payment_methods (
    id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    token TEXT NOT NULL,
    kind TEXT NOT NULL,
    brand TEXT NOT NULL,
    last4 TEXT NOT NULL,
    exp_month INTEGER,
    exp_year INTEGER,
    state TEXT NOT NULL,
    is_default BOOLEAN DEFAULT 'false' NOT NULL,
    state_before TEXT,
    detach_error TEXT,
    added_by TEXT NOT NULL,
    added_at TIMESTAMP WITH TIME ZONE NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_payment_methods PRIMARY KEY (id),
    CONSTRAINT uq_payment_methods_connection_id_token UNIQUE (connection_id, token),
    CONSTRAINT fk_payment_methods_customer_id_customers FOREIGN KEY(customer_id) REFERENCES customers (id)
);
CREATE INDEX ix_payment_methods_customer_id ON payment_methods (customer_id);
CREATE UNIQUE INDEX uq_payment_methods_default ON payment_methods (customer_id) WHERE is_default;
CREATE TABLE payments (
    id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    connection_id TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL,
    state TEXT NOT NULL,
    run_id TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    refused_rule TEXT,
    refused_facts JSONB DEFAULT '{}' NOT NULL,
    way TEXT NOT NULL,
    method_id TEXT,
    method_kind TEXT NOT NULL,
    method_label TEXT NOT NULL,
    save_consent BOOLEAN DEFAULT 'false' NOT NULL,
    consent_wording TEXT,
    channel TEXT NOT NULL,
    started_by TEXT NOT NULL,
    attempt INTEGER DEFAULT '1' NOT NULL,
    charge_key TEXT,
    sent_at TIMESTAMP WITH TIME ZONE,
    provider_ref TEXT,
    action_url TEXT,
    failure_code TEXT,
    expected_on TEXT,
    captured BIGINT DEFAULT '0' NOT NULL,
    returned BIGINT DEFAULT '0' NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    deadline_at TIMESTAMP WITH TIME ZONE,
    unknown_since TIMESTAMP WITH TIME ZONE,
    last_checked_at TIMESTAMP WITH TIME ZONE,
    next_check_at TIMESTAMP WITH TIME ZONE,
    check_note TEXT,
    CONSTRAINT pk_payments PRIMARY KEY (id),
    CONSTRAINT ck_payments_amount_positive CHECK (amount > 0 OR state IN ('charging', 'refused')),
    CONSTRAINT ck_payments_returned_within_captured CHECK (captured >= 0 AND returned >= 0 AND returned <= captured),
    CONSTRAINT fk_payments_customer_id_customers FOREIGN KEY(customer_id) REFERENCES customers (id)
);
CREATE INDEX ix_payments_customer_opened ON payments (customer_id, opened_at DESC);
CREATE INDEX ix_payments_in_flight ON payments (state) WHERE state IN ('charging','awaiting_customer','processing','unknown');
CREATE UNIQUE INDEX uq_payments_provider_ref ON payments (connection_id, provider_ref);
CREATE TABLE portal_links (
    id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    contact_id TEXT,
    invoice_id TEXT,
    token_hash TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    last_used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_portal_links PRIMARY KEY (id),
    CONSTRAINT fk_portal_links_customer_id_customers FOREIGN KEY(customer_id) REFERENCES customers (id),
    CONSTRAINT uq_portal_links_token_hash UNIQUE (token_hash)
);
CREATE INDEX ix_portal_links_customer_id ON portal_links (customer_id);
CREATE TABLE allocations (
    id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    invoice_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    amount BIGINT NOT NULL,
    posting_id TEXT NOT NULL,
    allocated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_allocations PRIMARY KEY (id),
    CONSTRAINT ck_allocations_amount_not_zero CHECK (amount <> 0),
    CONSTRAINT fk_allocations_payment_id_payments FOREIGN KEY(payment_id) REFERENCES payments (id),
    CONSTRAINT fk_allocations_invoice_id_invoices FOREIGN KEY(invoice_id) REFERENCES invoices (id),
    CONSTRAINT fk_allocations_posting_id_postings FOREIGN KEY(posting_id) REFERENCES postings (id)
);
CREATE INDEX ix_allocations_invoice_id ON allocations (invoice_id, payment_id);
CREATE INDEX ix_allocations_payment_id ON allocations (payment_id);
CREATE INDEX ix_allocations_posting_id ON allocations (posting_id);
CREATE TABLE differences (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    invoice_id TEXT,
    process_id TEXT,
    customer_id TEXT NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    facts JSONB DEFAULT '{}' NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_differences PRIMARY KEY (id),
    CONSTRAINT fk_differences_invoice_id_invoices FOREIGN KEY(invoice_id) REFERENCES invoices (id)
);
CREATE UNIQUE INDEX uq_differences_open ON differences (kind, invoice_id) WHERE closed_at IS NULL AND invoice_id IS NOT NULL;
CREATE TABLE holds (
    holder_id TEXT NOT NULL,
    invoice_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    amount BIGINT NOT NULL,
    held_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_holds PRIMARY KEY (holder_id, invoice_id),
    CONSTRAINT ck_holds_amount_positive CHECK (amount > 0),
    CONSTRAINT fk_holds_invoice_id_invoices FOREIGN KEY(invoice_id) REFERENCES invoices (id)
);
CREATE INDEX ix_holds_invoice_id ON holds (invoice_id);
CREATE TABLE payment_lines (
    payment_id TEXT NOT NULL,
    invoice_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    amount BIGINT NOT NULL,
    position INTEGER NOT NULL,
    CONSTRAINT pk_payment_lines PRIMARY KEY (payment_id, invoice_id),
    CONSTRAINT ck_payment_lines_amount_positive CHECK (amount > 0),
    CONSTRAINT fk_payment_lines_payment_id_payments FOREIGN KEY(payment_id) REFERENCES payments (id),
    CONSTRAINT fk_payment_lines_invoice_id_invoices FOREIGN KEY(invoice_id) REFERENCES invoices (id)
);
CREATE TABLE sessions (
    token_hash TEXT NOT NULL,
    kind TEXT NOT NULL,
    customer_id TEXT,
    link_id TEXT,
    staff_id TEXT,
    csrf TEXT NOT NULL,
    person TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ended_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_sessions PRIMARY KEY (token_hash),
    CONSTRAINT fk_sessions_customer_id_customers FOREIGN KEY(customer_id) REFERENCES customers (id),
    CONSTRAINT fk_sessions_link_id_portal_links FOREIGN KEY(link_id) REFERENCES portal_links (id),
    CONSTRAINT fk_sessions_staff_id_staff FOREIGN KEY(staff_id) REFERENCES staff (id)
);
CREATE INDEX ix_sessions_link_id ON sessions (link_id);
CREATE INDEX ix_sessions_staff_id ON sessions (staff_id);
CREATE TABLE snapshot_seen (
    invoice_id TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    amount BIGINT NOT NULL,
    CONSTRAINT pk_snapshot_seen PRIMARY KEY (invoice_id, payment_id),
    CONSTRAINT fk_snapshot_seen_invoice_id_invoices FOREIGN KEY(invoice_id) REFERENCES invoices (id)
);
CREATE TABLE wanted (
    payment_id TEXT NOT NULL,
    invoice_id TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    amount BIGINT NOT NULL,
    seq BIGINT GENERATED ALWAYS AS IDENTITY,
    CONSTRAINT pk_wanted PRIMARY KEY (payment_id, invoice_id),
    CONSTRAINT ck_wanted_amount_positive CHECK (amount > 0),
    CONSTRAINT fk_wanted_payment_id_payments FOREIGN KEY(payment_id) REFERENCES payments (id),
    CONSTRAINT fk_wanted_invoice_id_invoices FOREIGN KEY(invoice_id) REFERENCES invoices (id)
);
CREATE INDEX ix_wanted_invoice_id ON wanted (invoice_id);
