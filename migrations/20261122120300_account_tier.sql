-- owner: identity
-- The tier of an account: which request limits and risk settings it has, apart from its own. Safe while older programs
-- run: they do not know the column and leave it at its default.
alter table accounts
    add column tier text not null default 'standard'
        constraint accounts_tier_check check (tier ~ '^[a-z][a-z0-9_-]{0,31}$');
