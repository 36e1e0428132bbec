// `stampede serve`: flags, signals, and what the operator reads while it starts and stops. The server itself is put
// together in node/node.cc.
#include <sched.h>
#include <signal.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>

#include "base/diag.h"
#include "base/thread.h"
#include "cluster/redis_client.h"
#include "cmd/hardening.h"
#include "cmd/input_file.h"
#include "cmd/inputs.h"
#include "cmd/process.h"
#include "cmd/serve_flags.h"
#include "http/bytes.h"
#include "http/names.h"
#include "node/node.h"

namespace stampede::cmd {
namespace {

constexpr size_t kCatalogBytesMax = size_t{1} << 30;
// timeout, sudo and some supervisors signal the process and its group as well: one wish to stop arrives as two signals.
constexpr int64_t kOneWishNs = kSecond / 2;

Result<std::vector<int>> allowed_cpus(const std::string& list) {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  std::vector<int> allowed;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) allowed.push_back(cpu);
  if (list.empty()) return allowed;
  std::vector<int> cpus;
  const char* at = list.c_str();
  const auto wrong = [&] {
    return Error{"--cpus: expected CPU numbers such as 0,2-5, not '" + list + "'"};
  };
  while (*at != '\0') {
    int first, last, used = 0;
    if (std::sscanf(at, "%d%n", &first, &used) != 1 || first < 0) return wrong();
    at += used;
    last = first;
    if (*at == '-') {
      if (std::sscanf(at + 1, "%d%n", &last, &used) != 1 || last < first) return wrong();
      at += used + 1;
    }
    for (int cpu = first; cpu <= last; ++cpu) {
      if (std::find(allowed.begin(), allowed.end(), cpu) == allowed.end())
        return Error{"--cpus: this process may not run on CPU " + std::to_string(cpu)};
      cpus.push_back(cpu);
    }
    if (*at == ',')
      ++at;
    else if (*at != '\0')
      return wrong();
  }
  return cpus;
}

std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

Result<http::OwnHosts> own_hosts(const net::Address& admin, const std::vector<std::string>& names) {
  http::OwnHosts own;
  own.address = http::host_of(net::text_of(admin));
  own.is_unix = admin.family == net::Address::Family::unix_path;
  own.is_loopback = net::is_loopback(admin);
  own.has_any_address = own.address == "0.0.0.0" || own.address == "[::]";
  for (const std::string& name : names) {
    if (!http::all_are(name, http::kAuthority) || !http::is_authority(name))
      return Error{"--admin-host " + name + ": expected a host's name, such as admin.example"};
    own.names.push_back(to_lower(http::host_of(name)));
  }
  return own;
}

// What the operators' listener asks of its clients.
Status take_admin_access(const ServeFlags& flags, node::NodeSettings& settings) {
  Result<http::OwnHosts> hosts = own_hosts(settings.admin, flags.admin_hosts);
  if (!hosts) return hosts.error();
  settings.admin_hosts = *hosts;
  if (settings.operators == nullptr && !net::is_loopback(settings.admin))
    return Error{"--admin " + flags.admin +
                 ": beyond loopback or a Unix socket it needs --admin-token-file"};
  return Ok{};
}

// What one user, and all together, may ask for.
Status take_order_limits(const ServeFlags& flags, door::Limits& limits) {
  const std::optional<door::Rate> user = door::parse_rate(flags.rate_user);
  if (!user)
    return Error{"--rate-user: expected N/T such as 20/1s, or 0, not '" + flags.rate_user + "'"};
  limits.user = *user;
  limits.open_per_user = flags.open_per_user;
  const std::optional<door::OrderRate> order_rate = door::parse_order_rate(flags.order_rate);
  if (!order_rate)
    return Error{"--order-rate: expected a number up to " + std::to_string(bounds::order_rate_max) +
                 ", auto or 0, not '" + flags.order_rate + "'"};
  limits.order_rate = *order_rate;
  return Ok{};
}

// A header that only the gateway may write; one that means something else already cannot be it.
Status take_address_header(const ServeFlags& flags, door::Rules& rules) {
  if (flags.address_header.empty()) return Ok{};
  const std::string name = to_lower(flags.address_header);
  const auto wrong = [&](const char* why) {
    return Error{"--address-header " + flags.address_header + ": " + why};
  };
  if (!flags.trust_gateway)
    return wrong(
        "anybody could write it; it needs --trust-gateway, when only a gateway can connect");
  if (!http::all_are(name, http::kToken))
    return wrong("expected a header's name, such as X-Real-IP");
  if (http::field_of(name) != http::Field::other)
    return wrong("this header says something else; expected one such as X-Real-IP");
  rules.address_header = name;
  return Ok{};
}

// What the door goes by until operators change it.
Status take_rules(const ServeFlags& flags, door::Rules& rules) {
  const std::optional<door::Rate> rate = door::parse_rate(flags.rate_address);
  if (!rate)
    return Error{"--rate-address " + flags.rate_address + ": expected N/T such as 100/1s, or 0"};
  rules.limits.address = *rate;
  rules.limits.connections_address = flags.connections_address;
  rules.limits.connections = flags.connections;
  if (Status orders = take_order_limits(flags, rules.limits); !orders) return orders;
  if (Status header = take_address_header(flags, rules); !header) return header;
  if (const char* why = door::contradiction_in(rules))
    return Error{"--address-header and --connections-address: " + std::string(why)};
  return Ok{};
}

Status take_catalog(const ServeFlags& flags, node::NodeSettings& settings) {
  if (flags.demo == !flags.catalog.empty())
    return Error{flags.demo ? "--demo and --catalog exclude each other"
                            : "--catalog FILE or --demo: say what to sell"};
  if (flags.demo) {
    settings.catalog.push_back(stock::demo_entry());
  } else {
    Result<std::string> text = read_file(flags.catalog, kCatalogBytesMax);
    if (!text) return Error{"--catalog: " + text.error().message};
    Result<std::vector<stock::CatalogEntry>> entries = stock::parse_catalog(*text, flags.catalog);
    if (!entries) return Error{"--catalog: " + entries.error().message};
    settings.catalog = std::move(*entries);
    settings.catalog_dir = std::filesystem::path(flags.catalog).parent_path().string();
  }
  return Ok{};
}

// The files that are read again on SIGHUP, and how a user is known by them.
Status take_inputs(const ServeFlags& flags, node::NodeSettings& settings) {
  Result<Inputs> inputs = read_inputs(flags.inputs);
  if (!inputs) return inputs.error();
  settings.keys = inputs->keys;
  settings.operators = inputs->operators;
  settings.rules.blocked.file = inputs->blocked;
  settings.by_ticket = flags.auth.empty() ? settings.keys != nullptr : flags.auth == "ticket";
  if (settings.by_ticket && settings.keys == nullptr)
    return Error{"--auth ticket: needs --key-file"};
  if (!settings.by_ticket && !net::is_loopback(settings.listen) && !flags.trust_gateway)
    return Error{"--auth header on " + flags.listen +
                 ": anybody could be any user; give --key-file for signed tickets, "
                 "or --trust-gateway when only a gateway can connect"};
  return Ok{};
}

// From flags to settings; an Error is one line that names the flag.
Result<node::NodeSettings> settings_of(const ServeFlags& flags) {
  node::NodeSettings settings;
  if (Status catalog = take_catalog(flags, settings); !catalog) return catalog.error();
  if (flags.ledger != "embedded") {
    Result<cluster::RedisUrl> redis = cluster::parse_redis_url(flags.ledger);
    if (!redis) return Error{"--ledger: " + redis.error().message};
    settings.redis = *redis;
  }
  settings.ledger_timeout_ms = flags.ledger_timeout_ms;
  Result<net::Address> listen = net::parse_address(flags.listen);
  if (!listen) return Error{"--listen: " + listen.error().message};
  Result<net::Address> admin = net::parse_address(flags.admin);
  if (!admin) return Error{"--admin: " + admin.error().message};
  Result<http::Origins> origins = http::Origins::make(flags.origins);
  if (!origins) return Error{"--allow-origin: " + origins.error().message};
  settings.origins = *origins;
  Result<std::vector<int>> cpus = allowed_cpus(flags.cpus);
  if (!cpus) return cpus.error();
  Result<drain::DatabaseUrl> database = drain::parse_database_url(
      flags.db.empty() ? "sqlite:" + flags.data + "/orders.db" : flags.db);
  if (!database) return Error{"--db: " + database.error().message};
  settings.database_text = drain::display_name(*database);
  settings.listen = *listen;
  if (Status inputs = take_inputs(flags, settings); !inputs) return inputs.error();
  settings.admin = *admin;
  if (Status rules = take_rules(flags, settings.rules); !rules) return rules.error();
  if (Status access = take_admin_access(flags, settings); !access) return access.error();
  if (flags.segment_bytes % bounds::log_block_bytes != 0)
    return Error{"--segment-bytes: expected a multiple of " +
                 std::to_string(bounds::log_block_bytes)};
  settings.bloom_rate = flags.bloom_rate;
  settings.data_dir = flags.data;
  settings.cpus = *cpus;
  settings.shard_count =
      flags.shards != 0 ? flags.shards : std::min<uint32_t>(cpus->size(), bounds::shard_count_max);
  settings.node = flags.node;
  settings.database = *database;
  settings.durability =
      flags.durability == "os" ? orderlog::Durability::os : orderlog::Durability::fsync;
  settings.retain_ms = static_cast<int64_t>(flags.retain_hours * 3600e3);
  settings.lease_max = flags.lease_max;
  settings.segment_bytes = flags.segment_bytes;
  settings.orders_max = flags.orders_max;
  settings.drain_lag_max = flags.drain_lag_max;
  settings.accepts_loss = flags.accept_loss;
  settings.version = version_text();
  settings.wake_reader = [] { kill(getpid(), SIGHUP); };
  return settings;
}

std::string url_of(const net::Address& address) {
  const std::string text = net::text_of(address);
  return address.family == net::Address::Family::unix_path ? text : "http://" + text;
}

// What curl is told to reach a listener by.
std::string curl_target_of(const net::Address& address) {
  const bool is_unix = address.family == net::Address::Family::unix_path;
  return is_unix ? "--unix-socket '" + address.path + "' http://localhost" : url_of(address);
}

// Whoever knows the code can buy it.
bool is_for_everybody(const stock::ItemTerms& terms) {
  return !terms.has_hidden_link && terms.product.empty() && terms.enrolled.empty();
}

void print_start(const node::Node& node, const node::NodeSettings& settings) {
  for (const std::string& line : node.notices()) std::printf("%s\n", line.c_str());
  const std::string ledger = settings.redis ? ", ledger " + cluster::text_of(*settings.redis) : "";
  std::printf("%zu item%s, %u shard%s, data in %s, database %s%s\n", settings.catalog.size(),
              settings.catalog.size() == 1 ? "" : "s", settings.shard_count,
              settings.shard_count == 1 ? "" : "s", settings.data_dir.c_str(),
              settings.database_text.c_str(), ledger.c_str());
  const std::string url = url_of(node.listen_address());
  std::printf("listening on %s\nadmin on %s\n", url.c_str(), url_of(node.admin_address()).c_str());
  if (!settings.by_ticket && !settings.catalog.empty() &&
      is_for_everybody(settings.catalog[0].terms))
    std::printf(
        "buy one: curl --json '{\"item\":\"%s\",\"qty\":1}' -H 'X-User-Id: alice' %s/v1/orders\n",
        std::string(settings.catalog[0].terms.code.view()).c_str(),
        curl_target_of(node.listen_address()).c_str());
  std::printf("ready\n");
  std::fflush(stdout);
}

// Such as `, 2 users from members.txt`.
std::string what_of(const door::Enrolments& enrolments, bool is_more) {
  std::string what;
  for (const auto& [file, users] : enrolments)
    what += (is_more || !what.empty() ? ", " : "") + std::to_string(users->size()) +
            " users from " + file;
  return what;
}

// What SIGHUP and POST /admin/reload read again. A shard 0 that does not take it for a second is on its way out or waits for a
// disk; the operator may send the signal again.
void reload(node::Node& node, const InputPaths& paths) {
  shard::Reload made{.asked = node.reloads_asked()};
  Result<Inputs> inputs = read_inputs(paths);
  const auto enrolments = node.read_enrolments();
  if (!inputs) {
    made.problem = inputs.error().message;
  } else if (!enrolments) {
    made.problem = "enrolled: " + enrolments.error().message;
  } else if (inputs->keys && !node.lack_in(*inputs->keys).empty()) {
    made.problem = "--key-file: " + std::string(node.lack_in(*inputs->keys));
  } else {
    inputs->what += what_of(**enrolments, !inputs->what.empty());
    made.what = inputs->what.empty() ? "nothing: no file was given" : inputs->what;
    made.keys = inputs->keys;
    made.operators = inputs->operators;
    made.change_rules = [blocked = inputs->blocked, lists = *enrolments](door::Rules& rules) {
      rules.blocked.file = blocked;
      rules.enrolments = lists;
    };
  }
  const auto delivered = std::make_shared<const shard::Reload>(made);
  bool is_delivered = node.deliver(delivered);
  for (int tries = 0; tries < 1000 && !is_delivered; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    is_delivered = node.deliver(delivered);
  }
  if (!made.problem.empty())
    diag::error("SIGHUP: %s; everything stays as it was", made.problem.c_str());
  else if (!is_delivered)
    diag::error("SIGHUP: the last reload is still under way; everything stays as it was");
  else
    diag::notice("SIGHUP: read again: %s", made.what.c_str());
}

// A stop was asked for while the server started.
bool has_stop_signal() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT}) sigaddset(&signals, number);
  const timespec at_once{};
  return sigtimedwait(&signals, nullptr, &at_once) > 0;
}

