"""Runs the unfinished shards of a planned Strait sweep on a Ray cluster that is already there.

In: a folder written by `strait sweep plan` on a file system that all nodes share, and the address of
a Ray head. Out: the shards' files, written by `strait sweep run DIR --shard I/N` on the nodes, and
on stdout one JSON object a line for each shard that has ended:

    {"shard": 3, "of": 40, "status": 0, "node": "1f0c…", "address": "10.0.0.7", "attempt": 1, "seconds": 41.2}

`status` is the exit status of `strait` on the node; where it is not 0, `reason` says why. All else is
on stderr. Exit status, as that of `strait`: 0 all shards are finished; 2 the setup is wrong (Ray, its
address or token, the folder or the command on a node); 3 the plan is refused; 1 a fault; 75 storage or
nodes failed too often, worth a retry; 130 interrupted. Running it again does what is missing.

It never reads a scenario, never merges, and starts and stops no cluster. Run it on a node of the
cluster (the head will do): a Ray driver needs a node beside it.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import importlib.metadata
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

# The Ray that is tested (engines/ray/requirements.txt pins the same), and the oldest with token authentication.
TESTED_RAY, OLDEST_RAY = "2.60.0", (2, 52)
# How often a task is started again when its worker or node is lost, and when storage fails.
RETRIES = 3
# Shards handed to Ray ahead of time, for each slot: enough to keep every node busy.
AHEAD = 4
USAGE, BAD_PLAN, TEMPORARY, INTERRUPTED = 2, 3, 75, 130
# Remedies that are told in more than one place.
SHARED = "all nodes must see the folder of the sweep, under the same path, on a shared file system"
BESIDE = "run it on a node of the cluster (the head will do), with the cluster's versions of Ray and Python"


class Job(NamedTuple):
    """What is the same for all shards of a sweep."""

    folder: str
    plan_sha256: str
    shards: int
    strait: str
    threads: int


def say(text: str) -> None:
    """Tells the user something; stdout is for the results."""
    print(f"sweep on ray: {text}", file=sys.stderr, flush=True)


def fail(status: int, text: str) -> NoReturn:
    """Ends with what is wrong and what to do about it."""
    say(text)
    raise SystemExit(status)


def run_shard(job: Job, shard: int, pause: float) -> dict[str, Any]:
    """Runs one shard; the only part of this file that runs on a worker."""
    import ray

    # After a failure of storage. It holds the slot on purpose: fewer processes then press the storage.
    time.sleep(pause)
    context, start = ray.get_runtime_context(), time.monotonic()
    place = {"shard": shard, "of": job.shards, "node": context.get_node_id(), "address": ray.util.get_node_ip_address()}

    def ended(status: int, reason: str = "") -> dict[str, Any]:
        end = {**place, "status": status, "seconds": round(time.monotonic() - start, 3)}
        return {**end, "reason": reason} if status else end

    plan = Path(job.folder, "plan.json")
    try:
        seen = hashlib.sha256(plan.read_bytes()).hexdigest()
    except OSError as error:
        return ended(USAGE, f"{plan} cannot be read there ({error.strerror}): {SHARED}")
    if seen != job.plan_sha256:
        return ended(USAGE, f"{plan} is another plan there: {SHARED}")

    libc = ctypes.CDLL(None)
    command = [job.strait, "sweep", "run", job.folder, "--shard", f"{shard}/{job.shards}"]
    command += ["--threads", str(job.threads), "--quiet"]
    try:
        # A killed worker takes its command along (PR_SET_PDEATHSIG is 1): what a lost worker leaves behind
        # would hold the shard's lock against the second try. A shard is written whole or not at all.
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: libc.prctl(1, signal.SIGKILL),
        )
    except OSError as error:
        return ended(
            USAGE, f"{job.strait} cannot be started there ({error.strerror}): install it on all nodes, or see --strait"
        )
    while True:
        try:
            # Cancelling a task raises KeyboardInterrupt here, but only between two system calls.
            _, stderr = child.communicate(timeout=0.5)
            break
        except subprocess.TimeoutExpired:
            continue
        except BaseException:
            child.kill()
            child.wait()
            raise
    # A status below zero is the signal that killed it, which said nothing.
    return ended(
        child.returncode, stderr.decode(errors="replace").strip()[-2000:] or f"`strait` ended with {child.returncode}"
    )


def unfinished(strait: str, folder: str) -> tuple[int, list[int]]:
    """Asks the command how many shards there are, and which of them are not finished."""
    try:
        asked = subprocess.run(
            [strait, "sweep", "status", folder, "--json"], stdin=subprocess.DEVNULL, capture_output=True, text=True
        )
    except OSError as error:
        fail(USAGE, f"{strait} cannot be started ({error.strerror}): name the command with --strait")
    if asked.returncode:
        fail(
            asked.returncode if asked.returncode > 0 else 1,
            asked.stderr.strip() or f"`{strait} sweep status {folder}` ended with {asked.returncode}",
        )
    status = json.loads(asked.stdout)
    return status["shards"], sorted(set(range(status["shards"])) - set(status["finished"]))


def check_ray() -> None:
    """Refuses to go on without a Ray that can be used, and says how to get it."""
    get = f"python3 -m pip install ray=={TESTED_RAY} (or the version of your cluster)"
    try:
        version = importlib.metadata.version("ray")
    except importlib.metadata.PackageNotFoundError:
        fail(USAGE, f"Ray is not installed for {sys.executable}: {get}")
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_RAY:
        fail(USAGE, f"Ray {version} is too old, it knows no tokens: {get}")


def silent(address: str, timeout: float) -> str:
    """Why nothing listens at the address; empty if something does."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        fail(USAGE, f"--address {address}: give HOST:PORT of the head, such as ray-head:6379")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout).close()
    except (OSError, OverflowError) as error:
        return str(error)
    return ""


