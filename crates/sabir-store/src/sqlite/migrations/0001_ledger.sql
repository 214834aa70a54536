-- Small columns come first and bodies last, so that a filter never walks through overflow pages.
-- Bodies are TEXT where they are UTF-8 (so that SQLite's JSON functions read them) and BLOB otherwise.
-- Ids are UUIDv7 as 16 bytes: their order is the order in time, and they hold the millisecond.

CREATE TABLE inference (
    seq                 INTEGER PRIMARY KEY,
    id                  BLOB NOT NULL UNIQUE,
    episode_id          BLOB NOT NULL,
    status              INTEGER NOT NULL, -- 0 ok, 1 error, 2 cancelled
    door                TEXT NOT NULL,
    operation           TEXT NOT NULL,
    function_name       TEXT NOT NULL,
    variant_name        TEXT NOT NULL,
    model               TEXT NOT NULL,
    caller              TEXT,
    tags                TEXT, -- a JSON object of strings
    stream              INTEGER NOT NULL,
    cached              INTEGER NOT NULL,
    ttft_us             INTEGER,
    total_us            INTEGER NOT NULL,
    finish_reason       TEXT,
    error_kind          TEXT,
    error_message       TEXT,
    cost                REAL,
    input_tokens        INTEGER,
    output_tokens       INTEGER,
    cache_read_tokens   INTEGER,
    cache_write_tokens  INTEGER,
    reasoning_tokens    INTEGER,
    input_audio_tokens  INTEGER,
    output_audio_tokens INTEGER,
    usage_raw           TEXT,
    input               ANY,
    output              TEXT
) STRICT;

CREATE INDEX inference_episode ON inference (episode_id);

-- `key` is the inference's `seq` times 65536 plus the call's place, so the calls of an inference
-- lie side by side and need no index.
CREATE TABLE model_call (
    key                 INTEGER PRIMARY KEY,
    id                  BLOB NOT NULL,
    status              INTEGER NOT NULL,
    model_name          TEXT NOT NULL,
    provider_name       TEXT NOT NULL,
    provider_type       TEXT NOT NULL,
    protocol            TEXT NOT NULL,
    http_status         INTEGER,
    request_id          TEXT,
    cached              INTEGER NOT NULL,
    ttft_us             INTEGER,
    total_us            INTEGER NOT NULL,
    finish_reason       TEXT,
    error_kind          TEXT,
    error_message       TEXT,
    cost                REAL,
    input_tokens        INTEGER,
    output_tokens       INTEGER,
    cache_read_tokens   INTEGER,
    cache_write_tokens  INTEGER,
    reasoning_tokens    INTEGER,
    input_audio_tokens  INTEGER,
    output_audio_tokens INTEGER,
    usage_raw           TEXT,
    raw_request         ANY NOT NULL,
    raw_response        ANY NOT NULL
) STRICT;

-- Whoever deletes inferences by hand takes their calls along: a `seq` can be given again.
CREATE TRIGGER inference_deleted AFTER DELETE ON inference BEGIN
    DELETE FROM model_call WHERE key BETWEEN old.seq * 65536 AND old.seq * 65536 + 65535;
END;

CREATE TABLE feedback (
    seq         INTEGER PRIMARY KEY,
    id          BLOB NOT NULL UNIQUE,
    target_kind INTEGER NOT NULL, -- 0 inference, 1 episode
    target_id   BLOB NOT NULL,
    metric_name TEXT NOT NULL,
    kind        INTEGER NOT NULL, -- 0 boolean, 1 number, 2 comment, 3 demonstration
    value       ANY, -- NULL is a number that is not one
    tags        TEXT
) STRICT;

CREATE INDEX feedback_target ON feedback (target_id, metric_name);