// A stop that comes while the node opens ends the process at once: reading a large log, or waiting for a database, may take
// long, and nothing has been sold. What has been written by then is what a crash would leave, and the next start takes it up.
class EndWhileOpening {
 public:
  EndWhileOpening() = default;
  EndWhileOpening(const EndWhileOpening&) = delete;
  ~EndWhileOpening() {
    is_open_.store(true, std::memory_order_release);
    thread_.join();
  }

 private:
  void watch() const {
    sigset_t signals;
    sigemptyset(&signals);
    for (const int number : {SIGTERM, SIGINT}) sigaddset(&signals, number);
    const timespec wait = {.tv_sec = 0, .tv_nsec = 10'000'000};
    while (!is_open_.load(std::memory_order_acquire)) {
      if (sigtimedwait(&signals, nullptr, &wait) <= 0) continue;
      diag::notice("stopped before anything was sold");
      _exit(kExitOk);
    }
  }

  std::atomic<bool> is_open_{false};
  std::thread thread_ = start_thread("signals", [this] { watch(); });
};

void announce_stop() {
  sd_notify(0, "STOPPING=1");
  diag::notice("stopping: finishing what is under way");
}

node::MayEnd open(node::Node& node) {
  const EndWhileOpening ends_early;
  return node.open();
}

