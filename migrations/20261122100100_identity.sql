-- owner: identity
-- Account holders and their API keys. Secrets are 256 random bits, so a plain SHA-256 of them is enough.
create table accounts (
    account_id              uuid primary key,
    account_number          text not null,
    name                    text not null,
    kind                    text not null default 'limited_margin',
    status                  text not null default 'ACTIVE',
    account_blocked         boolean not null default false,
    trading_blocked         boolean not null default false,
    transfers_blocked       boolean not null default false,
    closing_only            boolean not null default false,
    trade_suspended_by_user boolean not null default false,
    created_at              timestamptz not null,
    constraint accounts_number_key unique (account_number),
    constraint accounts_kind_check check (kind in ('limited_margin', 'cash_strict'))
);

create table api_keys (
    key_id      text primary key,
    account_id  uuid not null references accounts,
    secret_hash bytea not null,
    created_at  timestamptz not null,
    revoked_at  timestamptz,
    constraint api_keys_hash_check check (length(secret_hash) = 32)
);
create index api_keys_account on api_keys (account_id);

-- Who did what with an operator's rights, written in the act's own transaction (V16).
create table admin_acts (
    act_id  uuid primary key,
    at      timestamptz not null,
    actor   text not null,
    act     text not null,
    subject text not null,
    detail  text not null
);

grant select, insert, update on accounts, api_keys to daybook_app;
grant select, insert on admin_acts to daybook_app;
