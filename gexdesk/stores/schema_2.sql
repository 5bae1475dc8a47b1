-- Version 2: the rest of the analytics, what a decision rested on, and the tables of requests, guidelines, incidents and gaps.

ALTER TABLE snapshots ADD COLUMN dex DOUBLE;                -- USD
ALTER TABLE snapshots ADD COLUMN vex DOUBLE;                -- USD per vol point
ALTER TABLE snapshots ADD COLUMN chex DOUBLE;               -- USD per calendar day
ALTER TABLE snapshots ADD COLUMN top5_share DOUBLE;
ALTER TABLE snapshots ADD COLUMN top5_strikes DOUBLE[];
ALTER TABLE snapshots ADD COLUMN gex_by_expiry STRUCT(expiry DATE, net_gex DOUBLE, gross_gex DOUBLE)[];
ALTER TABLE snapshots ADD COLUMN zero_gamma_roots DOUBLE[];
ALTER TABLE snapshots ADD COLUMN quality_reasons VARCHAR[];

ALTER TABLE decisions ADD COLUMN session VARCHAR;
ALTER TABLE decisions ADD COLUMN minutes_to_close DOUBLE;
ALTER TABLE decisions ADD COLUMN zero_dte_share DOUBLE;
ALTER TABLE decisions ADD COLUMN spot_move DOUBLE;
ALTER TABLE decisions ADD COLUMN expected_records BIGINT;
ALTER TABLE decisions ADD COLUMN data_quality VARCHAR;
ALTER TABLE decisions ADD COLUMN priority_hint VARCHAR;
ALTER TABLE decisions ADD COLUMN score_impact DOUBLE;       -- shares of the way up the level's band
ALTER TABLE decisions ADD COLUMN score_change DOUBLE;
ALTER TABLE decisions ADD COLUMN score_freshness DOUBLE;
ALTER TABLE decisions ADD COLUMN score_reliability DOUBLE;
ALTER TABLE decisions ADD COLUMN score_urgency DOUBLE;
ALTER TABLE decisions ADD COLUMN override_bound VARCHAR;

ALTER TABLE overrides ADD COLUMN bound VARCHAR;

CREATE TABLE requests (
    request_id VARCHAR NOT NULL,
    source_url VARCHAR NOT NULL,    -- without its secrets
    data_type VARCHAR NOT NULL,
    symbol VARCHAR NOT NULL,
    requested_at TIMESTAMP NOT NULL,
    requested_by VARCHAR NOT NULL,
    level VARCHAR NOT NULL,
    score DOUBLE,
    status VARCHAR NOT NULL,
    estimated_s DOUBLE,
    expected_records BIGINT,
    data_quality VARCHAR,
    priority_hint VARCHAR,
    job_id VARCHAR,                 -- NULL until its payload is there
    started_at TIMESTAMP,
    completed_at TIMESTAMP,
    records BIGINT,
    error VARCHAR NOT NULL
);

CREATE TABLE guidelines (
    version VARCHAR NOT NULL,
    author VARCHAR NOT NULL,
    applied_at TIMESTAMP NOT NULL,
    reason VARCHAR NOT NULL,
    text VARCHAR NOT NULL           -- the whole rule file
);

CREATE TABLE incidents (
    number BIGINT NOT NULL,
    kind VARCHAR NOT NULL,
    severity BIGINT NOT NULL,       -- 2 readers are hit, 1 worth a look
    subject VARCHAR NOT NULL,
    text VARCHAR NOT NULL,
    opened_at TIMESTAMP NOT NULL,
    closed_at TIMESTAMP,
    owner VARCHAR NOT NULL,
    timeline JSON NOT NULL          -- [{at, who, what, text}], oldest first
);

CREATE TABLE gaps (
    symbol VARCHAR NOT NULL,
    source VARCHAR NOT NULL,
    from_at TIMESTAMP NOT NULL,
    to_at TIMESTAMP,
    missed BIGINT,                  -- snapshots that should have come
    fillable BOOLEAN NOT NULL,
    filled_at TIMESTAMP,
    reason VARCHAR NOT NULL
);