// Waits for signals, once a second doing what no shard has time for. Returns when all shards have stopped.
void watch_over(node::Node& node, const sigset_t& signals, const InputPaths& inputs,
                bool is_stopping) {
  int64_t housekeeping_ns = 0;
  SystemClock clock;
  int64_t asked_ns = clock.now().boot_ns;  // to stop, when it is stopping
  while (!node.has_stopped()) {
    const timespec wait = {.tv_sec = is_stopping ? 0 : 1, .tv_nsec = is_stopping ? 2'000'000 : 0};
    const int signal = sigtimedwait(&signals, nullptr, &wait);
    if (signal == SIGHUP) reload(node, inputs);
    if (signal == SIGTERM || signal == SIGINT) {
      const int64_t now_ns = clock.now().boot_ns;
      if (is_stopping && now_ns - asked_ns < kOneWishNs) continue;
      if (is_stopping) {
        diag::warning(
            "second signal: leaving at once; acknowledged orders are safe in the order log");
        _exit(kExitFailure);
      }
      is_stopping = true;
      asked_ns = now_ns;
      announce_stop();
      node.begin_stop();
    }
    if (const int64_t now_ns = clock.now().boot_ns; now_ns - housekeeping_ns >= kSecond) {
      housekeeping_ns = now_ns;
      node.release_segments();
      if (node.is_alive()) sd_notify(0, "WATCHDOG=1");
    }
  }
}