def check_head(address: str, timeout: float) -> None:
    """Finds out, before Ray's own long tries, whether the head answers, and to whom."""
    if why := silent(address, timeout):
        fail(TEMPORARY, f"no Ray head answers at {address} ({why}): is it running, and may this machine reach it?")

    def health(**environment: str) -> str:
        """Why Ray's own health check fails; empty if the head answers."""
        # A process of its own: Ray reads the mode of authentication once per process.
        command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
        try:
            check = subprocess.run(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout,
            )
        except subprocess.TimeoutExpired:
            fail(TEMPORARY, f"what listens at {address} does not answer as a Ray head does: as a rule its port is 6379")
        # Without any token Ray ends with a trace of its stack and no error.
        errors = [line for line in check.stderr.splitlines() if "Error: " in line]
        return "" if check.returncode == 0 else (errors or ["Ray gave no reason"])[-1]

    stranger = health(RAY_AUTH_MODE="disabled")
    if not stranger:
        say(
            f"warning: the head at {address} asks for no token: who reaches its ports can run anything on your nodes. "
            "Start head and nodes with RAY_AUTH_MODE=token, on a private network"
        )
    elif refusal := health():
        remedy = (
            ": export RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH=FILE (or RAY_AUTH_TOKEN) as on its nodes"
            if "AuthToken" in stranger
            else ""
        )
        fail(USAGE, f"the head at {address} refuses this client{remedy}\n{refusal}")


def connect(address: str, timeout: float, threads: int) -> None:
    """Joins the cluster as a driver, or says why it cannot within the time."""
    import ray

    def give_up() -> None:
        say(f"the cluster at {address} did not take this driver within {timeout:g} s: {BESIDE}")
        os._exit(TEMPORARY)

    watchdog = threading.Timer(timeout, give_up)
    watchdog.daemon = True
    watchdog.start()
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        fail(USAGE, f"the cluster at {address} did not take this driver: {BESIDE}\n{error}")
    watchdog.cancel()
    if not any(node["Alive"] and node["Resources"].get("CPU", 0) >= threads for node in ray.nodes()):
        ray.shutdown()
        fail(USAGE, f"no node of the cluster has the {threads} CPU(s) of a shard: start nodes, or give fewer --threads")


def watch(address: str) -> None:
    """Ends this process when the head is gone; Ray's own calls hang for a minute and then end it as a fault."""
    while True:
        time.sleep(5.0)
        if silent(address, 5.0) and (why := silent(address, 5.0)):
            say(f"the head at {address} is gone ({why}): start the cluster again, and run the same command")
            os._exit(TEMPORARY)


