-- owner: orders
-- Where a stream begins that resumes after a time. The times of an account's events grow with their numbers, so the
-- number is found by halving: an index on time would have to be kept by every order for the sake of a few reconnects.

-- The number of the account's last event told at that moment or before it; 0 when there is none.
create function order_events_until(of_account uuid, moment timestamptz) returns bigint
    language plpgsql stable
    as $$
declare
    low    bigint := 0;
    high   bigint := coalesce((select event_seq from account_sequences where account_id = of_account), 0);
    middle bigint;
begin
    while low < high loop
        middle := (low + high + 1) / 2;
        if exists (select from order_events where account_id = of_account and seq = middle and at > moment) then
            high := middle - 1;
        else
            low := middle;
        end if;
    end loop;
    return low;
end $$;
