-- rows
select (select count(*) from bus_positions) + (select count(*) from leases)
-- violations
select p.consumer_group || ' on ' || p.topic || ', partition ' || p.partition as subject,
       'owner ' || coalesce(p.owner::text, 'nobody') || ', epoch ' || p.epoch || ', incarnation ' || p.incarnation
       || ' of ' || i.incarnation as problem
  from bus_positions p
 cross join bus_incarnation i
 where (p.owner is not null and p.epoch < 1)
    or (p.owner is null and p.lease_until > '-infinity')
    or p.epoch < 0
    or p.incarnation > i.incarnation
 union all
select 'lease ' || name, 'owner ' || coalesce(owner::text, 'nobody') || ', epoch ' || epoch
  from leases
 where (owner is not null and epoch < 1)
    or (owner is null and lease_until > '-infinity')
    or epoch < 0
