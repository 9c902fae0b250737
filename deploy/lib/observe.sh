# shellcheck shell=bash
# Alerts and dashboards (deploy/observability): checked as files, the alerts' tests, and a real Prometheus that scrapes a Daybook.
#
#   observe_check FOLDER TOOLS DAYBOOK    the files, and deploy/run in FOLDER; the tools go into TOOLS, for the next time too
#   observe_running FOLDER TOOLS DAYBOOK  whatever sdk_start has started in FOLDER, all of its processes
#   observe_stop                          ends the Prometheus that these started
#
# Source common.sh and sdk.sh first; run from the project's root.

OBSERVABILITY=deploy/observability
observe_pid=''

observe_check() {
  local folder=$1 tools=$2 daybook=$3
  observe_tools "$tools"
  observe_files "$tools"
  sdk_start "$folder" "$daybook"
  observe_running "$folder" "$tools" "$daybook"
  sdk_stop
}

observe_running() {
  local folder=$1 tools=$2 daybook=$3 targets
  observe_tools "$tools"
  mapfile -t targets < <(observe_targets "$folder/data")
  observe_start "$folder" "${targets[@]}"
  observe_some_life
  DAYBOOK_DATA_DIR=$folder/data "$daybook" admin jobs run housekeeping >/dev/null
  observe_wait "Prometheus has not evaluated every alert" observe_evaluated
  "$tools/python/bin/python" -B "$OBSERVABILITY/check.py" live "$observe_url" "${targets[@]}"
  observe_stop
}

observe_tools() {
  observe_prometheus "$1"
  python_packages "$1/python" -r deploy/lib/requirements.txt
}

# The processes of an installation: deploy/run has one, deploy/kafka notes the port of each, the exchange's apart.
observe_targets() {
  local data=$1 file
  if [[ ! -d $data/ports ]]; then
    echo "${APCA_API_BASE_URL#http://}"
    return
  fi
  for file in "$data"/exchange.port "$data"/ports/*.port; do
    [[ $file == *-admin.port ]] || echo "127.0.0.1:$(<"$file")"
  done
}

# Prometheus in the path. Out of Debian's package, which is not installed: that would start a service that nobody asked for.
observe_prometheus() {
  local folder=$1/prometheus
  ! { have prometheus && have promtool; } || return 0
  if [[ ! -x $folder/usr/bin/prometheus ]]; then
    { have apt-get && have dpkg-deb; } || fail "Prometheus is missing (prometheus and promtool), and there is no apt-get here to bring it."
    rm -rf "$folder"
    mkdir -p "$folder/package"
    observe_download "$folder/package" || { apt-get update -qq && observe_download "$folder/package"; }
    dpkg-deb -x "$folder"/package/prometheus_*.deb "$folder"
    rm -r "$folder/package"
  fi
  PATH=$folder/usr/bin:$PATH
}

observe_download() (cd "$1" && apt-get download -qq -o APT::Sandbox::User=root prometheus >&2)

observe_files() {
  promtool check config "$OBSERVABILITY/prometheus.yml" >/dev/null
  promtool test rules "$OBSERVABILITY"/alerts/tests/*.yml
  "$1/python/bin/python" -B "$OBSERVABILITY/check.py" files
}

# As prometheus.yml says, but at these processes and every second. usage: observe_start FOLDER HOST:PORT..
observe_start() {
  local folder=$1/prometheus port
  shift
  mkdir -p "$folder/alerts"
  cp "$OBSERVABILITY"/alerts/*.yml "$folder/alerts"
  sed 's/: 15s$/: 1s/' "$OBSERVABILITY/prometheus.yml" >"$folder/prometheus.yml"
  printf -- '- targets: ["%s"]\n' "$@" >"$folder/targets.yml"
  port=$(free_port)
  observe_url=http://127.0.0.1:$port
  prometheus --config.file="$folder/prometheus.yml" --storage.tsdb.path="$folder/data" --web.listen-address="127.0.0.1:$port" \
    --log.level=warn >"$folder/log" 2>&1 &
  observe_pid=$!
  observe_wait "Prometheus does not start: $(tail -n 5 "$folder/log")" curl -fsS -m 2 -o /dev/null "$observe_url/-/ready"
}

# Orders that fill, one that rests and is canceled, one that is refused, and somebody who listens: most metrics appear with their
# first sample.
observe_some_life() {
  local buy='"symbol":"AAPL","side":"buy"'
  observe_ask /v2/events/trades -N -m 3 >/dev/null 2>&1 &
  for _ in {1..5}; do observe_order "$buy,\"qty\":\"2\",\"type\":\"market\",\"time_in_force\":\"day\""; done
  observe_order "$buy,\"qty\":\"1\",\"type\":\"limit\",\"limit_price\":\"200\",\"time_in_force\":\"gtc\""
  observe_order "$buy,\"qty\":\"100000000\",\"type\":\"market\",\"time_in_force\":\"day\""
  observe_wait "the orders were not filled" observe_filled
  observe_ask /v2/orders -X DELETE >/dev/null
}

observe_order() { observe_ask /v2/orders -d "{$1}" >/dev/null; }

# curl as the customer of demo.env. usage: observe_ask PATH [CURL_OPTION..]
observe_ask() {
  local path=$1
  shift
  curl -sS -H "APCA-API-KEY-ID: $APCA_API_KEY_ID" -H "APCA-API-SECRET-KEY: $APCA_API_SECRET_KEY" "$@" "$APCA_API_BASE_URL$path"
}

observe_filled() { [[ $(observe_ask '/v2/orders?status=closed' | grep -o '"status":"filled"' | wc -l) -ge 5 ]]; }

# Nothing unknown among the rules, and each target answered: three scrapes later the rates have something to be made of.
observe_evaluated() {
  local rules
  rules=$(curl -fsS -m 5 "$observe_url/api/v1/rules") && [[ $rules == *'"health":"ok"'* && $rules != *'"health":"unknown"'* ]] &&
    [[ $(observe_samples) -ge 3 ]]
}

observe_samples() {
  curl -fsS -m 5 "$observe_url/api/v1/query" --data-urlencode 'query=min(count_over_time(up[1m]))' | sed -n 's/.*"\([0-9]*\)"\]}.*/\1/p'
}

observe_wait() {
  local complaint=$1
  shift
  for _ in {1..300}; do
    ! "$@" 2>/dev/null || return 0
    sleep 0.2
  done
  fail "$complaint"
}

observe_stop() {
  [[ -n $observe_pid ]] || return 0
  kill -TERM "$observe_pid" 2>/dev/null || true
  wait "$observe_pid" 2>/dev/null || true
  observe_pid=''
}
