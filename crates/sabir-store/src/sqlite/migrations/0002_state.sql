-- What outlives a request beside the ledger: tasks, files, conversations. Unlike the ledger's, these
-- rows change and go. Times are milliseconds since 1970.

CREATE TABLE task (
    seq      INTEGER PRIMARY KEY,
    id       BLOB NOT NULL UNIQUE,
    kind     TEXT NOT NULL,
    state    INTEGER NOT NULL, -- 0 queued, 1 running, 2 done, 3 failed, 4 cancelled
    caller   TEXT,
    tags     TEXT, -- a JSON object of strings
    attempt  INTEGER NOT NULL DEFAULT 0,
    cancel   INTEGER NOT NULL DEFAULT 0, -- somebody wants it to end
    worker   BLOB, -- who runs it
    lease    INTEGER, -- until when it is theirs
    created  INTEGER NOT NULL,
    started  INTEGER,
    ended    INTEGER,
    expires  INTEGER,
    progress TEXT,
    request  ANY NOT NULL,
    result   ANY
) STRICT;

CREATE INDEX task_kind ON task (kind, id);
CREATE INDEX task_open ON task (kind, id) WHERE state < 2;
CREATE INDEX task_expires ON task (expires) WHERE expires IS NOT NULL;

-- What a task brings forth before it ends. `key` is as in `model_call`, with room for 2^24 parts.
CREATE TABLE task_part (
    key   INTEGER PRIMARY KEY,
    label TEXT NOT NULL,
    data  ANY NOT NULL
) STRICT;

CREATE TRIGGER task_deleted AFTER DELETE ON task BEGIN
    DELETE FROM task_part WHERE key BETWEEN old.seq * 16777216 AND old.seq * 16777216 + 16777215;
END;

CREATE TABLE file (
    seq      INTEGER PRIMARY KEY,
    id       BLOB NOT NULL UNIQUE,
    name     TEXT NOT NULL,
    purpose  TEXT NOT NULL,
    caller   TEXT,
    bytes    INTEGER NOT NULL,
    complete INTEGER NOT NULL, -- whether all of it is there
    created  INTEGER NOT NULL,
    expires  INTEGER
) STRICT;

CREATE INDEX file_expires ON file (expires) WHERE expires IS NOT NULL;

-- A piece of a file; `key` as above.
CREATE TABLE file_chunk (
    key  INTEGER PRIMARY KEY,
    data BLOB NOT NULL
) STRICT;

CREATE TRIGGER file_deleted AFTER DELETE ON file BEGIN
    DELETE FROM file_chunk WHERE key BETWEEN old.seq * 16777216 AND old.seq * 16777216 + 16777215;
END;

CREATE TABLE conversation (
    seq      INTEGER PRIMARY KEY,
    id       BLOB NOT NULL UNIQUE,
    caller   TEXT,
    created  INTEGER NOT NULL,
    metadata TEXT NOT NULL
) STRICT;

CREATE TABLE conversation_item (
    conversation INTEGER NOT NULL,
    place        INTEGER NOT NULL,
    id           TEXT NOT NULL,
    pending      BLOB, -- the inference whose answer stands here once it is there
    data         TEXT NOT NULL,
    PRIMARY KEY (conversation, place)
) STRICT, WITHOUT ROWID;

CREATE INDEX conversation_item_id ON conversation_item (id);

CREATE TRIGGER conversation_deleted AFTER DELETE ON conversation BEGIN
    DELETE FROM conversation_item WHERE conversation = old.seq;
END;

-- Inferences that their callers deleted: the rows stay, the doors no longer show them.
CREATE TABLE hidden (
    id BLOB NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
