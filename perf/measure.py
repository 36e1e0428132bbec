"""What the measuring scripts of this folder share: servers and their CPU time, wrk, the machine, results.

A figure is a number of answers divided by the CPU time of the server in the same seconds, from the scheduler's own account
of its threads. Servers run pinned, one after the other, on empty data directories on a real file system.
"""

import argparse
import contextlib
import datetime
import json
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
ORDERS_LUA = ROOT / "perf" / "orders.lua"
START_SECONDS_MAX = 60


def fail(problem):
    sys.exit(f"{pathlib.Path(sys.argv[0]).name}: {problem}")


# ---- servers

def seconds_of(text):
    """A time as the server writes it (src/base/words.h): 740 ns, 12.3 us, 1.04 ms, 8.31 s."""
    number, unit = text.split()
    return float(number.replace(",", "")) * {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1}[unit]


def need(*programs):
    """Ends the script when a program is missing: (name, package) each."""
    missing = [(name, package) for name, package in programs if shutil.which(name) is None]
    if missing:
        fail(f"needs {', '.join(name for name, _ in missing)}: apt-get install {' '.join(sorted({package for _, package in missing}))}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_listening(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


def is_ready(admin):
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{admin}/readyz", timeout=1):
        return True
    return False


def gauge(admin, name):
    """The sum of a metric over its labels; None of a build that does not have it."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{admin}/metrics", timeout=60).read().decode()
    found = re.findall(rf"^{name}(?:{{[^}}]*}})? ([0-9.e+]+)$", text, re.MULTILINE)
    return int(sum(map(float, found))) if found else None


def await_true(condition, process, problem, every_seconds=0.02):
    """Returns when `condition()` holds; ends the script when the process is gone or nothing comes of it."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        if condition():
            return
        time.sleep(every_seconds)
    fail(problem)


def await_port(port, process):
    await_true(lambda: is_listening(port), process, f"no server answers on port {port}")


def await_ready(admin, process):
    await_true(lambda: is_ready(admin), process, "stampede does not become ready", every_seconds=0.005)


class Server:
    """A server process on its CPU, gone when the block ends."""

    def __init__(self, cpu, port, command, log, stop_signal=signal.SIGKILL, **popen):
        self.port = port
        self.stop_signal = stop_signal
        self.process = subprocess.Popen(["taskset", "-c", str(cpu), *map(str, command)], stdout=log, stderr=log, **popen)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(self.stop_signal)
        self.process.wait()

    def cpu_ns(self):
        """CPU time of each thread of the process and its children: {(pid, tid, name): ns}."""
        times = {}
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in [str(self.process.pid), *children]:
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                with contextlib.suppress(OSError):
                    name = (task / "comm").read_text().strip()
                    times[pid, task.name, name] = int((task / "schedstat").read_text().split()[0])
        return times


def cpu_s_of_processes():
    """User and system time of each process and of its children that have ended and were waited for: {pid: (parent, seconds)}."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # proc(5), behind the name: field 4 is the parent, 14 to 17 are utime, stime, cutime, cstime.
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                found[int(entry.name)] = int(fields[1]), sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return found


def cpu_s_of_family(ancestor):
    """The seconds of a process and all of its descendants together."""
    processes = cpu_s_of_processes()
    family, before = {ancestor}, 0
    while before < len(family):
        before = len(family)
        family |= {pid for pid, (parent, _) in processes.items() if parent in family}
    return sum(processes[pid][1] for pid in family if pid in processes)


class Together:
    """Several servers that answer as one, at the first one's port."""

    def __init__(self, *servers):
        self.servers = servers
        self.port = servers[0].port

    def cpu_ns(self):
        return {thread: ns for server in self.servers for thread, ns in server.cpu_ns().items()}


def class_of(thread):
    """Threads of stampede by name: shard-0 → shard, drainer → drainer, the rest → other; all of the others count."""
    name = thread[2]
    if name.startswith("shard-"):
        return "shard"
    return "drainer" if name == "drainer" else "other"


def used_between(before, after):
    """CPU time by class of thread between two answers of cpu_ns()."""
    used = {"shard": 0, "drainer": 0, "other": 0}
    for thread, ns in after.items():
        used[class_of(thread)] += ns - before.get(thread, 0)
    return used


def start_wrk(options, connections, url, script, arguments, seconds):
    command = ["taskset", "-c", options.wrk_cpu, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script, url, "--", *arguments]
    return subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def result_of_wrk(wrk):
    """Waits for its end; the last line of its script (perf/result.lua) as {name: number}."""
    out, errors = wrk.communicate()
    line = next((l for l in out.splitlines() if l.startswith("result ")), None)
    if line is None:
        fail(f"wrk failed\n{out}{errors}")
    return {key: int(value) for key, value in (pair.split("=") for pair in line.split()[1:])}


def run_wrk(options, connections, url, script, arguments):
    return result_of_wrk(start_wrk(options, connections, url, script, arguments, options.seconds))


@contextlib.contextmanager
def log_shown_on_failure(path):
    """A file for the servers' output, whose end is shown when the script ends by a failure."""
    with open(path, "w+", errors="replace") as log:
        try:
            yield log
        except SystemExit:
            log.seek(0)
            sys.stderr.write("".join(log.readlines()[-20:]))
            raise


# ---- neighbours

DISTURBING_CPUS = 0.1  # of others and of the host together; below that /proc/stat, which counts ticks, cannot tell


class Neighbours:
    """Who else had the machine while the block ran, in CPUs (1.0: one CPU all the time), from /proc/stat: `others` is what processes
    used that this script has not started, `steal` what the host gave to other machines, `load_average` that of the last minute.

    Time in the kernel on behalf of nobody counts as that of others: the interrupts of our own disk and network, some hundredths.
    """

    def __enter__(self):
        self.before = self.look()
        self.seen = {}
        return self

    def __exit__(self, *_):
        after = self.look()
        seconds, busy, steal, ours = (now - then for now, then in zip(after, self.before))
        self.seen = {"others": round(max(0.0, busy - ours) / seconds, 2), "steal": round(steal / seconds, 2),
                     "load_average": round(os.getloadavg()[0], 1)}

    @staticmethod
    def look():
        line = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        user, nice, system, _, _, irq, softirq, steal = (int(text) / os.sysconf("SC_CLK_TCK") for text in line[:8])
        return time.monotonic(), user + nice + system + irq + softirq, steal, cpu_s_of_family(os.getpid())


def taken(neighbours):
    """CPUs that were not ours, of Neighbours.seen."""
    return neighbours["others"] + neighbours["steal"]


def neighbours_text(all_seen):
    """A line for the header: what Neighbours saw in each of several measurements."""
    worst = max(map(taken, all_seen))
    highest = lambda name: max(seen[name] for seen in all_seen)
    disturbed = sum(taken(seen) > DISTURBING_CPUS for seen in all_seen)
    figures = f"others took up to {highest('others'):.2f} CPUs, the host {highest('steal'):.2f}; load average up to {highest('load_average'):.1f}"
    if worst <= DISTURBING_CPUS:
        return f"none that disturbed: {figures}"
    return f"! {disturbed} of {len(all_seen)} measurements disturbed: {figures}"


# ---- options, machine, results

def add_common_options(parser, rounds, seconds):
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--seconds", type=int, default=seconds, help=f"of one measurement (default {seconds})")
    parser.add_argument("--server-cpu", type=int, default=0)
    parser.add_argument("--wrk-cpu", type=int, default=1)
    parser.add_argument("--durability", default="fsync", choices=["fsync", "os"])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--scratch", type=pathlib.Path, default=pathlib.Path("/var/tmp"),
                        help="where the order log is written: a real disk (default /var/tmp)")
    parser.add_argument("--results", type=pathlib.Path, default=ROOT / "perf" / "results")
    parser.add_argument("--as", dest="name", metavar="NAME", help="results are NAME.txt and NAME.json and not DATE-SCRIPT, as perf/report has them")


