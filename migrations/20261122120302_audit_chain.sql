-- owner: identity
-- Seals the audit trail: each act of an operator, in the order of the log, with a hash over it and the hash before. Whoever
-- changes, takes out, slips in or reorders an act later breaks the chain there. Safe while older programs run: they do not
-- know the columns, which fill themselves.
alter table admin_acts
    add column act_no bigint generated always as identity,
    add column xid    xid8 not null default pg_current_xact_id(); -- an act below the oldest running transaction is followed by none
create unique index admin_acts_order on admin_acts (xid, act_no);
create trigger admin_acts_append_only before update or delete or truncate on admin_acts
    for each statement execute function append_only();

create table audit_chain (
    seq       bigint primary key,      -- 1, 2, 3 …
    act_id    uuid not null,
    xid       xid8 not null,           -- the act's place in the log
    act_no    bigint not null,
    hash      bytea not null,          -- SHA-256 of the hash before (zeros at first) and the act's text
    sealed_at timestamptz not null,
    constraint audit_chain_act_key unique (act_id),
    constraint audit_chain_hash_check check (length(hash) = 32)
);
create trigger audit_chain_append_only before update or delete or truncate on audit_chain
    for each statement execute function append_only();

grant select, insert on audit_chain to daybook_app;