Result<node::NodeSettings> complete_settings_of(const ServeFlags& flags) {
  Result<node::NodeSettings> settings = settings_of(flags);
  if (!settings) return settings;
  const Result<uint32_t> connections =
      connections_within(raise_descriptor_limit(), settings->shard_count,
                         settings->redis.has_value(), flags.connections);
  if (!connections) return connections.error();
  settings->connections_max = *connections;
  return settings;
}

// `serve --check`: what a start would say, by looking alone.
int check(const node::NodeSettings& settings) {
  node::Node node(settings, node::system_machine(), node::Data::Use::looking);
  if (const node::MayEnd ending = node.check())
    return end_with("serve", ending->exit_code, ending->message);
  if (settings.redis) {
    cluster::RedisClient redis(*settings.redis, settings.ledger_timeout_ms);
    if (Status reached = redis.connect(); !reached)
      return end_with("serve", kExitFailure, "--ledger: " + reached.error().message);
  }
  for (const std::string& line : node.notices()) std::fprintf(stderr, "%s\n", line.c_str());
  std::printf("ok\n");
  return std::fflush(stdout) == 0 ? kExitOk : kExitFailure;
}

int run(const ServeFlags& flags) {
  const sigset_t signals = flags.checks ? sigset_t{} : take_signals();
  if (!flags.core_dumps) forbid_core_dumps();  // before there is a key in memory
  const Result<node::NodeSettings> settings = complete_settings_of(flags);
  if (!settings) return usage_error("serve", flags.config.placed(settings.error().message));
  if (flags.checks) return check(*settings);

  node::Node node(*settings);
  if (const node::MayEnd ending = open(node)) {
    return end_with("serve", ending->exit_code, ending->message);
  }
  bool is_stopping = false;
  node.start([&] { return !is_stopping && (is_stopping = has_stop_signal()); });
  if (flags.sandbox)
    if (Status entered = enter_sandbox(); !entered)
      fatal(kExitUsage, "%s", entered.error().message.c_str());
  if (is_stopping) {
    announce_stop();
  } else {
    print_start(node, *settings);
    sd_notify(0, "READY=1");
  }
  watch_over(node, signals, flags.inputs, is_stopping);
  node.finish();
  diag::notice("stopped");
  return kExitOk;
}

}  // namespace

Command serve() {
  const auto flags = std::make_shared<ServeFlags>();
  Command command{.name = "stampede serve",
                  .summary = "sell: the server",
                  .about = "Sells: shards, order log, drainer, operators' listener.",
                  .run = [flags] { return run(*flags); }};
  add_serve_flags(command, *flags);
  return command;
}

}  // namespace stampede::cmd
