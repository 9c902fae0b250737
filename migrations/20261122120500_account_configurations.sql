-- owner: identity
-- What customers set about their accounts. An account without a row has what is usual. Whether trading is suspended is
-- a flag of the account itself. Read and written under the account's lock in the ledger, like the flags.
create table account_configurations (
    account_id             uuid primary key references accounts,
    fractional_trading     boolean not null,
    no_shorting            boolean not null,
    ptp_no_exception_entry boolean not null,
    trade_confirm_email    text not null,
    updated_at             timestamptz not null,
    constraint account_configurations_email_check check (trade_confirm_email in ('all', 'none'))
);

grant select, insert, update on account_configurations to daybook_app;
