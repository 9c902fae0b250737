-- owner: identity
-- How much a customer may ask for (RSK-7) and how much placing and canceling is too much (RSK-8). New tables only: safe while
-- older code runs. What has no row here follows the settings of the process.
create table tier_limits (
    tier       text not null,
    class      text not null,
    per_minute integer,                 -- null: without limit
    burst      integer,
    constraint tier_limits_key primary key (tier, class),
    constraint tier_limits_class_check check (class in ('order_entry', 'cancel', 'read', 'stream')),
    constraint tier_limits_rate_check check ((per_minute is null) = (burst is null) and per_minute > 0 and burst > 0)
);

-- One customer's own, before those of the tier.
create table account_limits (
    account_id uuid not null references accounts,
    class      text not null,
    per_minute integer,
    burst      integer,
    constraint account_limits_key primary key (account_id, class),
    constraint account_limits_class_check check (class in ('order_entry', 'cancel', 'read', 'stream')),
    constraint account_limits_rate_check check ((per_minute is null) = (burst is null) and per_minute > 0 and burst > 0)
);

create table churn_limits (
    tier                  text primary key,
    cancels_per_minute    integer,      -- null: the rule is off
    cancels_per_fill      integer,
    cool_off_seconds      integer,
    cool_off_most_seconds integer,
    constraint churn_limits_check check (
        num_nulls(cancels_per_minute, cancels_per_fill, cool_off_seconds, cool_off_most_seconds) in (0, 4)
        and cancels_per_minute > 0 and cancels_per_fill > 0 and cool_off_seconds > 0
        and cool_off_most_seconds >= cool_off_seconds)
);

grant select, insert, update, delete on tier_limits, account_limits, churn_limits to daybook_app;