def list_of(pattern):
    def parse(text):
        names = text.split(",")
        for name in names:
            if not re.fullmatch(pattern, name):
                raise argparse.ArgumentTypeError(f"{name!r} is none of {pattern}")
        return names
    return parse


def first_line(*command):
    try:
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, cwd=ROOT)
    except OSError:
        return "not installed"
    return (done.stdout + done.stderr).strip().splitlines()[0] if done.stdout + done.stderr else ""


def describe_machine(options, **more):
    """What stands above a table: {name: value}; call it first, because the load average is the one before the runs."""
    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    machine = {
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": first_line(options.build / "stampede", "version").removeprefix("stampede").strip(),
        "cpu": f"{cpu.group(1) if cpu else platform.processor()}, {os.cpu_count()} CPUs",
        "kernel": platform.release(),
        "file system of the order log": first_line("findmnt", "-n", "-o", "FSTYPE,SOURCE", "--target", options.scratch),
        "compiler": first_line("g++", "--version"),
        "wrk": first_line("wrk", "-v").split(" Copyright")[0],
        **more,
    }
    load = os.getloadavg()[0]
    if load > 1.5:
        machine["load average at start"] = f"{load:.1f}: others use this machine, its figures are disturbed"
    return machine


def header_of(machine):
    return [f"{key + ':':30} {value}" for key, value in machine.items()]


def today():
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")


def write_results(options, kind, table, contents):
    options.results.mkdir(parents=True, exist_ok=True)
    name = options.name or f"{today()}-{kind}"
    (options.results / f"{name}.txt").write_text(table)
    (options.results / f"{name}.json").write_text(json.dumps(contents, indent=1) + "\n")
    print(table)
    print(f"written to {options.results / name}.txt and .json")
