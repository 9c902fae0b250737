-- One order path, cut to what an order batch writes. :schema names it, :cash, :price and :qty are the column types to compare.
-- Append-only tables, fill factor, constraints and trigger are as in the product's migrations.
drop schema if exists :schema cascade;
create schema :schema;
set search_path = :schema;

create table accounts (account_id uuid primary key, event_seq bigint not null default 0) with (fillfactor = 50);
create table ledger_accounts (
  ledger_account_id bigint generated always as identity primary key,
  account_id uuid not null, asset text not null, kind text not null,
  balance :cash not null default 0 constraint balance_not_negative check (balance >= 0),
  unique (account_id, asset, kind)
) with (fillfactor = 50);
create table orders (
  order_id uuid primary key, account_id uuid not null, client_order_id text not null, symbol text not null, side text not null,
  qty :qty not null check (qty > 0), limit_price :price not null check (limit_price > 0),
  filled_qty :qty not null default 0, filled_notional :cash not null default 0,
  status text not null, version int not null default 1, created_at timestamptz not null, updated_at timestamptz not null,
  check (filled_qty <= qty)
) with (fillfactor = 50);
create index orders_account on orders (account_id, created_at);
create table client_ids (account_id uuid not null, client_order_id text not null, order_id uuid not null,
  primary key (account_id, client_order_id));
create table order_events (account_id uuid not null, seq bigint not null, order_id uuid not null, event text not null,
  snapshot jsonb not null, at timestamptz not null, primary key (account_id, seq));
create index order_events_order on order_events (order_id);
create table outbox (id bigint generated always as identity, xid xid8 not null default pg_current_xact_id(), topic text not null,
  partition smallint not null, key text not null, payload jsonb not null, at timestamptz not null, primary key (xid, id));
create table transfers (transfer_id uuid primary key, cause text not null, order_id uuid not null, at timestamptz not null);
create table entries (transfer_id uuid not null, ledger_account_id bigint not null, asset text not null, amount :cash not null,
  primary key (transfer_id, ledger_account_id));

create function zero_sum() returns trigger language plpgsql as $$
begin
  if exists (select from added group by transfer_id, asset having sum(amount) <> 0) then
    raise exception 'entries of a transfer do not sum to zero';
  end if;
  return null;
end $$;
create trigger zero_sum after insert on entries referencing new table as added for each statement execute function zero_sum();

create sequence run;

-- 2,000 customers with money, and the batches: arrays of the caller's types as a client binds them, decided beforehand so that only
-- the writing is timed. Three orders an account and batch, prices with cents, whole shares. The JSON is the same in both schemas,
-- because the program writes decimal strings there either way.
insert into accounts (account_id) select gen_random_uuid() from generate_series(1, 2000);
insert into ledger_accounts (account_id, asset, kind, balance)
select account_id, 'USD', kind, (case kind when 'avail' then 1000000000 else 0 end::numeric * :cash_scale)
  from accounts cross join (values ('avail'), ('held')) as k (kind);
create table batches (
  batch int primary key, owners uuid[], account_ids uuid[], avail bigint[], held bigint[], symbols text[],
  qtys :qty [], prices :price [], costs :cash [], payloads jsonb[], touched bigint[], deltas :cash []
);
create temp table drafts as
select b, n, a.*, qty, cents
  from generate_series(0, 199) as b
 cross join lateral (
   select n, 1 + (n * 7 + b) % 90 as qty, (1000 + (n * 7919 + b * 104729) % 50000)::numeric as cents, (b * 100 + n / 3) % 2000 as who
     from generate_series(0, 299) as n
 ) as o
  join (
    select row_number() over (order by v.account_id) - 1 as who, v.account_id, v.ledger_account_id as avail, h.ledger_account_id as held
      from ledger_accounts as v
      join ledger_accounts as h on h.account_id = v.account_id and h.kind = 'held'
     where v.kind = 'avail'
  ) as a using (who);
insert into batches
select b, array_agg(distinct account_id), array_agg(account_id order by n), array_agg(avail order by n), array_agg(held order by n),
       array_agg('SYM' || n % 20 order by n),
       array_agg((qty::numeric * :qty_scale):: :qty order by n),
       array_agg(round(cents * :price_scale / 100, 2):: :price order by n),
       array_agg(round(qty * cents * :cash_scale / 100, 2):: :cash order by n),
       array_agg(jsonb_build_object('symbol', 'SYM' || n % 20, 'side', 'buy', 'qty', qty::text, 'limit_price', (cents / 100)::numeric(12, 2)::text,
                                    'status', 'accepted', 'filled_qty', '0', 'time_in_force', 'day', 'account_id', account_id) order by n)
  from drafts group by b;
update batches set touched = d.touched, deltas = d.deltas
  from (
    select b, array_agg(id) as touched, array_agg(delta) as deltas
      from (
        select b, id, round(sum(sign * qty * cents) * :cash_scale / 100, 2):: :cash as delta
          from drafts cross join lateral (values (avail, -1), (held, 1)) as side (id, sign)
         group by b, id
      ) as sums
     group by b
  ) as d
 where batch = d.b;
analyze;
