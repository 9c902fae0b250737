# shellcheck shell=bash
# What deploy/run and deploy/kafka have in common: the data folder and its lock, the build, the settings, the end of the welcome.
#
# Source common.sh and postgres.sh first, and set project to the project's root. The folder of an installation:
#
#   daybook.env    the settings, written at each start: daybook's commands find everything through DAYBOOK_DATA_DIR
#   demo.env       the address and the key of a customer with money
#   postgres/      the private cluster
#   lock run.pid   one start per folder
#
# and of deploy/run daybook.log, of deploy/kafka, with a file for each process:
#
#   log/ ports/ pids/   what it says, where it listens, its id while it runs
#   kafka/              the broker
#   haproxy.cfg         written at each start

# Chooses the folder and everything that a setting may choose.
installation_begin() {
  local default_data_dir=${XDG_DATA_HOME:-$HOME/.local/share}/daybook
  ! am_root || default_data_dir=/var/lib/daybook
  mkdir -p "${DAYBOOK_DATA_DIR:=$default_data_dir}"
  DAYBOOK_DATA_DIR=$(realpath "$DAYBOOK_DATA_DIR")
  export DAYBOOK_DATA_DIR
  export DAYBOOK_PORT=${DAYBOOK_PORT:-8080} DAYBOOK_CALENDAR=${DAYBOOK_CALENDAR:-always-open} DAYBOOK_SYMBOLS=${DAYBOOK_SYMBOLS:-20}
  export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/daybook/target}
  postgres=$DAYBOOK_DATA_DIR/postgres
  address=http://127.0.0.1:$DAYBOOK_PORT
  daybook=${DAYBOOK_EXECUTABLE:-$CARGO_TARGET_DIR/release/daybook}
}

# One start per data folder. What is started inherits the lock, so it lasts as long as anything of this start does, PostgreSQL apart.
take_lock() {
  exec 9>>"$DAYBOOK_DATA_DIR/lock"
  if ! flock -n 9; then
    local pid
    pid=$(cat "$DAYBOOK_DATA_DIR/run.pid" 2>/dev/null || true)
    ! kill -0 "${pid:-0}" 2>/dev/null ||
      fail "Daybook already runs on $DAYBOOK_DATA_DIR (process $pid). Stop it with Ctrl-C there or 'kill $pid', or choose another DAYBOOK_DATA_DIR and DAYBOOK_PORT."
    say "waiting for the last Daybook on $DAYBOOK_DATA_DIR to finish"
    flock -w 60 9 || fail "the last Daybook on $DAYBOOK_DATA_DIR does not finish; see its log there."
  fi
  echo $$ >"$DAYBOOK_DATA_DIR/run.pid"
}

choose_ports() {
  DAYBOOK_EXCHANGE_PORT=${DAYBOOK_EXCHANGE_PORT:-$(remembered_port "$DAYBOOK_DATA_DIR/exchange.port")}
  DAYBOOK_ADMIN_PORT=${DAYBOOK_ADMIN_PORT:-$(remembered_port "$DAYBOOK_DATA_DIR/admin.port")}
  port_is_free "$DAYBOOK_PORT" || fail "port $DAYBOOK_PORT is taken by another program: try DAYBOOK_PORT=8081 $0"
}

# usage: build_daybook [CARGO_ARGUMENT...]
build_daybook() {
  [[ -z ${DAYBOOK_EXECUTABLE:-} ]] || return 0
  require_rust
  step "building Daybook (the first time takes some minutes; later only what changed)"
  SQLX_OFFLINE=true cargo build --release --locked -p daybook --manifest-path "${project:?is set by the script}/Cargo.toml" "$@"
}

