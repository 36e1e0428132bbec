"""Redis and PostgreSQL as the measuring scripts of this folder start them: empty, on a free port, gone when the block ends."""

import contextlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess

import measure
from measure import Server, await_true, free_port

# What most flash sales run once for each order: KEYS stock buyers, ARGV user. -1: bought already; 0: sold out.
CLASSIC_RESERVE = """
if redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 1 then return -1 end
if (tonumber(redis.call('GET', KEYS[1])) or 0) < 1 then return 0 end
redis.call('SADD', KEYS[2], ARGV[1])
return redis.call('DECR', KEYS[1]) + 1
"""
STOCK_KEY, BUYERS_KEY = "stock:{ticket}", "buyers:{ticket}"


class Redis(Server):
    """An empty redis-server that keeps nothing; the same port when it is started again."""

    def __init__(self, cpu, log, port=None):
        port = port or free_port()
        super().__init__(cpu, port, ["redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "",
                                     "--appendonly", "no"], log)
        self.url = f"redis://127.0.0.1:{port}/0"

    def ask(self, *words):
        """One command's reply as text: a line, or a bulk string."""
        request = "".join(f"${len(str(word))}\r\n{word}\r\n" for word in words)
        with socket.create_connection(("127.0.0.1", self.port), 10) as connection, connection.makefile("rb") as replies:
            connection.sendall(f"*{len(words)}\r\n{request}".encode())
            line = replies.readline().decode().strip()
            if line.startswith("-"):
                measure.fail(f"Redis answers {words[0]}: {line}")
            return replies.read(int(line[1:])).decode() if line.startswith("$") else line[1:]

    def counters(self):
        """(CPU microseconds used so far, EVALSHA calls so far)."""
        cpu = dict(line.split(":") for line in self.ask("INFO", "cpu").splitlines() if ":" in line)
        calls = [line for line in self.ask("INFO", "commandstats").splitlines() if line.startswith("cmdstat_evalsha:")]
        return ((float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])) * 1e6,
                int(calls[0].split("calls=")[1].split(",")[0]) if calls else 0)

    def begin_sale(self, stock):
        """Forgets all, and has so many units; the hash of CLASSIC_RESERVE."""
        self.ask("FLUSHALL")
        self.ask("SET", STOCK_KEY, stock)
        return self.ask("SCRIPT", "LOAD", CLASSIC_RESERVE)

    def stock(self):
        return int(self.ask("GET", STOCK_KEY))


@contextlib.contextmanager
def redis_server(cpu, log):
    with Redis(cpu, log) as redis:
        measure.await_port(redis.port, redis.process)
        yield redis


class Postgres(Server):
    """Yielded by postgres_server()."""

    def __init__(self, cpu, programs, home, log, settings, as_user):
        port = free_port()
        command = [programs / "postgres", "-D", home / "data", "-p", port, "-c", "listen_addresses=127.0.0.1",
                   "-c", f"unix_socket_directories={home}", *(word for setting in settings for word in ("-c", setting))]
        super().__init__(cpu, port, command, log, signal.SIGINT, **as_user)
        self.url = f"postgres://tester@127.0.0.1:{port}/postgres"

    def ask(self, statement):
        """The first column of the answer's first line."""
        done = subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", self.url, "-c", statement], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            measure.fail(f"PostgreSQL: {done.stderr}")
        return done.stdout.split("\n", 1)[0].split("|")[0]


@contextlib.contextmanager
def postgres_server(cpu, scratch, log, settings=()):
    """An empty cluster below `scratch`; PostgreSQL refuses to run as root, so then it becomes user postgres."""
    folders = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if not folders:
        measure.fail("there is no PostgreSQL in /usr/lib/postgresql (apt-get install postgresql)")
    programs = folders[-1].parent
    home = scratch / "postgres"
    home.mkdir()
    as_user = {"cwd": home}
    if os.geteuid() == 0:
        as_user |= {"user": "postgres", "group": "postgres", "extra_groups": []}
        shutil.chown(home, "postgres", "postgres")
        scratch.chmod(0o711)
    try:
        subprocess.run([programs / "initdb", "--no-sync", "--auth=trust", "--username=tester", "--locale=C.UTF-8", "--pgdata",
                        home / "data"], check=True, stdout=log, stderr=log, **as_user)
        with Postgres(cpu, programs, home, log, settings, as_user) as postgres:
            ping = [programs / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(postgres.port)]
            await_true(lambda: subprocess.run(ping, check=False).returncode == 0, postgres.process, "PostgreSQL does not start")
            yield postgres
    finally:
        shutil.rmtree(home)
