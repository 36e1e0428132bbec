#include "cmd/serve_settings.h"

#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "cmd/hand_over.h"
#include "cmd/input_file.h"
#include "cmd/process.h"
#include "cmd/service.h"
#include "http/bytes.h"
#include "http/names.h"
#include "net/listener.h"

namespace stampede::cmd {
namespace {

constexpr size_t kCatalogBytesMax = size_t{1} << 30;

// The number at the front of the text, which loses it.
std::optional<int> take_cpu(std::string_view& text) {
  uint16_t cpu = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), cpu);
  if (code != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return cpu;
}

bool take(char expected, std::string_view& text) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(1);
  return true;
}

// Of a list such as `0,2-5`, in its order; nullopt when it is none.
std::optional<std::vector<int>> cpus_of(std::string_view list) {
  std::vector<int> cpus;
  do {
    const std::optional<int> first = take_cpu(list);
    const std::optional<int> last = take('-', list) ? take_cpu(list) : first;
    if (!first || !last || *last < *first) return std::nullopt;
    for (int cpu = *first; cpu <= *last; ++cpu) cpus.push_back(cpu);
  } while (take(',', list));
  return list.empty() ? std::optional(cpus) : std::nullopt;
}

Result<std::vector<int>> allowed_cpus(const std::string& list) {
  cpu_set_t set;
  CPU_ZERO(&set);
  sched_getaffinity(0, sizeof set, &set);
  std::vector<int> allowed;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
    if (CPU_ISSET(cpu, &set)) allowed.push_back(cpu);
  if (list.empty()) return allowed;
  const std::optional<std::vector<int>> cpus = cpus_of(list);
  if (!cpus) return Error{"--cpus: expected CPU numbers such as 0,2-5, not '" + list + "'"};
  for (const int cpu : *cpus)
    if (std::find(allowed.begin(), allowed.end(), cpu) == allowed.end())
      return Error{"--cpus: this process may not run on CPU " + std::to_string(cpu)};
  return *cpus;
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

// The clients that the operators' listener accepts: by their Host, and beyond loopback by their token.
Status take_admin_access(const ServeFlags& flags, node::NodeSettings& settings) {
  Result<http::OwnHosts> hosts = own_hosts(settings.admin, flags.admin_hosts);
  if (!hosts) return hosts.error();
  settings.admin_hosts = *hosts;
  if (settings.operators == nullptr && !net::is_loopback(settings.admin))
    return Error{"--admin " + flags.admin +
                 ": beyond loopback or a Unix socket it needs --admin-token-file"};
  return Ok{};
}

// The limits of one user, and of all together.
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

Status take_catalog(const ServeFlags& flags, node::NodeSettings& settings) {
  Result<std::vector<stock::CatalogEntry>> entries = read_catalog(flags);
  if (!entries) return entries.error();
  settings.catalog = std::move(*entries);
  if (!flags.demo.empty()) return Ok{};
  settings.catalog_file = flags.catalog;
  settings.catalog_dir = std::filesystem::path(flags.catalog).parent_path().string();
  return Ok{};
}

// The files that are read again on SIGHUP, and how a user is known by them.
Status take_inputs(const ServeFlags& flags, node::NodeSettings& settings) {
  Result<Inputs> inputs = read_inputs(flags.inputs);
  if (!inputs) return inputs.error();
  settings.keys = inputs->keys;
  settings.operators = inputs->operators;
  settings.rules.blocked.file = inputs->blocked;
  const Result<bool> by_ticket = is_by_ticket(flags.auth, flags.inputs, *inputs);
  if (!by_ticket) return by_ticket.error();
  settings.by_ticket = *by_ticket;
  if (!settings.by_ticket && !net::is_loopback(settings.listen) && !flags.trust_gateway)
    return Error{"--auth header on " + flags.listen +
                 ": anybody could be any user; give --key-file for signed tickets, "
                 "or --trust-gateway when only a gateway can connect"};
  return Ok{};
}

// The addresses to listen at: a socket that systemd has opened takes the place of a flag.
Status take_listeners(const ServeFlags& flags, node::NodeSettings& settings) {
  Result<net::PassedSockets> passed = take_sockets_of_predecessor();
  if (passed && passed->listen.empty()) passed = take_sockets_of_units();
  if (!passed) return passed.error();
  Result<net::Address> listen = net::parse_address(flags.listen);
  if (!listen) return Error{"--listen: " + listen.error().message};
  Result<net::Address> admin = net::parse_address(flags.admin);
  if (!admin) return Error{"--admin: " + admin.error().message};
  settings.listen = passed->listen.empty() ? *listen : net::address_of(passed->listen[0]);
  settings.admin = passed->admin.empty() ? *admin : net::address_of(passed->admin[0]);
  if (net::collide(settings.listen, settings.admin))
    return Error{"--admin " + net::text_of(settings.admin) + ": is taken by --listen " +
                 net::text_of(settings.listen)};
  settings.passed = std::move(*passed);
  settings.will_be_passed = is_check_of_heir();
  return Ok{};
}

// From flags to settings; an Error is one line that names the flag.
Result<node::NodeSettings> settings_without_connections(const ServeFlags& flags) {
  node::NodeSettings settings;
  if (Status catalog = take_catalog(flags, settings); !catalog) return catalog.error();
  if (flags.ledger != "embedded") {
    Result<cluster::RedisUrl> redis = cluster::parse_redis_url(flags.ledger);
    if (!redis) return Error{"--ledger: " + redis.error().message};
    settings.redis = *redis;
  }
  settings.ledger_timeout_ms = flags.ledger_timeout_ms;
  if (Status listeners = take_listeners(flags, settings); !listeners) return listeners.error();
  Result<http::Origins> origins = http::Origins::make(flags.origins);
  if (!origins) return Error{"--allow-origin: " + origins.error().message};
  settings.origins = *origins;
  Result<std::vector<int>> cpus = allowed_cpus(flags.cpus);
  if (!cpus) return cpus.error();
  Result<drain::DatabaseUrl> database = drain::parse_database_url(
      flags.db.empty() ? "sqlite:" + flags.data + "/orders.db" : flags.db);
  if (!database) return Error{"--db: " + database.error().message};
  settings.database_text = drain::display_name(*database);
  if (Status inputs = take_inputs(flags, settings); !inputs) return inputs.error();
  if (Status rules = take_rules(flags, settings.rules); !rules) return rules.error();
  if (Status access = take_admin_access(flags, settings); !access) return access.error();
  if (flags.segment_bytes % bounds::log_block_bytes != 0)
    return Error{"--segment-bytes: expected a multiple of " +
                 std::to_string(bounds::log_block_bytes)};
  settings.bloom_rate = flags.bloom_rate;
  settings.data_dir = flags.data;
  settings.cpus = *cpus;
  settings.shard_count = flags.shards;
  if (flags.shards == 0)
    settings.shard_count =
        static_cast<uint32_t>(std::min<size_t>(cpus->size(), bounds::shard_count_max));
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
  settings.access_log = flags.access_log;
  settings.access_sample = flags.access_sample;
  settings.slow_turn_ns = int64_t{flags.slow_turn_us} * 1000;
  settings.version = version_text();
  settings.wake_reader = [] { kill(getpid(), SIGHUP); };
  return settings;
}

}  // namespace

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

Result<std::vector<stock::CatalogEntry>> read_catalog(const ServeFlags& flags) {
  if (flags.demo.empty() == flags.catalog.empty())
    return Error{flags.demo.empty() ? "--catalog FILE or --demo: say what to sell"
                                    : "--demo and --catalog exclude each other"};
  if (flags.demo == "bench") return std::vector{stock::bench_entry()};
  if (flags.demo == "sale") return std::vector{stock::demo_entry()};
  const Result<std::string> text = read_file(flags.catalog, kCatalogBytesMax);
  if (!text) return Error{"--catalog: " + text.error().message};
  Result<std::vector<stock::CatalogEntry>> entries = stock::parse_catalog(*text, flags.catalog);
  if (!entries) return Error{"--catalog: " + entries.error().message};
  return entries;
}

Result<node::NodeSettings> settings_of(const ServeFlags& flags) {
  Result<node::NodeSettings> settings = settings_without_connections(flags);
  if (!settings) return settings;
  const Result<uint32_t> connections =
      connections_within(raise_descriptor_limit(), settings->shard_count,
                         settings->redis.has_value(), flags.connections);
  if (!connections) return connections.error();
  settings->connections_max = *connections;
  return settings;
}

}  // namespace stampede::cmd
