-- Where a trade file ($1 venue, $2 session, $3 version) and our fills differ; at most $4 rows, oldest first.
with lines as (
    select * from recon_trades where venue = $1 and session_date = $2 and version = $3
),
aside as materialized (
    -- One row each. What contradicts a fill, or came after its bust, put nothing into suspense.
    select payload::json ->> 'exec_id' as exec_id,
           min(kind) as kind,
           bool_or(resolved_at is null) as waits
      from venue_reports_set_aside
     where payload::json ->> 'venue' = $1
       and payload::json ->> 'fact' in ('filled', 'unmatched')
       and kind not in ('contradiction', 'busted_before')
     group by 1
),
theirs as (
    select case when l.busted then
                     case when f.busted_at is null and (f.exec_id is not null or a.waits) then 'busted_theirs' end
                when f.exec_id is null then
                     case when a.waits then case when o.order_id is null then 'unknown_order' else 'suspended' end
                          when a.exec_id is not null then null
                          when o.order_id is null then 'unknown_order'
                          -- A report of a fill carries neither: it would be booked with the order's.
                          when (o.symbol, o.side) is distinct from (l.symbol, l.side) then 'identity'
                          else 'missing_ours' end
                when f.busted_at is not null then
                     case when a.waits or a.exec_id is null then 'busted_ours' end
                when (f.symbol, f.side, f.order_id) is distinct from (l.symbol, l.side, l.order_id) then 'identity'
                when (f.qty, f.price) <> (l.qty, l.price) then 'terms'
                when (f.venue_at at time zone 'America/New_York')::date <> $2 then 'trade_date'
           end as kind,
           l.exec_id, l.order_id, coalesce(f.account_id, o.account_id) as account_id, l.symbol, l.side, l.qty,
           l.price, l.at,
           case when f.exec_id is not null
                then concat_ws(' ', f.side, f.qty, f.symbol, '@', f.price, 'of order', f.order_id, 'at', f.venue_at,
                               case when f.busted_at is not null then 'taken back' end,
                               case when f.busted_at is not null and a.waits then 'set aside: ' || a.kind end)
                when a.exec_id is not null then 'set aside: ' || a.kind
                else 'nothing' end as ours,
           concat_ws(' ', l.side, l.qty, l.symbol, '@', l.price, 'of order', l.client_order_id, 'at', l.at,
                     case when l.busted then 'taken back' end) as theirs
      from lines l
      left join fills f on f.venue = $1 and f.exec_id = l.exec_id
      left join orders o on f.exec_id is null and o.order_id = l.order_id
      left join aside a on a.exec_id = l.exec_id
),
ours as (
    select case when exists (select
                               from fills g
                               join lines t on t.exec_id = g.exec_id and not t.busted
                              where g.order_id = f.order_id
                                and g.exec_id <> f.exec_id
                                and g.busted_at is null
                                and (g.qty, g.price) = (f.qty, f.price)
                                and abs(extract(epoch from g.venue_at - f.venue_at)) <= 1)
                then 'duplicate' else 'missing_theirs' end as kind,
           f.exec_id, f.order_id, f.account_id, f.symbol, f.side, f.qty, f.price, f.venue_at as at,
           concat_ws(' ', f.side, f.qty, f.symbol, '@', f.price, 'of order', f.order_id, 'at', f.venue_at) as ours,
           'nothing' as theirs
      from fills f
     where f.venue = $1
       and f.venue_at >= ($2::date)::timestamp at time zone 'America/New_York'
       and f.venue_at < ($2::date + 1)::timestamp at time zone 'America/New_York'
       and f.busted_at is null
       and not exists (select from recon_trades t where t.venue = $1 and t.exec_id = f.exec_id
                          and (t.session_date <> $2 or t.version = $3))
),
-- In suspense here, and not in the file at all.
strays as (
    select distinct on (p.body ->> 'exec_id')
           case when o.order_id is null then 'unknown_order' else 'suspended' end as kind,
           p.body ->> 'exec_id' as exec_id, o.order_id, o.account_id, coalesce(p.body ->> 'symbol', o.symbol, '') as symbol,
           coalesce(p.body ->> 'side', o.side, '') as side, (p.body ->> 'qty')::numeric as qty,
           (p.body ->> 'price')::numeric as price, (p.body ->> 'at')::timestamptz as at,
           'set aside: ' || s.kind as ours, 'nothing' as theirs
      from venue_reports_set_aside s
     cross join lateral (select s.payload::json as body) p
      left join orders o on o.order_id = s.order_id
     where s.resolved_at is null
       and p.body ->> 'venue' = $1
       and p.body ->> 'fact' in ('filled', 'unmatched')
       and s.kind not in ('contradiction', 'busted_before')
       and ((p.body ->> 'at')::timestamptz at time zone 'America/New_York')::date = $2
       and not exists (select from lines l where l.exec_id = p.body ->> 'exec_id')
     order by p.body ->> 'exec_id', s.at, s.report_id
)
select kind as "kind!", exec_id as "exec_id!", order_id, account_id, symbol as "symbol!", side as "side!",
       qty as "qty!", price as "price!", at as "at!", ours as "ours!", theirs as "theirs!"
  from (select * from theirs union all select * from ours union all select * from strays) as d
 where kind is not null
 order by at, exec_id
 limit $4
