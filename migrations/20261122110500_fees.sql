-- owner: ledger
-- Fees: effective-dated rates, exact accruals per trade, and what was posted of them. Adds a column with a default and
-- new tables, so older code keeps running; trades booked by it have no accrual and are charged nothing.

-- What is passed on to customers, and when (FEE-1 to FEE-4). A date that no row of a kind covers is an error.
create table fee_rates (
    kind            text not null,
    valid_from      date not null,
    valid_to        date,                     -- last day; null: until further notice
    rate            numeric not null,         -- dollars per dollar of principal, or per share
    per             text not null,
    side            text not null,            -- whose trades pay: sell, or both
    cap             numeric,                  -- most dollars of one execution (FEE-3)
    waived_dollars  numeric,                  -- executions of up to so many dollars pay nothing
    waived_shares   numeric,                  -- executions of up to so many shares pay nothing
    source          text not null,
    added_by        text not null,
    added_at        timestamptz not null,
    primary key (kind, valid_from),
    constraint fee_rates_kind_check check (kind in ('sec', 'taf', 'cat')),
    constraint fee_rates_per_check check (per in ('dollar', 'share')),
    constraint fee_rates_side_check check (side in ('sell', 'both')),
    constraint fee_rates_rate_check check (rate >= 0 and coalesce(cap, 0) >= 0),
    constraint fee_rates_dates_check check (valid_to is null or valid_to >= valid_from),
    -- One rate a day and kind; ranges alone need no extension, so one constraint a kind.
    constraint fee_rates_sec_overlap exclude using gist (daterange(valid_from, valid_to, '[]') with &&) where (kind = 'sec'),
    constraint fee_rates_taf_overlap exclude using gist (daterange(valid_from, valid_to, '[]') with &&) where (kind = 'taf'),
    constraint fee_rates_cat_overlap exclude using gist (daterange(valid_from, valid_to, '[]') with &&) where (kind = 'cat')
);

insert into fee_rates (kind, valid_from, valid_to, rate, per, side, cap, source, added_by, added_at)
values ('sec', '2024-05-22', '2025-05-13', 0.0000278, 'dollar', 'sell', null, 'SEC fee rate advisory 2024', 'migration', daybook_now()),
       ('sec', '2025-05-14', '2026-04-03', 0, 'dollar', 'sell', null, 'SEC fee rate advisory 2025', 'migration', daybook_now()),
       ('sec', '2026-04-04', null, 0.0000206, 'dollar', 'sell', null, 'SEC order for fiscal 2026, FR 2026-04233', 'migration', daybook_now()),
       ('taf', '2024-01-01', '2025-12-31', 0.000166, 'share', 'sell', 8.30, 'FINRA By-Laws Schedule A', 'migration', daybook_now()),
       ('taf', '2026-01-01', '2026-09-30', 0.000195, 'share', 'sell', 9.79, 'SR-FINRA-2024-019', 'migration', daybook_now()),
       ('taf', '2026-10-01', '2026-12-31', 0, 'share', 'sell', 9.79, 'SR-FINRA-2026-021', 'migration', daybook_now()),
       ('cat', '2024-01-01', '2024-12-31', 0.000035, 'share', 'both', null, 'CAT NMS Plan fee filings 2024', 'migration', daybook_now()),
       ('cat', '2025-01-01', '2025-11-30', 0.0000265, 'share', 'both', null, 'CAT NMS Plan fee filings 2025', 'migration', daybook_now()),
       ('cat', '2025-12-01', '2026-04-30', 0, 'share', 'both', null, 'no CAT fee in force', 'migration', daybook_now()),
       ('cat', '2026-05-01', '2026-12-31', 0.000003, 'share', 'both', null, 'CAT Fee 2026-1 and Historical 1A', 'migration', daybook_now());

-- The exact fees of each trade, in the trade's own transaction. Amounts are null while the date has no rates.
create table ledger_fee_accruals (
    transfer_id uuid primary key,             -- the trade's, as in ledger_trades
    account_id  uuid not null,
    trade_date  date not null,
    price       numeric not null,
    sec         numeric,
    taf         numeric,
    cat         numeric,
    posted_at   timestamptz                   -- when the day's fee came to include it
);
create index ledger_fee_accruals_unposted on ledger_fee_accruals (account_id, trade_date) where posted_at is null;
create index ledger_fee_accruals_unrated on ledger_fee_accruals (trade_date) where posted_at is null and sec is null;

-- What was posted for an account's trades of a date: the exact sums, and the cents they came to (FEE-2).
create table ledger_fee_days (
    account_id uuid not null,
    trade_date date not null,
    sec_exact  numeric not null,
    taf_exact  numeric not null,
    cat_exact  numeric not null,
    sec        numeric not null,
    taf        numeric not null,
    cat        numeric not null,
    from_firm  numeric not null,              -- what of it the firm bears (FEE-5)
    postings   integer not null,              -- numbers the transfers of the date
    posted_at  timestamptz not null,
    primary key (account_id, trade_date)
) with (fillfactor = 80);

-- Exact sum of the accruals that are not posted; below zero after a bust of a trade whose fee is posted.
alter table ledger_cash add column accrued_fees numeric not null default 0;

grant select, insert, update on fee_rates, ledger_fee_accruals, ledger_fee_days to daybook_app;
