-- One transaction: 300 orders of 100 accounts accepted, held, recorded and published, as the order path does it.
-- Two clients, each with accounts of its own.
\set batch 2 * random(0, 99) + :client_id
select lpad(to_hex(nextval('run')), 16, '0') as run, 'a' || lpad(to_hex(currval('run')), 15, '0') as hold \gset
begin;
select account_id, event_seq from accounts
 where account_id = any (array(select unnest(owners) from batches where batch = :batch)) order by account_id for update;
select ledger_account_id, kind, balance from ledger_accounts
 where account_id = any (array(select unnest(owners) from batches where batch = :batch));
insert into client_ids (account_id, client_order_id, order_id)
select o.account_id, 'c-' || :run::text || '-' || o.n, (:run::text || lpad(to_hex(o.n), 16, '0'))::uuid
  from batches as b, unnest(b.account_ids) with ordinality as o (account_id, n)
 where b.batch = :batch
    on conflict do nothing returning order_id;
insert into orders (order_id, account_id, client_order_id, symbol, side, qty, limit_price, status, created_at, updated_at)
select (:run::text || lpad(to_hex(o.n), 16, '0'))::uuid, o.account_id, 'c-' || :run::text || '-' || o.n,
       o.symbol, 'buy', o.qty, o.price, 'accepted', now(), now()
  from batches as b, unnest(b.account_ids, b.symbols, b.qtys, b.prices) with ordinality as o (account_id, symbol, qty, price, n)
 where b.batch = :batch;
insert into order_events (account_id, seq, order_id, event, snapshot, at)
select o.account_id, a.event_seq + 1 + (o.n - 1) % 3, (:run::text || lpad(to_hex(o.n), 16, '0'))::uuid,
       'accepted', o.payload, now()
  from batches as b, unnest(b.account_ids, b.payloads) with ordinality as o (account_id, payload, n), accounts as a
 where b.batch = :batch and a.account_id = o.account_id;
update accounts set event_seq = event_seq + 3
 where account_id = any (array(select unnest(owners) from batches where batch = :batch));
insert into outbox (topic, partition, key, payload, at)
select 'orders', o.n % 12, o.symbol, o.payload, now()
  from batches as b, unnest(b.symbols, b.payloads) with ordinality as o (symbol, payload, n)
 where b.batch = :batch;
insert into transfers (transfer_id, cause, order_id, at)
select (:hold::text || lpad(to_hex(o.n), 16, '0'))::uuid, 'hold', (:run::text || lpad(to_hex(o.n), 16, '0'))::uuid, now()
  from batches as b, unnest(b.account_ids) with ordinality as o (account_id, n)
 where b.batch = :batch;
insert into entries (transfer_id, ledger_account_id, asset, amount)
select (:hold::text || lpad(to_hex(e.n), 16, '0'))::uuid, e.ledger_account_id, 'USD', e.amount
  from batches as b,
       lateral (
         select o.avail as ledger_account_id, -o.cost as amount, o.n
           from unnest(b.avail, b.costs) with ordinality as o (avail, cost, n)
          union all
         select o.held, o.cost, o.n from unnest(b.held, b.costs) with ordinality as o (held, cost, n)
       ) as e
 where b.batch = :batch;
update ledger_accounts as l set balance = l.balance + d.delta
  from batches as b, unnest(b.touched, b.deltas) as d (id, delta)
 where b.batch = :batch and l.ledger_account_id = d.id;
commit;
