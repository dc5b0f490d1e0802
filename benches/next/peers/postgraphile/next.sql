-- PostGraphile makes this function the mutation `next`. The user is the verified token's, as PostGraphile sets it for
-- the transaction of each request.
CREATE FUNCTION next() RETURNS BIGINT LANGUAGE sql VOLATILE AS $$
    UPDATE counters SET value = value + 1 WHERE user_id = current_setting('jwt.claims.sub')::BIGINT RETURNING value
$$;