def sweep(job: Job, shards: list[int], results: IO[str]) -> tuple[int, dict[int, str]]:
    """Runs the shards, telling each that ended; returns the status to end with, and why which shards failed."""
    import ray

    remote = ray.remote(run_shard).options(num_cpus=job.threads, max_retries=RETRIES, name="strait-shard")
    waiting = deque((shard, 1) for shard in shards)
    running: dict[Any, tuple[int, int]] = {}
    failed: dict[int, str] = {}
    statuses: set[int] = set()
    try:
        while waiting or running:
            slots = int(ray.cluster_resources().get("CPU", 0) // job.threads)
            while waiting and len(running) < AHEAD * max(slots, 1):
                shard, attempt = waiting.popleft()
                running[remote.remote(job, shard, 5.0 * (attempt - 1))] = (shard, attempt)
            for done in ray.wait(list(running), timeout=5.0)[0]:
                shard, attempt = running.pop(done)
                try:
                    end = ray.get(done)
                    # Killed from outside, or stopped by whoever drains the node: as good as a lost worker.
                    again = end["status"] in (TEMPORARY, INTERRUPTED) or end["status"] < 0
                except ray.exceptions.RayError as error:
                    # Ray itself has started it again as often as it may.
                    lost = f"lost: {type(error).__name__}: {str(error).strip().splitlines()[0]}"
                    end = {"shard": shard, "of": job.shards, "status": TEMPORARY, "reason": lost}
                    again = False
                if again and attempt <= RETRIES:
                    say(f"shard {shard} is tried again ({attempt} of {RETRIES}): {end['reason']}")
                    waiting.append((shard, attempt + 1))
                    continue
                print(json.dumps({**end, "attempt": attempt}), file=results, flush=True)
                if end["status"]:
                    failed[shard] = f"status {end['status']} on {end.get('address', 'a lost node')}: {end['reason']}"
                    statuses.add(TEMPORARY if again else end["status"])
                if end["status"] in (USAGE, BAD_PLAN) and waiting:
                    say(f"shard {shard} cannot be helped by another try: {len(waiting)} shards are not handed out")
                    waiting.clear()
    except (KeyboardInterrupt, BrokenPipeError):
        for task in running:
            ray.cancel(task)
        ray.wait(list(running), num_returns=len(running), timeout=10.0)
        raise
    worst = next((status for status in (BAD_PLAN, USAGE, TEMPORARY) if status in statuses), 1 if statuses else 0)
    return worst, failed


def interrupt(*_: object) -> NoReturn:
    """Ends in order on the signals that ask to."""
    raise KeyboardInterrupt


def main() -> int:
    """Reads the command line and runs the sweep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "folder", metavar="DIR", help="folder of `strait sweep plan`, on a file system that all nodes share"
    )
    parser.add_argument("--address", required=True, metavar="HOST:PORT", help="the Ray head")
    parser.add_argument(
        "--strait",
        default="strait",
        metavar="COMMAND",
        help="the command on every node (default: strait on the PATH of the nodes)",
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPUs of one shard (default: 1)")
    parser.add_argument(
        "--timeout", type=float, default=30.0, metavar="SECONDS", help="for an answer from the head (default: 30)"
    )
    given = parser.parse_args()
    if given.threads < 1 or given.timeout <= 0:
        parser.error("--threads and --timeout must be above zero")

    folder = os.path.abspath(given.folder)
    strait = os.path.abspath(given.strait) if os.sep in given.strait else given.strait
    check_ray()
    shards, missing = unfinished(strait, folder)
    try:
        plan = Path(folder, "plan.json").read_bytes()
    except OSError as error:
        fail(BAD_PLAN, f"{folder}/plan.json cannot be read ({error.strerror}): write it with `strait sweep plan`")
    if not missing:
        say(f"all {shards} shards are finished already")
        return 0
    # Ray writes what happens to its nodes on stdout; that is ours.
    results = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    check_head(given.address, given.timeout)
    connect(given.address, given.timeout, given.threads)
    # Ray has handlers of its own, which would end this process without cancelling anything.
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, interrupt)
    threading.Thread(target=watch, args=(given.address,), daemon=True).start()
    say(f"{len(missing)} of {shards} shards to run")
    job = Job(folder, hashlib.sha256(plan).hexdigest(), shards, strait, given.threads)
    try:
        status, failed = sweep(job, missing, results)
    except (KeyboardInterrupt, BrokenPipeError):
        done = shards - len(unfinished(strait, folder)[1])
        say(f"interrupted: {done} of {shards} shards are finished; the same command goes on from there")
        return INTERRUPTED
    left = unfinished(strait, folder)[1]
    if failed:
        say(f"{len(failed)} shard(s) failed finally, {len(left)} of {shards} are not finished")
        for reason in sorted(set(failed.values())):
            alike = ", ".join(str(shard) for shard in sorted(failed) if failed[shard] == reason)
            say(f"shard(s) {alike}: {reason}")
        return status
    if left:
        fail(USAGE, f"{len(left)} shards ended well, but their files are not in {folder}: {SHARED}")
    say(f"all {shards} shards are finished")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
