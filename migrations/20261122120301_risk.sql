-- owner: risk
-- Risk controls: how much an order and an account may ask for (RSK-3 to RSK-5, PX-5), what may not be traded, and the kill
-- switches (RSK-6). Safe while older programs run: new tables only.

-- What differs from the installation's defaults, from wide to narrow: firm, tier, account. Null: as the wider one says.
create table risk_settings (
    scope                      text not null,
    subject                    text not null, -- the tier's name, the account's id; empty for the firm
    max_order_value            numeric,       -- dollars, as all values
    max_open_value             numeric,       -- of all open orders of an account
    max_firm_open_value        numeric,       -- of all open orders; the firm's row only
    max_open_orders            integer,
    max_open_orders_per_symbol integer,
    collar                     numeric,       -- of 1: ten percent is 0.1 (PX-5)
    collar_below_dollar        numeric,
    refuse_duplicates          boolean,       -- RSK-4
    refuse_self_cross          boolean,       -- RSK-5
    changed_at                 timestamptz not null,
    changed_by                 text not null,
    primary key (scope, subject),
    constraint risk_settings_scope_check check (scope in ('firm', 'tier', 'account') and (scope = 'firm') = (subject = '')),
    constraint risk_settings_firm_check check (scope = 'firm' or max_firm_open_value is null),
    constraint risk_settings_values_check check (
        max_order_value > 0 and max_open_value > 0 and max_firm_open_value > 0 and max_open_orders > 0
        and max_open_orders_per_symbol > 0 and collar > 0 and collar_below_dollar > 0)
);

-- Symbols in which nobody, or one account, may place orders.
create table restricted_symbols (
    symbol   text not null,
    subject  text not null, -- the account's id; empty for everybody
    reason   text not null,
    added_by text not null,
    added_at timestamptz not null,
    primary key (symbol, subject)
);

-- Kill switches, lifted ones kept. Lifting takes two persons, which the table itself insists on.
create table kill_switches (
    switch_id        uuid primary key,
    level            text not null,
    subject          text not null, -- symbol, account id, name of the venue; empty for the firm
    mode             text not null,
    reason           text not null,
    set_by           text not null,
    set_at           timestamptz not null,
    lift_proposed_by text,
    lift_proposed_at timestamptz,
    lift_reason      text,
    lifted_by        text,
    lifted_at        timestamptz,
    constraint kill_switches_level_check
        check (level in ('symbol', 'account', 'venue', 'firm') and (level = 'firm') = (subject = '')),
    constraint kill_switches_mode_check check (mode in ('block_new', 'block_new_and_cancel_all')),
    constraint kill_switches_two_persons_check
        check (lifted_at is null
               or (lifted_by is not null and lift_proposed_by is not null
                   and lower(lifted_by) <> lower(lift_proposed_by)))
);
create unique index kill_switches_in_force on kill_switches (level, subject) where lifted_at is null;

-- Counted up with every change of the three, so that a process sees with one look whether anything changed.
create table risk_revision (
    only_row boolean primary key default true constraint risk_revision_one_row check (only_row),
    revision bigint not null
);
insert into risk_revision (revision) values (1);

create function risk_changed() returns trigger language plpgsql as $$
begin
    update risk_revision set revision = revision + 1;
    return null;
end
$$;
create trigger risk_settings_changed after insert or update or delete or truncate on risk_settings
    for each statement execute function risk_changed();
create trigger restricted_symbols_changed after insert or update or delete or truncate on restricted_symbols
    for each statement execute function risk_changed();
create trigger kill_switches_changed after insert or update or delete or truncate on kill_switches
    for each statement execute function risk_changed();

-- What surveillance should see of orders that were taken: one row an order and rule.
create table risk_flags (
    order_id   uuid not null,
    rule       text not null, -- duplicate (RSK-4)
    account_id uuid not null,
    symbol     text not null,
    detail     text not null,
    at         timestamptz not null,
    primary key (order_id, rule)
);
create index risk_flags_at on risk_flags (at desc, order_id desc);
create index risk_flags_account on risk_flags (account_id, at desc, order_id desc);

grant select, insert, update, delete on risk_settings, restricted_symbols to daybook_app;
grant select, insert, update on kill_switches, risk_revision to daybook_app;
grant select, insert on risk_flags to daybook_app;
