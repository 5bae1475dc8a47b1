-- The queue's journal. Statements are named; the code takes them by name and repeats the row in brackets as often as needed.

-- name: schema
CREATE TABLE IF NOT EXISTS jobs (
    seq INTEGER PRIMARY KEY, -- arrival number
    body BLOB NOT NULL       -- the whole entry, msgpack: every write is a full image, so writes never depend on one another
                             -- a row outlives its job's end by up to 16,384 further ends: what is among the last in finished is not live
) STRICT;
CREATE TABLE IF NOT EXISTS finished (
    n INTEGER PRIMARY KEY,   -- order of finishing, so that pruning takes a prefix
    job_id TEXT NOT NULL UNIQUE,
    status TEXT NOT NULL,
    finished_at REAL NOT NULL,
    error TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS dead (
    job_id TEXT PRIMARY KEY, -- of a DEAD job in finished: what it takes to revive it at its place
    seq INTEGER NOT NULL,
    body BLOB NOT NULL,
    finished_at REAL NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS held (
    source TEXT PRIMARY KEY  -- a paused source; the empty name is the kill switch
) STRICT, WITHOUT ROWID;

-- name: jobs
SELECT seq, body FROM jobs ORDER BY seq;

-- name: held
SELECT source FROM held;

-- name: newest_finished
SELECT max(job_id) FROM finished;

-- name: last_dead
SELECT coalesce(max(seq), 0) FROM dead;

-- name: dead
SELECT seq, body FROM dead WHERE job_id IN (?);

-- name: last_finished
SELECT job_id FROM finished ORDER BY n DESC LIMIT ?;

-- name: keep
INSERT OR REPLACE INTO jobs (seq, body) VALUES (?, ?);

-- name: drop
DELETE FROM jobs WHERE seq IN (?);

-- name: finish
INSERT OR REPLACE INTO finished (job_id, status, finished_at, error) VALUES (?, ?, ?, ?);

-- name: die
INSERT OR REPLACE INTO dead (job_id, seq, body, finished_at) VALUES (?, ?, ?, ?);

-- name: revive
DELETE FROM finished WHERE job_id IN (?);

-- name: undie
DELETE FROM dead WHERE job_id IN (?);

-- name: hold
INSERT OR IGNORE INTO held (source) VALUES (?);

-- name: release
DELETE FROM held WHERE source IN (?);

-- name: statuses
SELECT job_id, status FROM finished WHERE job_id IN (?);

-- name: prune
DELETE FROM finished WHERE n IN (SELECT n FROM finished ORDER BY n LIMIT 2000) AND finished_at < ?;

-- name: prune_dead
DELETE FROM dead WHERE finished_at < ?;
