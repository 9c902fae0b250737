-- rows
select count(*) from audit_chain
-- violations
with linked as (
    select c.seq, c.act_id, c.xid, c.act_no, c.hash,
           lag(c.seq, 1, 0::bigint) over w as seq_before,
           lag(c.hash, 1, decode(repeat('00', 32), 'hex')) over w as hash_before,
           lag(c.xid) over w as xid_before, lag(c.act_no) over w as act_no_before,
           a.act_id is not null and (a.xid, a.act_no) = (c.xid, c.act_no) as is_there,
           array[c.seq::text, c.act_id::text, a.xid::text, a.act_no::text,
                 (extract(epoch from a.at) * 1000000)::bigint::text, a.actor, a.act, a.subject, a.detail] as parts
      from audit_chain c
      left join admin_acts a on a.act_id = c.act_id
    window w as (order by c.seq)
), told as (
    select l.seq, 'act ' || l.act_id || ' at position ' || l.seq as subject,
           case when l.seq <> l.seq_before + 1 then 'position ' || l.seq_before + 1 || ' is missing before it'
                when not l.is_there then 'is missing from admin_acts'
                when (l.xid, l.act_no) <= (l.xid_before, l.act_no_before) then 'is out of order'
                when l.hash <> sha256(l.hash_before || convert_to(
                         (select string_agg(octet_length(p.part) || ':' || p.part, '' order by p.n)
                            from unnest(l.parts) with ordinality as p (part, n)), 'UTF8'))
                then 'was altered, or the hash before it was' end as problem
      from linked l
     union all
    select coalesce((select min(c.seq) from audit_chain c where (c.xid, c.act_no) > (a.xid, a.act_no)), 0),
           'act ' || a.act_id, 'was slipped in: it is not in the chain, which later acts are in'
      from admin_acts a
     where (a.xid, a.act_no) < (select c.xid, c.act_no from audit_chain c order by c.seq desc limit 1)
       and not exists (select from audit_chain c where c.act_id = a.act_id)
)
select subject, problem
  from told
 where problem is not null
 order by seq
