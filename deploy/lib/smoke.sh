# shellcheck shell=bash
# The least that a running Daybook must do. Source common.sh and sdk.sh first, and call sdk_start.

# Buys a share at the market, and waits for it. Whoever lets curl try again has the same order placed, not a second one: 422 says
# that it is there. usage: smoke_order [CURL_OPTION...]
smoke_order() {
  local order=smoke-$EPOCHREALTIME answer
  answer=$(smoke_ask /v2/orders "$@" -w '\n%{http_code}' -H 'Content-Type: application/json' \
    -d '{"symbol":"AAPL","side":"buy","type":"market","time_in_force":"day","qty":"1","client_order_id":"'"$order"'"}')
  [[ ${answer##*$'\n'} == 200 || ($# -gt 0 && ${answer##*$'\n'} == 422) ]] || fail "order $order was not taken: $answer"
  for _ in {1..300}; do
    ! smoke_ask "/v2/orders:by_client_order_id?client_order_id=$order" | grep -q '"status":"filled"' || return 0
    sleep 0.2
  done
  fail "order $order was not filled within a minute"
}

# curl as the customer of demo.env. usage: smoke_ask PATH [CURL_OPTION...]
smoke_ask() {
  local path=$1
  shift
  curl -sS -m 10 -H "APCA-API-KEY-ID: $APCA_API_KEY_ID" -H "APCA-API-SECRET-KEY: $APCA_API_SECRET_KEY" "$@" "$APCA_API_BASE_URL$path"
}

# Everything has been read, and the books are right. usage: smoke_audit FOLDER DAYBOOK
smoke_audit() {
  local folder=$1 daybook=$2
  for _ in {1..60}; do
    ! DAYBOOK_DATA_DIR=$folder/data "$daybook" audit --at-rest >"$folder/audit.log" 2>&1 || return 0
    sleep 1
  done
  cat "$folder/audit.log" >&2
  fail "the audit does not pass, a minute after the last order"
}
