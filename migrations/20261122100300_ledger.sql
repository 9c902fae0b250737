-- owner: ledger
-- Double entry for cash and shares. Amounts are credit-positive: what we owe the customer is above zero.
-- Entries are append-only by grant and trigger; each transfer sums to zero per asset by a statement-level trigger.

-- Running balances of customers, next to the entries; also the row every writer of an account locks first.
create table ledger_cash (
    account_id    uuid primary key,
    strict        boolean not null default false,  -- true: sale proceeds wait in unsettled (BP-8)
    avail         numeric not null default 0,
    held          numeric not null default 0,
    unsettled     numeric not null default 0,
    dep_pending   numeric not null default 0,
    wd_pending    numeric not null default 0,
    debit_allowed boolean not null default false,  -- set by a late fill, bust, correction or returned deposit (LED-I3)
    constraint ledger_cash_avail_check check (avail >= 0 or debit_allowed),
    constraint ledger_cash_others_check check (held >= 0 and unsettled >= 0 and dep_pending >= 0 and wd_pending >= 0)
) with (fillfactor = 50);

-- Shares per customer and symbol; cost_basis is what the shares still there cost, for the average entry price.
create table ledger_shares (
    account_id uuid not null,
    symbol     text not null,
    avail      numeric not null default 0,
    held       numeric not null default 0,
    cost_basis numeric not null default 0,
    primary key (account_id, symbol),
    constraint ledger_shares_avail_check check (avail >= 0),
    constraint ledger_shares_held_check check (held >= 0)
) with (fillfactor = 50);

create table ledger_transfers (
    transfer_id uuid primary key,       -- computed from the cause, so a replay is a no-op
    kind        text not null,
    cause       text not null,          -- e.g. hold:<order id>, fill:<venue>:<execution id>
    account_id  uuid,                   -- the customer concerned, if any
    order_id    uuid,
    posted_at   timestamptz not null
);
create index ledger_transfers_account on ledger_transfers (account_id, posted_at, transfer_id);

create table ledger_entries (
    transfer_id uuid not null,
    line        smallint not null,
    account_id  uuid,                   -- null: an account of the house
    book        text not null,          -- cust.cash.avail, street.sec.pending, …
    asset       text not null,          -- USD or a symbol
    amount      numeric not null,       -- credit above zero, debit below
    primary key (transfer_id, line),
    constraint ledger_entries_amount_check check (amount <> 0)
);

create function ledger_entries_balance() returns trigger
    language plpgsql as $$
declare
    bad record;
begin
    select transfer_id, asset, sum(amount) as rest into bad
      from added
     group by transfer_id, asset
    having sum(amount) <> 0
     limit 1;
    if found then
        raise exception 'transfer % does not balance in %: rest %', bad.transfer_id, bad.asset, bad.rest
            using errcode = 'check_violation', constraint = 'ledger_entries_balance';
    end if;
    return null;
end $$;
create trigger ledger_entries_balance after insert on ledger_entries
    referencing new table as added
    for each statement execute function ledger_entries_balance();

create function append_only() returns trigger
    language plpgsql as $$
begin
    raise exception '% is append-only: correct a mistake with a new row', tg_table_name
        using errcode = 'restrict_violation';
end $$;
create trigger ledger_entries_append_only before update or delete or truncate on ledger_entries
    for each statement execute function append_only();
create trigger ledger_transfers_append_only before update or delete or truncate on ledger_transfers
    for each statement execute function append_only();

-- One row a fill: what settles when. Lowers only what can be withdrawn (BP-9).
create table ledger_trades (
    transfer_id uuid primary key,
    account_id  uuid not null,
    symbol      text not null,
    side        text not null,
    qty         numeric not null,
    cash        numeric not null,       -- dollars, above zero
    trade_date  date not null,
    settle_date date not null,
    settled_at  timestamptz
);
create index ledger_trades_unsettled on ledger_trades (account_id, settle_date) where settled_at is null;

grant select, insert, update on ledger_cash, ledger_shares, ledger_trades to daybook_app;
grant select, insert on ledger_transfers, ledger_entries to daybook_app;
