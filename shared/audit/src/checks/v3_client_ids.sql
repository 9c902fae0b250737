-- rows
select count(*) from order_client_ids
-- violations
select 'client_order_id ' || c.client_order_id || ' of account ' || c.account_id as subject,
       'names order ' || c.order_id || case when o.order_id is null then ', which is not there'
                                            else ', whose own is ' || o.client_order_id end as problem
  from order_client_ids c
  left join orders o on o.order_id = c.order_id
 where o.order_id is null
    or (o.account_id, o.client_order_id) <> (c.account_id, c.client_order_id)
