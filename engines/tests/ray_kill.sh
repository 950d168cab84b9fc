#!/usr/bin/env bash
# A sweep on a real Ray cluster, one node of which is killed in the middle, leaves the bytes of a run here.
#
# Starts a head and a second node on loopback addresses, with token authentication and on free ports, lets
# engines/ray/sweep.py run 40 shards, kills the second node (its raylet, its workers and what they run) while it
# is at work, merges, compares. Also: a client without the token is refused. Needs python3 with venv, and the
# package index for the pinned Ray; without them it says NOT CHECKED. `bash engines/tests/ray_kill.sh`.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
ray=$root/engines/ray

venv=${CARGO_TARGET_DIR:-$root/target}/ray-venv
if ! cmp -s "$ray/requirements.txt" "$venv/installed"; then
  rm -rf "$venv"
  python3 -m venv "$venv" 2> "$work/venv.err" || not_checked "python3 has no venv"
  timeout 300 "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$ray/requirements.txt" 2> "$work/pip.err" \
    || {
      cat "$work/pip.err" >&2
      # Without an index nothing can be said; with one, a pin that cannot be had is a fault.
      if timeout 60 "$venv/bin/python" -m pip index versions ray > "$work/index.out" 2>&1; then die "the pinned Ray can't be installed"; fi
      not_checked "Ray could not be installed"
    }
  cp "$ray/requirements.txt" "$venv/installed"
fi
export PATH=$venv/bin:$PATH
grep -q "TESTED_RAY, .* = \"$(sed -n 's/^ray==//p' "$ray/requirements.txt")\"" "$ray/sweep.py" || die "sweep.py names another Ray than requirements.txt"
say "$(ray --version)"

plan_and_run_here

export RAY_AUTH_MODE=token RAY_AUTH_TOKEN_PATH=$work/token
(umask 077 && python3 -c 'import secrets; print(secrets.token_hex(32))' > "$RAY_AUTH_TOKEN_PATH")

# Not 127.0.0.1, which Ray replaces by the machine's own address.
node() {
  timeout 60 ray start "$@" --num-cpus=1 --object-store-memory=80000000 --disable-usage-stats --include-log-monitor=false
}
node --head --port=0 --node-ip-address=127.0.0.2 --include-dashboard=false --temp-dir="$work/ray" > "$work/head.out" 2> "$work/head.err" \
  || die "the head did not start: $(tail -n 3 "$work/head.err" "$work/head.out")"
address=$(grep -h -o -m 1 "127\.0\.0\.2:[0-9]*" "$work/head.out" "$work/head.err" | head -n 1)
node --address="$address" --node-ip-address=127.0.0.3 > "$work/node.err" 2>&1 || die "the second node did not start"
second=$(pgrep -f -- "raylet/raylet .*$work.*--node_ip_address=127.0.0.3") || die "no raylet of the second node"
[ "$(wc -w <<< "$second")" = 1 ] || die "more than one raylet of the second node"
say "a head at $address and a second node on 127.0.0.3"

# Strangers.
status=0
env -u RAY_AUTH_MODE -u RAY_AUTH_TOKEN_PATH HOME="$work" timeout 60 \
  python3 "$ray/sweep.py" "$work/engine" --address "$address" --strait "$strait" > "$work/stranger.out" 2> "$work/stranger.log" || status=$?
[ "$status" = 2 ] || die "a client without the token ended with $status, not with 2"
grep -q "refuses this client: export RAY_AUTH_MODE=token" "$work/stranger.log" || die "a client without the token is not told so"
[ ! -s "$work/stranger.out" ] || die "a client without the token has run something"
if env -u RAY_AUTH_TOKEN_PATH HOME="$work" RAY_AUTH_MODE=disabled timeout 60 ray health-check --address "$address" > "$work/health.log" 2>&1; then
  die "the head answers who has no token"
fi
grep -q "InvalidAuthToken" "$work/health.log" || die "the head refused a client, but not for its token"
say "clients without the token are refused"

timeout 150 python3 "$ray/sweep.py" "$work/engine" --address "$address" --strait "$strait" > "$work/shards.jsonl" 2> "$work/sweep.err" &
driver=$!

# Both nodes have finished something and the second is at work on a shard, which is stopped there, unfinished.
caught() {
  local pid
  kill -0 "$driver" 2>/dev/null || die "the launcher ended before the kill: $(tail -n 3 "$work/sweep.err")"
  [ "$(grep -c '"address": "127.0.0.3"' "$work/shards.jsonl")" -ge 4 ] || return 1
  [ "$(grep -c '"address": "127.0.0.2"' "$work/shards.jsonl")" -ge 4 ] || return 1
  victims=$(tree "$second")
  for pid in $(pgrep -f -- "$strait sweep run $work/engine" || true); do
    grep -qx "$pid" <<< "$victims" || continue
    kill -STOP "$pid" 2>/dev/null || continue
    victim=$pid
    shard=$({ tr '\0' '\n' < "/proc/$pid/cmdline"; } 2>/dev/null | sed -n 's|^\([0-9]*\)/40$|\1|p')
    [ -n "$shard" ] && [ ! -e "$work/engine/shards/shard-$shard-of-40.jsonl" ] && return 0
    kill -CONT "$pid" 2>/dev/null || true
  done
  return 1
}
until_true 90 "work on both nodes" caught
# The raylet, its agents and its workers. What the workers run is left to die with them.
for pid in $victims; do [ "$pid" = "$victim" ] || [ "$(readlink "/proc/$pid/exe")" = "$strait" ] || kill -KILL "$pid" 2>/dev/null || true; done
gone() { ! kill -0 "$victim" 2>/dev/null; }
until_true 5 "the end of what a killed worker ran" gone
before=$(wc -l < "$work/shards.jsonl")
[ "$before" -lt 40 ] || die "the sweep was over before the kill"
say "killed the second node at work on shard $shard, after $before of 40 shards"

wait "$driver" || die "the launcher ended with $?"
python3 - "$work/shards.jsonl" "$shard" <<'PY'
import json, sys
ends = [json.loads(line) for line in open(sys.argv[1])]
assert sorted(end["shard"] for end in ends) == list(range(40)), "not each shard once"
assert all(end["status"] == 0 for end in ends), "a shard failed"
assert [end["address"] for end in ends if end["shard"] == int(sys.argv[2])] == ["127.0.0.2"], "the lost shard"
share = {address: sum(end["address"] == address for end in ends) for address in ("127.0.0.2", "127.0.0.3")}
assert len({end["node"] for end in ends}) == 2 and min(share.values()) >= 4, share
print(f"       shards by node: {share}")
PY
merge_and_compare

# The command's own way to the launcher, on what is left of the cluster.
(cd "$work/engine" && rm shards/shard-{3,17,39}-of-40.jsonl cases.* metrics.csv)
timeout 90 "$strait" sweep submit "$work/engine" --engine ray --address "$address" --json > "$work/submit.jsonl" 2> "$work/submit.err" \
  || die "strait sweep submit ended with $?"
[ "$(grep -c '"status": *0' "$work/submit.jsonl")" = 3 ] || die "submit did not run just the three missing shards"
compare
say "strait sweep submit ran the three shards that were missing and merged"

say "checked: token authentication, work on two nodes, a node killed at work, submit, the same bytes"
