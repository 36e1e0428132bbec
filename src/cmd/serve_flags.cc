#include "cmd/serve_flags.h"

namespace stampede::cmd {
namespace {

std::vector<Flag> sale_flags(ServeFlags& flags) {
  return {
      {.name = "--config",
       .unit = "FILE",
       .target = &flags.config.path,
       .help = "[flags from a file](#a-configuration-file): lines `name = value`; those of the "
               "command line win; read again on SIGHUP",
       .is_line_only = true},
      {.name = "--check",
       .target = &flags.checks,
       .help = "[say whether a start would succeed](#before-a-start), and change nothing",
       .is_line_only = true},
      {.name = "--catalog",
       .unit = "FILE",
       .target = &flags.catalog,
       .help = "what is sold, JSON ([catalog](API.md#catalog)); read again on SIGHUP. Either this "
               "or `--demo`"},
      {.name = "--demo",
       .unit = "[bench]",
       .target = &flags.demo,
       .help = "one item, `ticket`, open now: 10,000 units, one for each user; with `bench` more "
               "than anybody buys and no limit, for measurements",
       .choices = {"sale", "bench"},
       .alone = "sale"},
      {.name = "--data",
       .unit = "DIR",
       .target = &flags.data,
       .help = "order log, snapshots, SQLite file; locked against a second server"},
  };
}

std::vector<Flag> buyer_flags(ServeFlags& flags) {
  return {
      {.name = "--listen",
       .unit = "ADDR:PORT|unix:PATH",
       .target = &flags.listen,
       .help = "public listener; `[::1]:8080` works, port 0 takes a free one; `localhost` is the "
               "only name"},
      {.name = "--connections",
       .unit = "N",
       .target = &flags.connections,
       .help = "most connections in all, beside 16 of operators; 0: as many as the limit of "
               "descriptors (`ulimit -n`) leaves",
       .more = "For one more, the longest idle one is closed; when none is idle, only payments and "
               "what "
               "buyers do with their orders get in",
       .bounds = {{0, bounds::shard_count_max * bounds::connections_max}},
       .is_live = true},
      {.name = "--auth",
       .unit = "ticket|header",
       .target = &flags.auth,
       .help = "how a user is known: signed tickets, or `X-User-Id` from a gateway",
       .choices = {"ticket", "header"},
       .absent = "`ticket` with `--key-file`, else `header`"},
      {.name = "--trust-gateway",
       .target = &flags.trust_gateway,
       .help = "allow `--auth header` beyond loopback"},
      {.name = "--key-file",
       .unit = "FILE",
       .target = &flags.inputs.key_file,
       .help = "secrets for tickets, links, payments, proofs and codes; private; read again on "
               "SIGHUP",
       .more = "Without it no payment is accepted"},
      {.name = "--allow-origin",
       .unit = "ORIGIN",
       .target = &flags.origins,
       .help = "pages of this origin, such as `https://shop.example`, may call the public API "
               "from "
               "a browser; `*`: all pages",
       .more = "Without it no answer has a header for other origins. Behind the example gateway "
               "leave it out: nginx says it"},
      {.name = "--bloom-fpr",
       .unit = "RATE",
       .target = &flags.bloom_rate,
       .help = "a filter in front of the item codes lets this share of those that nobody sells "
               "through to the table, such as 0.01; 0: no filter",
       .more = "It pays only where programs try codes against a catalog of a hundred thousand "
               "items or more: there a miss costs 35 ns in place of 330, but each hit a little "
               "more; with a thousand items 23 in place of 32 and 29 in place of 22 "
               "([perf/results/2026-11-28-find-code.txt](perf/results/2026-11-28-find-code.txt))",
       .bounds = {{0, 0.5}}},
  };
}

std::vector<Flag> operator_flags(ServeFlags& flags) {
  return {
      {.name = "--admin",
       .unit = "ADDR:PORT|unix:PATH",
       .target = &flags.admin,
       .help = "operators' listener"},
      {.name = "--admin-token-file",
       .unit = "FILE",
       .target = &flags.inputs.admin_token_file,
       .help = "[operators](#the-operators-listener): lines `NAME TOKEN`, or one token (16 "
               "characters or more); private; read again on SIGHUP; required beyond loopback or a "
               "Unix socket"},
      {.name = "--admin-host",
       .unit = "NAME",
       .target = &flags.admin_hosts,
       .help = "a further name of the operators' listener, such as a proxy's"},
  };
}

// Flags of the lines that the server writes, to stderr and to the access log.
std::vector<Flag> log_flags(ServeFlags& flags) {
  return {
      {.name = "--log-level",
       .unit = "LEVEL",
       .target = &flags.log_level,
       .help = "lines of this level and of graver ones are printed: `error`, `warn`, `info`, "
               "`debug`",
       .more = "The lines of a start come in any case",
       .choices = {"error", "warn", "info", "debug"}},
      {.name = "--log-format",
       .unit = "text|json",
       .target = &flags.log_format,
       .help = "[lines](#lines) as text, or one JSON object each",
       .choices = {"text", "json"}},
      {.name = "--access-log",
       .unit = "FILE",
       .target = &flags.access_log,
       .help = "[one line a request](#the-access-log) goes into this file; SIGUSR1 opens it again"},
      {.name = "--access-log-sample",
       .unit = "N",
       .target = &flags.access_sample,
       .help = "with `--access-log`: a line of every so many requests of a shard",
       .bounds = {{1, 1'000'000}}},
      {.name = "--slow-turn-us",
       .unit = "US",
       .target = &flags.slow_turn_us,
       .help = "a shard that works longer than this in one turn leaves [a line](#turns) that says "
               "where the time went; 0: none",
       .bounds = {{0, 60'000'000}}},
  };
}

// Limits of one address, of one user, and of all together.
std::vector<Flag> limit_flags(ServeFlags& flags) {
  return {
      {.name = "--rate-user",
       .unit = "N/T",
       .target = &flags.rate_user,
       .help = "order requests of one user, and those for links, in a fixed window, such as "
               "`20/1s` (`ms`, `s`, `m`, `h`; up to 24 h); 0: no limit",
       .more = "Exact over all connections, keys and items ([what counts](API.md#limits)); a "
               "restart begins new windows",
       .is_live = true},
      {.name = "--open-per-user",
       .unit = "N",
       .target = &flags.open_per_user,
       .help = "unpaid reservations of one user over all items, and growing "
               "[pauses](API.md#limits) for users who let them expire again and again; 0: no "
               "limit, no pause",
       .bounds = {{0, bounds::open_per_user_max}},
       .is_live = true},
      {.name = "--order-rate",
       .unit = "N|auto",
       .target = &flags.order_rate,
       .help = "new reservations a second on this node, over all shards; `auto`: what the "
               "database "
               "takes, measured; 0: no limit",
       .more = "`auto` is half of the rows a second that the drainer gets into the database (each "
               "order is written twice), 5,000 until that is measured, what it was last while the "
               "database is away, no limit with `--db none`",
       .is_live = true},
      {.name = "--rate-address",
       .unit = "N/T",
       .target = &flags.rate_address,
       .help = "most requests of one address (IPv6: of one /64) in a fixed window, such as "
               "`100/1s`: [limits of addresses](#limits-of-addresses); 0: no limit",
       .is_live = true},
      {.name = "--connections-address",
       .unit = "N",
       .target = &flags.connections_address,
       .help = "most connections of one address; 0: no limit",
       .more = "0, and only 0, behind `--address-header`",
       .bounds = {{0, shard::kConnectionsAddressMost}},
       .is_live = true},
      {.name = "--address-header",
       .unit = "NAME",
       .target = &flags.address_header,
       .help = "with `--trust-gateway`: the header in which the gateway names the buyer's address, "
               "such as `X-Real-IP`",
       .absent = "–"},
      {.name = "--blocked",
       .unit = "FILE",
       .target = &flags.inputs.blocked,
       .help = "[who gets no new orders](#blocked-users): lines `user ID` and `address IP[/LEN]`; "
               "private; read again on SIGHUP"},
  };
}

// Where units and orders are kept.
std::vector<Flag> store_flags(ServeFlags& flags) {
  return {
      {.name = "--db",
       .unit = "URL",
       .target = &flags.db,
       .help = "`sqlite:PATH`, `postgres://user@host:port/name` or `none`",
       .more = "Of PostgreSQL what libpq reads: several hosts, `PGPASSWORD`, `~/.pgpass`",
       .absent = "`sqlite:<data>/orders.db`"},
      {.name = "--durability",
       .unit = "fsync|os",
       .target = &flags.durability,
       .help = "what an acknowledgement waits for: stable storage, or `write()`, which survives "
               "kill -9 but no power cut ([README](README.md#what-an-acknowledgement-means))",
       .choices = {"fsync", "os"}},
      {.name = "--ledger",
       .unit = "URL",
       .target = &flags.ledger,
       .help = "where free units are counted: in this process, or [shared with other "
               "nodes](#several-nodes) in `redis://[user:password@]host:port/db`, "
               "`redis+sentinel://h1:p1,h2:p2/master`, `redis+cluster://h1:p1,…`"},
      {.name = "--ledger-timeout-ms",
       .unit = "MS",
       .target = &flags.ledger_timeout_ms,
       .help = "how long the shared ledger may take to answer; then it counts as gone",
       .bounds = {{10, 60'000}}},
      {.name = "--node",
       .unit = "N",
       .target = &flags.node,
       .help = "part of every order id, fixed for a data directory, unique among nodes that share "
               "a ledger",
       .bounds = {{0, bounds::node_max}}},
      {.name = "--retain",
       .unit = "HOURS",
       .target = &flags.retain_hours,
       .help = "how long finished orders stay readable after the item's end and pay window, and an "
               "hour more by the machine's running clock; then the sale is ended for good",
       .bounds = {{0, 8760}}},
      {.name = "--orders-max",
       .unit = "N",
       .target = &flags.orders_max,
       .help = "most orders in memory, then `overloaded`; some 300 bytes each",
       .bounds = {{1000, 4'000'000'000}}},
      {.name = "--drain-lag-max",
       .unit = "N",
       .target = &flags.drain_lag_max,
       .help = "records of one shard that the database may be behind, then `overloaded`; 0: no "
               "bound",
       .is_live = true},
      {.name = "--segment-bytes",
       .unit = "BYTES",
       .target = &flags.segment_bytes,
       .help = "size of a log file, for a new data directory",
       .bounds = {{bounds::segment_bytes_min, bounds::segment_bytes_max}}},
      {.name = "--accept-loss",
       .target = &flags.accept_loss,
       .help = "start although the log lacks records that the database has, or that lie in front "
               "of records it still has "
               "([README](README.md#what-an-acknowledgement-means))"},
  };
}

// The process itself.
std::vector<Flag> process_flags(ServeFlags& flags) {
  return {
      {.name = "--shards",
       .unit = "N",
       .target = &flags.shards,
       .help = "reactor threads",
       .bounds = {{1, bounds::shard_count_max}},
       .absent = "one per allowed CPU"},
      {.name = "--cpus",
       .unit = "LIST",
       .target = &flags.cpus,
       .help = "CPUs to pin shards to, `0,2-5`",
       .absent = "those allowed"},
      {.name = "--lease-max",
       .unit = "UNITS",
       .target = &flags.lease_max,
       .help = "most units a shard leases ahead per item; 0: none",
       .bounds = {{0, shard::kLeaseMaxMost}},
       .is_live = true},
      {.name = "--sandbox",
       .target = &flags.sandbox,
       .help = "once started, a filter refuses all system calls that a running server does not "
               "make; to start a program or a process ends it"},
      {.name = "--core-dumps",
       .target = &flags.core_dumps,
       .help = "a crash may write a core file",
       .more = "It holds the keys, so without the flag none is written and no other process "
               "of the "
               "user may look into the memory"},
  };
}

std::vector<Example> examples() {
  return {
      {"stampede serve --demo", "something to try: one item, 10,000 units"},
      {"stampede serve --catalog sale.json --key-file keys.json", "buyers show signed tickets"},
      {"stampede serve --config /etc/stampede/stampede.conf --check",
       "would it start with this configuration?"},
      {"stampede serve --node 3 --catalog sale.json --ledger redis://redis "
       "--db postgres://db/sale",
       "one of several nodes that sell one stock"},
  };
}

std::vector<ExitMeaning> exits() {
  return {{kExitOk, "it was stopped, and stopped cleanly; with --check: a start would succeed"},
          {kExitFailure, "it could not go on: a port in use, a database away that is needed"},
          {kExitUsage,
           "a wrong flag, configuration, catalog or key file; a directory of another "
           "node, machine or version"},
          {kExitLogWrite, "a write to the order log failed: restart"},
          {kExitDirInUse, "another process holds the data directory"},
          {kExitLogDamaged, "the order log is damaged, or older than what the database knows"}};
}

}  // namespace

void add_serve_flags(Command& command, ServeFlags& flags) {
  command.config = &flags.config;
  command.examples = examples();
  command.exits = exits();
  command.add("What is sold", sale_flags(flags));
  command.add("Buyers", buyer_flags(flags));
  command.add("Operators", operator_flags(flags));
  command.add("What is written down", log_flags(flags));
  command.add("Limits", limit_flags(flags));
  command.add("Where units and orders are kept", store_flags(flags));
  command.add("The process", process_flags(flags));
}

}  // namespace stampede::cmd
