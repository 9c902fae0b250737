# shellcheck shell=bash
# schemathesis against a Daybook that was started as a user starts it: requests made from docs/openapi.json, well-formed and not,
# and each answer held against it. How it asks and what counts as an answer is in services/daybook/tests/openapi.
#
#   openapi_check FOLDER DAYBOOK SEED EXAMPLES CASES    so many examples of each operation, at least so many cases in all
#
# Its tools go into FOLDER. Source common.sh and sdk.sh first.

OPENAPI_TESTS=services/daybook/tests/openapi

openapi_check() {
  local folder=$1 daybook=$2 seed=$3 examples=$4 cases=$5 project=$PWD
  python_packages "$folder/python" -r "$OPENAPI_TESTS/requirements.txt"
  # Requests without a key are part of it, more of them than a stranger has; and a price that is drawn is seldom near the last one.
  DAYBOOK_STRANGER_REQUESTS_PER_MINUTE=1000000 DAYBOOK_COLLAR=100 sdk_start "$folder" "$daybook"
  say "schemathesis draws from seed $seed."
  # It leaves caches where it runs.
  (
    cd "$folder"
    export SCHEMATHESIS_HOOKS=$project/$OPENAPI_TESTS/hooks.py PYTHONDONTWRITEBYTECODE=1
    python/bin/schemathesis --config-file "$project/$OPENAPI_TESTS/schemathesis.toml" run "$project/docs/openapi.json" \
      --url "$APCA_API_BASE_URL" --seed "$seed" --max-examples "$examples" --report-json-path report.json --no-color
  ) || sdk_failed "$folder" 'an answer was not what docs/openapi.json says'
  sdk_stop
  openapi_enough "$folder" "$cases"
}

# A document or a configuration that lets it ask little must not look like a success.
openapi_enough() {
  local made
  made=$("$1/python/bin/python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["test_cases"]["generated"])' "$1/report.json")
  ((made >= $2)) || fail "schemathesis made $made cases, fewer than $2."
}
