-- rows
select count(*) from order_events
-- violations
with moves as (
    -- A replacement begins where an order in doubt stands: its readers see it so until it has its place, or has not.
    select e.order_id, e.seq, e.event, e.status, e.filled_qty,
           coalesce(lag(e.status) over by_order, case when o.replaces is not null then 'pending_new' end) as before,
           lag(e.filled_qty) over by_order as filled_before
      from order_events e
      left join orders o using (order_id)
    window by_order as (partition by e.order_id order by e.seq)
),
legal (before, status) as (
    select before, unnest(after)
      from (values
        ('accepted', array['pending_new', 'new', 'partially_filled', 'filled', 'pending_cancel', 'canceled', 'expired',
                           'rejected']),
        ('pending_new', array['pending_new', 'new', 'partially_filled', 'filled', 'pending_cancel', 'canceled',
                              'expired', 'rejected']),
        ('new', array['new', 'partially_filled', 'filled', 'done_for_day', 'pending_cancel', 'pending_replace',
                      'canceled', 'expired', 'rejected', 'replaced']),
        ('partially_filled', array['new', 'partially_filled', 'filled', 'done_for_day', 'pending_cancel',
                                   'pending_replace', 'canceled', 'expired', 'replaced']),
        ('done_for_day', array['new', 'partially_filled', 'done_for_day', 'filled', 'pending_cancel', 'pending_replace',
                               'canceled', 'expired', 'replaced']),
        ('pending_cancel', array['pending_cancel', 'accepted', 'pending_new', 'new', 'partially_filled', 'done_for_day',
                                 'filled', 'canceled', 'expired', 'rejected', 'replaced']),
        ('pending_replace', array['pending_replace', 'pending_cancel', 'new', 'partially_filled', 'done_for_day',
                                  'filled', 'canceled', 'expired', 'replaced']),
        -- A bust or a correction opens it again, or shows the end it had.
        ('filled', array['filled', 'new', 'partially_filled', 'pending_cancel', 'canceled', 'expired']),
        ('canceled', array['canceled', 'filled']),
        ('expired', array['expired', 'filled']),
        ('replaced', array['replaced'])) as t (before, after)
)
select 'order ' || m.order_id || ', event ' || m.seq as subject,
       case when m.before is null then 'begins with ' || m.event || ', ' || m.status
            else m.event || ' moves it from ' || m.before || ' to ' || m.status end as problem
  from moves m
 where (m.before is null and (m.event, m.status) <> ('accepted', 'accepted'))
    or (m.before is not null
        and not exists (select from legal l where l.before = m.before and l.status = m.status))
    -- After an end only executions, busts and the answer to a cancel that came too late.
    or (m.before in ('filled', 'canceled', 'expired', 'rejected', 'replaced')
        and m.event not in ('partial_fill', 'fill', 'trade_bust', 'trade_correct', 'order_cancel_rejected',
                            'order_replace_rejected', 'restated'))
    or (m.filled_qty < m.filled_before and m.event not in ('trade_bust', 'trade_correct'))
