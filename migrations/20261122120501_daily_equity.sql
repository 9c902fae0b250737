-- owner: scheduler
-- What each account was worth at the end of a business date: written once, by the end of day.
create table daily_equity (
    account_id        uuid not null,
    business_date     date not null,
    cash              numeric not null, -- free, held and unsettled
    long_market_value numeric not null, -- shares at the closing prices; one without a price at what it cost
    kept_at           timestamptz not null,
    primary key (account_id, business_date)
);

grant select, insert on daily_equity to daybook_app;

-- An account has few of them among its transfers: what came in and went out is told apart from what was earned.
create index ledger_transfers_money on ledger_transfers (account_id, posted_at)
    where kind in ('deposit_collected', 'withdrawal_asked', 'withdrawal_failed');
