-- owner: executor
-- The retries that all executors of a venue may make together, in hundredths: a hundred at most. What it grows by as time passes is added
-- when somebody draws from it, who names what was read, so that of two one gets it.
-- Safe while older programs run: they do not know the columns, and keep to a budget of their own.
alter table venue_breakers
    add column retry_credit    bigint not null default 10000,
    add column retry_credit_at timestamptz,
    add constraint venue_breakers_retry_credit_check check (retry_credit between 0 and 10000);
