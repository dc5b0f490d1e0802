-- What every peer on PostgreSQL counts in: a row for each user, from 0.
CREATE TABLE counters (user_id BIGINT PRIMARY KEY, value BIGINT NOT NULL DEFAULT 0);
