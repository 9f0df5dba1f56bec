-- Format 1: what a database holds beside the documents of its indexes.
-- Times are UTC. A task's row is written before the task is acknowledged.
CREATE SCHEMA IF NOT EXISTS hybridsearch;

CREATE TABLE hybridsearch.meta (name VARCHAR NOT NULL, value VARCHAR NOT NULL);

-- columns: JSON list of [attribute, column, kind, item, type], in order of first sight.
CREATE TABLE hybridsearch.indexes (
    number BIGINT NOT NULL,
    uid VARCHAR NOT NULL,
    primary_key VARCHAR,
    settings VARCHAR NOT NULL,
    columns VARCHAR NOT NULL,
    next_row BIGINT NOT NULL,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);

CREATE TABLE hybridsearch.tasks (
    uid BIGINT NOT NULL,
    index_uid VARCHAR,
    kind VARCHAR NOT NULL,
    status VARCHAR NOT NULL,
    arguments VARCHAR NOT NULL,
    details VARCHAR NOT NULL,
    error VARCHAR,
    enqueued_at TIMESTAMP NOT NULL,
    started_at TIMESTAMP,
    finished_at TIMESTAMP
);

-- The documents of tasks that are not finished yet: one lz4 block with the JSON of all of them,
-- `size` bytes when unpacked, and the length of each as int64.
CREATE TABLE hybridsearch.payloads (
    task BIGINT NOT NULL,
    lengths BLOB NOT NULL,
    size BIGINT NOT NULL,
    data BLOB NOT NULL
);
