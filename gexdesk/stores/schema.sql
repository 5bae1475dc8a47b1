-- Version 1 of the metadata. Every TIMESTAMP is UTC with microseconds; NULL is unknown, never zero.
-- No primary keys: an index over millions of long keys would be held in memory and checked on each insert. The writer
-- compares with the rows of the same span of time instead, which DuckDB finds by its zone maps.

CREATE TABLE snapshots (
    symbol VARCHAR NOT NULL,
    as_of TIMESTAMP NOT NULL,
    received_at TIMESTAMP NOT NULL,
    source VARCHAR NOT NULL,
    spot DOUBLE,
    net_gex DOUBLE,                 -- GEX in USD per 1% move
    gross_gex DOUBLE,
    net_gex_volume DOUBLE,
    vendor_net_gex DOUBLE,
    zero_gamma DOUBLE,
    zero_gamma_status VARCHAR NOT NULL,
    call_wall DOUBLE,
    put_wall DOUBLE,
    absolute_gamma_strike DOUBLE,
    zero_dte_share DOUBLE,
    max_pain DOUBLE,
    put_call_oi DOUBLE,
    put_call_volume DOUBLE,
    total_open_interest DOUBLE,
    total_volume DOUBLE,
    contracts BIGINT,
    expiries BIGINT,
    strike_count BIGINT NOT NULL,
    coverage DOUBLE,
    quality DOUBLE,
    flags VARCHAR[] NOT NULL,
    quarantined BOOLEAN NOT NULL,
    warnings VARCHAR[] NOT NULL,
    format VARCHAR NOT NULL,
    conventions JSON NOT NULL,
    delay_s DOUBLE,
    revision BIGINT NOT NULL,       -- counts the different documents of one (symbol, source, as_of)
    job_id VARCHAR NOT NULL,
    ordinal BIGINT NOT NULL,        -- position in its payload
    payload_sha256 VARCHAR NOT NULL,
    strikes_key VARCHAR NOT NULL    -- which write to the lake holds its strikes
);

CREATE TABLE jobs (
    job_id VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    symbol VARCHAR NOT NULL,
    level VARCHAR NOT NULL,
    score DOUBLE,
    status VARCHAR NOT NULL,
    received_at TIMESTAMP NOT NULL,
    decided_at TIMESTAMP,
    started_at TIMESTAMP,
    available_at TIMESTAMP,
    completed_at TIMESTAMP,
    attempts BIGINT NOT NULL,
    records BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    payload_sha256 VARCHAR NOT NULL,
    payload_name VARCHAR NOT NULL,
    note VARCHAR NOT NULL,
    error VARCHAR NOT NULL
);

CREATE TABLE decisions (
    job_id VARCHAR NOT NULL,
    decided_at TIMESTAMP NOT NULL,
    level VARCHAR NOT NULL,
    score DOUBLE,
    freshness VARCHAR NOT NULL,
    winner VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    guidelines_version VARCHAR NOT NULL,
    matches STRUCT(guideline VARCHAR, level VARCHAR, score DOUBLE, requires VARCHAR)[] NOT NULL,
    override_level VARCHAR,
    override_author VARCHAR,
    override_reason VARCHAR,
    override_until TIMESTAMP,
    symbol VARCHAR NOT NULL,        -- from here on the features it rested on
    source VARCHAR NOT NULL,
    data_type VARCHAR NOT NULL,
    volume DOUBLE,
    open_interest DOUBLE,
    volume_from VARCHAR NOT NULL,
    gamma_change DOUBLE,
    data_age_s DOUBLE,
    clock_skew BOOLEAN NOT NULL,
    source_reliability DOUBLE,
    coverage DOUBLE
);

CREATE TABLE dead_letters (
    job_id VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    payload_name VARCHAR NOT NULL,
    payload_sha256 VARCHAR NOT NULL,
    size_bytes BIGINT NOT NULL,
    received_at TIMESTAMP NOT NULL,
    buried_at TIMESTAMP NOT NULL,
    stage VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    attempts BIGINT NOT NULL
);

CREATE TABLE overrides (
    target_kind VARCHAR NOT NULL,
    target VARCHAR NOT NULL,
    level VARCHAR NOT NULL,
    author VARCHAR NOT NULL,
    reason VARCHAR NOT NULL,
    since TIMESTAMP NOT NULL,
    until TIMESTAMP,
    ended_at TIMESTAMP
);

CREATE TABLE sources (
    name VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    symbols VARCHAR[] NOT NULL,
    format VARCHAR NOT NULL,
    standing VARCHAR NOT NULL,
    delay_s DOUBLE,
    paused BOOLEAN NOT NULL,
    requests BIGINT NOT NULL,
    successes BIGINT NOT NULL,
    last_success_at TIMESTAMP,
    last_error VARCHAR NOT NULL,
    updated_at TIMESTAMP NOT NULL
);
