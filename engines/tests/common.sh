# Shared by the tests of this folder; sourced, not run. In: $STRAIT, the command (or the newest build of this
# tree). Out: $strait, $work (a scratch folder, removed at the end), functions. Ends only processes that the
# test has started: it knows them by their ids and by the scratch folder in their command lines.
set -euo pipefail
# Never longer than ten minutes, whatever hangs.
[ -n "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=30 600 bash "$0"
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)

say() { printf '[%3ss] %s\n' "$SECONDS" "$*"; }
die() { say "FAILED: $*" >&2; exit 1; }
not_checked() { say "$*: NOT CHECKED"; exit 0; }

strait=${STRAIT:-$(ls -t "${CARGO_TARGET_DIR:-$root/target}"/{release,debug}/strait 2>/dev/null | head -n 1 || true)}
[ -x "$strait" ] || die "no command to test: build it (cargo build --release), or set STRAIT"
strait=$(realpath "$strait")

# Short, for sockets' paths may have 107 bytes.
work=$(mktemp -d /tmp/strait.XXXXXX)

# A process and all below it.
tree() {
  local child
  echo "$1"
  for child in $(ps -o pid= --ppid "$1" 2>/dev/null); do tree "$child"; done
}

# The processes of this test's engine, and all below them.
ours() {
  local pid
  for pid in $(pgrep -f -- "$work" || true); do
    [ "$pid" = "$$" ] || [ "$pid" = "$BASHPID" ] || tree "$pid"
  done | sort -un
}

clean() {
  local status=$?
  trap - EXIT INT TERM
  # Twice: what is started while it is looked for.
  for _ in 1 2; do
    ours | while read -r pid; do kill -KILL "$pid" 2>/dev/null || true; done
    sleep 0.3
  done
  if [ "$status" -ne 0 ]; then tail -n 20 "$work"/*.err 2>/dev/null >&2 || true; fi
  [ -n "${KEEP:-}" ] || rm -rf "$work"
  exit "$status"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Waits until a command succeeds: until SECONDS WHAT COMMAND...
until_true() {
  local end=$((SECONDS + $1)) what=$2
  shift 2
  until "$@"; do
    [ "$SECONDS" -lt "$end" ] || die "$what did not happen in time"
    sleep 0.1
  done
}

# Plans a sweep of 40 shards in $work/local and $work/engine that keeps two cores busy for some twelve
# seconds, whatever the build and the machine, and runs the first here: what the engine is held against.
plan_and_run_here() {
  local scenario=$root/engines/tests/sweep.toml trial=400 start took cases
  "$strait" sweep plan "$scenario" --out "$work/trial" --cases "$trial" --shards 4 --quiet > /dev/null
  start=$(date +%s%N)
  "$strait" sweep run "$work/trial" --threads 2 --quiet > /dev/null
  took=$((($(date +%s%N) - start) / 1000000 + 1))
  cases=$((trial * 12000 / took))
  cases=$((cases < 400 ? 400 : cases > 200000 ? 200000 : cases))
  for folder in local engine; do
    "$strait" sweep plan "$scenario" --out "$work/$folder" --cases "$cases" --shards 40 --quiet > /dev/null
  done
  cmp "$work/local/plan.json" "$work/engine/plan.json" || die "two plans of one sweep differ"
  "$strait" sweep run "$work/local" --threads 2 --quiet > /dev/null
  "$strait" sweep merge "$work/local" --quiet > /dev/null
  say "$cases cases in 40 shards, run here"
}

# Holds the merged files of the engine against those of the run here, byte for byte.
compare() {
  local file parquet=
  # Where Parquet is built in.
  if [ -e "$work/local/cases.parquet" ]; then parquet=cases.parquet; fi
  for file in cases.csv metrics.csv cases.jsonl $parquet; do
    [ -s "$work/local/$file" ] || die "the run here left no $file"
    cmp "$work/local/$file" "$work/engine/$file" || die "$file differs from that of the run here"
  done
}

merge_and_compare() {
  "$strait" sweep merge "$work/engine" --quiet > /dev/null || die "the shards of the engine can't be merged"
  compare
  say "merged: the same bytes as those of the run here ($(wc -l < "$work/engine/cases.jsonl") cases)"
}
