#!/usr/bin/env bash
# A sweep on a real Slurm cluster, one node of which is killed in the middle, leaves the bytes of a run here.
#
# Starts munge, a controller and two node daemons on this machine, with a configuration, keys and ports of their own,
# submits engines/slurm/array.sbatch with 40 tasks, kills one node daemon and the task that it runs, waits for
# Slurm to queue that task again, merges, compares. Needs Debian's slurmctld, slurmd and munge, which it
# installs where it may; without them it says NOT CHECKED. `bash engines/tests/slurm_kill.sh`.
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
export PATH=$PATH:/usr/sbin:/sbin

missing() { ! { command -v slurmctld && command -v slurmd && command -v sbatch && command -v munged; } > /dev/null; }
if missing; then
  as_root=$([ "$(id -u)" = 0 ] || echo "sudo -n")
  export DEBIAN_FRONTEND=noninteractive
  { $as_root apt-get update -qq && timeout 300 $as_root apt-get install -y -qq --no-install-recommends \
    slurmctld slurmd slurm-client munge; } > "$work/apt.err" 2>&1 || true
  if missing; then not_checked "Slurm could not be installed"; fi
fi
say "$(slurmctld -V)"

plan_and_run_here

# Ports that nobody listens on now.
read -r ctld one two < <(python3 - <<'PY'
import socket
sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
print(*(each.getsockname()[1] for each in sockets))
PY
)
export SLURM_CONF=$work/slurm.conf
mkdir "$work/state"
cat > "$SLURM_CONF" <<CONF
ClusterName=strait
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$ctld
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
# How long a task that is queued again waits.
AuthInfo=socket=$work/munge.socket,cred_expire=5
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/%n
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/%n.pid
SlurmctldLogFile=$work/slurmctld.err
SlurmdLogFile=$work/%n.err
SlurmdTimeout=5
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_min_interval=100000,batch_sched_delay=0,bf_interval=1
SlurmdParameters=config_overrides
NodeName=one NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$one CPUs=1
NodeName=two NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$two CPUs=1
PartitionName=all Nodes=one,two Default=YES MaxTime=INFINITE State=UP
CONF

(umask 077 && head -c 128 /dev/urandom > "$work/munge.key")
chmod 755 "$work"
munged --foreground --force --key-file="$work/munge.key" --socket="$work/munge.socket" --pid-file="$work/munged.pid" \
  --log-file="$work/munged.log" --seed-file="$work/munge.seed" > "$work/munged.err" 2>&1 &
disown
until_true 10 "munge" test -S "$work/munge.socket"
slurmctld -D -f "$SLURM_CONF" > "$work/ctld.out" 2>&1 &
disown
for name in one two; do
  mkdir "$work/$name"
  slurmd -D -N "$name" -f "$SLURM_CONF" > "$work/$name.out" 2>&1 &
  disown
done
idle() { [ "$(sinfo --noheader --Node --format=%T 2>/dev/null | grep -cx idle)" = 2 ]; }
until_true 30 "two idle nodes" idle
say "a controller and two nodes"

cd "$work"
job=$(STRAIT=$strait sbatch --parsable --array=0-39 "$root/engines/slurm/array.sbatch" "$work/engine")

# What the tasks of a node run: the command's own processes there.
on() {
  local pid
  for pid in $(pgrep -f -- "$strait sweep run $work/engine" || true); do
    # Not the script, which names the command as well.
    [ "$(readlink "/proc/$pid/exe")" = "$strait" ] || continue
    if { tr '\0' '\n' < "/proc/$pid/environ"; } 2>/dev/null | grep -qx "SLURMD_NODENAME=$1"; then echo "$pid"; fi
  done
}
finished() { "$strait" sweep status "$work/engine" --json | python3 -c 'import json, sys; print(len(json.load(sys.stdin)["finished"]))'; }
half() { [ "$(finished)" -ge 14 ]; }
until_true 120 "a third of the shards" half
# A task of the second node, which is stopped there, unfinished.
caught() {
  local pid
  for pid in $(on two); do
    kill -STOP "$pid" 2>/dev/null || continue
    victim=$pid
    task=$({ tr '\0' '\n' < "/proc/$pid/environ"; } 2>/dev/null | sed -n 's/^SLURM_ARRAY_TASK_ID=//p')
    [ -n "$task" ] && [ ! -e "$work/engine/shards/shard-$task-of-40.jsonl" ] && return 0
    kill -CONT "$pid" 2>/dev/null || true
  done
  return 1
}
until_true 20 "a task on the second node" caught

# The daemon, so that it reports no end of the task; the step's daemon, the script and the command.
daemon=$(cat "$work/two.pid")
script=$(ps -o ppid= -p "$victim" | tr -d ' ')
step=$(ps -o ppid= -p "$script" | tr -d ' ')
[[ $(ps -o args= -p "$step") == slurmstepd* ]] || die "process $step is no step's daemon: $(ps -o args= -p "$step")"
# Some may be gone with the one before.
for pid in "$daemon" "$step" "$script" "$victim"; do kill -KILL "$pid" 2>/dev/null || true; done
lost() { ! kill -0 "$daemon" 2>/dev/null && ! kill -0 "$victim" 2>/dev/null; }
until_true 5 "the end of the node and its task" lost
before=$(finished)
[ "$before" -lt 40 ] || die "the sweep was over before the kill"
say "killed the second node and its task $task with $before of 40 shards finished"

# The other node does the rest, and the lost task again.
done_all() { [ -z "$(squeue --noheader --job "$job" 2>/dev/null)" ]; }
until_true 150 "the end of the job array" done_all
[ "$(finished)" = 40 ] || die "only $(finished) of 40 shards are finished"
grep -q "Requeuing JobId=[0-9]*_$task(" "$work/slurmctld.err" || die "Slurm has not queued task $task again"
say "Slurm ran task $task again"
merge_and_compare

say "checked: a job array with --shard auto, a node killed at work, the lost task queued again, the same bytes"
