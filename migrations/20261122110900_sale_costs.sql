-- owner: ledger
-- What a sale took along of its position's cost basis, so that its bust gives back just that, also where it had sold everything
-- (LED-16). Adds a nullable column, so older code keeps running; busts of sales booked by it go by the average.
alter table ledger_trades
    add column cost numeric;            -- dollars; below zero for what a bust gave back; null for buys