# Starts PostgreSQL, writes the settings, and takes them over. usage: provide_settings [LINE...]
provide_settings() {
  step "starting PostgreSQL in $postgres"
  pg_start "$postgres" durable
  pg_provision "$postgres"
  DAYBOOK_ADMIN_TOKEN=${DAYBOOK_ADMIN_TOKEN:-$(remembered_token)}
  {
    settings
    [[ $# -eq 0 ]] || printf '%s\n' "$@"
  } | write_private "$DAYBOOK_DATA_DIR/daybook.env"
  set -a
  # shellcheck source=/dev/null
  source "$DAYBOOK_DATA_DIR/daybook.env"
  set +a
}

settings() {
  cat <<ENV
# Written by ${0##*/} at each start: how daybook's commands find this installation through DAYBOOK_DATA_DIR.
DAYBOOK_DATABASE_URL=$(pg_url "$postgres" daybook daybook)
DAYBOOK_OWNER_DATABASE_URL=$(pg_url "$postgres" daybook_owner daybook)
DAYBOOK_EXCHANGE_DATABASE_URL=$(pg_url "$postgres" exchange exchange)
DAYBOOK_PORT=$DAYBOOK_PORT
DAYBOOK_ADMIN_PORT=$DAYBOOK_ADMIN_PORT
DAYBOOK_ADMIN_TOKEN=$DAYBOOK_ADMIN_TOKEN
DAYBOOK_EXCHANGE_PORT=$DAYBOOK_EXCHANGE_PORT
DAYBOOK_CALENDAR=$DAYBOOK_CALENDAR
DAYBOOK_SYMBOLS=$DAYBOOK_SYMBOLS
DAYBOOK_MAX_OPEN_ORDERS=${DAYBOOK_MAX_OPEN_ORDERS:-10000}
DAYBOOK_MAX_OPEN_ORDERS_PER_SYMBOL=${DAYBOOK_MAX_OPEN_ORDERS_PER_SYMBOL:-1000}
DAYBOOK_MAX_ORDER_VALUE=${DAYBOOK_MAX_ORDER_VALUE:-1000000}
DAYBOOK_MAX_OPEN_VALUE=${DAYBOOK_MAX_OPEN_VALUE:-10000000}
ENV
}

# The operator's token of the last start, or a new one.
remembered_token() {
  local token=''
  [[ ! -e $DAYBOOK_DATA_DIR/daybook.env ]] ||
    token=$(sed -n 's/^DAYBOOK_ADMIN_TOKEN=//p' "$DAYBOOK_DATA_DIR/daybook.env" | tail -n 1)
  printf '%s' "${token:-$(random_secret)}"
}

# Starts a program with a new log. usage: start_program LOG PROGRAM ARGUMENT...; its id is in `started`
start_program() {
  keep_last_log "$1"
  launch "$@"
}

keep_last_log() { [[ ! -e $1 ]] || mv "$1" "$1.1"; }

# Starts a program in a session of its own, so that the terminal's Ctrl-C reaches only the script, which then asks once. Should the
# script be killed, the kernel asks in its place. usage: launch LOG PROGRAM ARGUMENT...; its id is in `started`
launch() {
  local log=$1
  shift
  setsid setpriv --pdeathsig TERM -- "$@" </dev/null >>"$log" 2>&1 &
  # shellcheck disable=SC2034 # the caller reads it
  started=$!
}

# Waits until a process answers at an address. usage: wait_until_ready NAME PID URL LOG
wait_until_ready() {
  local name=$1 pid=$2 url=$3 log=$4
  for _ in {1..600}; do
    ! url_answers "$url" || return 0
    kill -0 "$pid" 2>/dev/null || die_with_log "$log" "$name ended before it was ready"
    sleep 0.2
  done
  die_with_log "$log" "$name was not ready after two minutes: $(curl -sS -m 2 "$url" 2>&1)"
}

url_answers() { curl -fsS -m 2 -o /dev/null "$1" 2>/dev/null; }

die_with_log() {
  local log=$1
  shift
  tail -n 30 "$log" >&2
  fail "$*; the last lines of $log are above."
}

# What a customer and an operator do first. usage: welcome LOG
welcome() {
  # shellcheck source=/dev/null
  source "$DAYBOOK_DATA_DIR/demo.env"
  cat <<TEXT

Daybook is ready at $address   (Ctrl-C stops everything; the data stays in $DAYBOOK_DATA_DIR)

  A customer with money:   source $DAYBOOK_DATA_DIR/demo.env
    APCA_API_KEY_ID=$APCA_API_KEY_ID
    APCA_API_SECRET_KEY=$APCA_API_SECRET_KEY

  Buy a share (paste this into another terminal):
    curl -s $APCA_API_BASE_URL/v2/orders -H 'APCA-API-KEY-ID: $APCA_API_KEY_ID' -H 'APCA-API-SECRET-KEY: $APCA_API_SECRET_KEY' -H 'Content-Type: application/json' -d '{"symbol":"AAPL","side":"buy","type":"market","time_in_force":"day","qty":"1"}'

  What the exchange asks and bids:
    curl -s 'http://127.0.0.1:$DAYBOOK_EXCHANGE_PORT/quotes/AAPL'

  Then the same headers on $APCA_API_BASE_URL/v2/positions and $APCA_API_BASE_URL/v2/account.

  Operators: jobs and alerts, on a port of their own (the token is in $DAYBOOK_DATA_DIR/daybook.env):
    DAYBOOK_DATA_DIR=$DAYBOOK_DATA_DIR $daybook admin jobs list
    source $DAYBOOK_DATA_DIR/daybook.env; curl -s http://127.0.0.1:$DAYBOOK_ADMIN_PORT/admin/v1/jobs -H "Authorization: Bearer \$DAYBOOK_ADMIN_TOKEN"

  Where next: README.md   Log: $1
TEXT
}
