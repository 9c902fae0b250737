# shellcheck shell=bash
# The least that a running Daybook must do. Source common.sh and sdk.sh first, and call sdk_start.

# Buys a share at the market, and waits for it.
smoke_order() {
  local keys=(-H "APCA-API-KEY-ID: $APCA_API_KEY_ID" -H "APCA-API-SECRET-KEY: $APCA_API_SECRET_KEY") order
  order=$(curl -fsS "${keys[@]}" -H 'Content-Type: application/json' "$APCA_API_BASE_URL/v2/orders" \
    -d '{"symbol":"AAPL","side":"buy","type":"market","time_in_force":"day","qty":"1"}')
  order=$(grep -o '"id":"[^"]*"' <<<"$order" | head -n1 | cut -d'"' -f4)
  for _ in {1..300}; do
    ! curl -fsS "${keys[@]}" "$APCA_API_BASE_URL/v2/orders/$order" | grep -q '"status":"filled"' || return 0
    sleep 0.2
  done
  fail "order $order was not filled within a minute"
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
