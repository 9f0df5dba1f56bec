-- Format 3: what the REST door needs. A batch is the tasks that were worked off together.
ALTER TABLE hybridsearch.tasks ADD COLUMN batch BIGINT;
ALTER TABLE hybridsearch.tasks ADD COLUMN canceled_by BIGINT;
ALTER TABLE hybridsearch.tasks ADD COLUMN metadata VARCHAR;

-- A key's value is never kept: it is made of the master key and the uid. actions, indexes: JSON.
CREATE TABLE hybridsearch.keys (
    uid VARCHAR NOT NULL,
    name VARCHAR,
    description VARCHAR,
    actions VARCHAR NOT NULL,
    indexes VARCHAR NOT NULL,
    expires_at TIMESTAMP,
    created_at TIMESTAMP NOT NULL,
    updated_at TIMESTAMP NOT NULL
);

-- headers: JSON object.
CREATE TABLE hybridsearch.webhooks (
    uuid VARCHAR NOT NULL,
    url VARCHAR NOT NULL,
    headers VARCHAR NOT NULL
);
