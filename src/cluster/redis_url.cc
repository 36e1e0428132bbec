#include "cluster/redis_url.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace stampede::cluster {
namespace {

constexpr uint16_t kRedisPort = 6379, kSentinelPort = 26379;
constexpr uint32_t kDatabaseMax = 1'000'000;

constexpr std::string_view scheme_of(RedisUrl::Kind kind) {
  switch (kind) {
    case RedisUrl::Kind::single:
      return "redis://";
    case RedisUrl::Kind::sentinel:
      return "redis+sentinel://";
    case RedisUrl::Kind::cluster:
      return "redis+cluster://";
  }
  return "";
}

constexpr RedisUrl::Kind kKinds[] = {RedisUrl::Kind::single, RedisUrl::Kind::sentinel,
                                     RedisUrl::Kind::cluster};

template <typename Number>
std::optional<Number> parse_number(std::string_view text, Number highest) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number > highest)
    return std::nullopt;
  return number;
}

// "%2F" → "/"; nullopt when a percent sign is not followed by two hex digits.
std::optional<std::string> percent_decoded(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      out += text[at];
      continue;
    }
    unsigned value = 0;
    const char* const digits = text.data() + at + 1;
    if (text.size() - at < 3) return std::nullopt;
    if (const auto [end, error] = std::from_chars(digits, digits + 2, value, 16);
        error != std::errc{} || end != digits + 2)
      return std::nullopt;
    out += static_cast<char>(value);
    at += 2;
  }
  return out;
}

Status parse_user(std::string_view text, RedisUrl& url) {
  const size_t colon = text.find(':');
  const auto user = percent_decoded(text.substr(0, colon));
  const auto password =
      percent_decoded(colon == text.npos ? std::string_view() : text.substr(colon + 1));
  if (!user || !password) return Error{"user and password: % must be followed by two hex digits"};
  if (password->empty()) return Error{"expected user:password@ or :password@ before the host"};
  url.user = *user;
  url.password = *password;
  return Ok{};
}

// "sentinel_user=watch&sentinel_password=p%26q"
Status parse_parameters(std::string_view text, RedisUrl& url) {
  if (url.kind != RedisUrl::Kind::sentinel)
    return Error{"only redis+sentinel:// has parameters behind a ?"};
  while (!text.empty()) {
    const std::string_view part = text.substr(0, text.find('&'));
    text.remove_prefix(std::min(part.size() + 1, text.size()));
    const size_t equals = std::min(part.find('='), part.size());
    const std::string_view name = part.substr(0, equals);
    std::string* const place = name == "sentinel_password" ? &url.sentinel_password
                               : name == "sentinel_user"   ? &url.sentinel_user
                                                           : nullptr;
    // Nothing of the text is repeated: it may be a password.
    const Error wrong{
        "behind the ? expected sentinel_password=…, and sentinel_user=… if they have one"};
    if (place == nullptr || equals == part.size()) return wrong;
    const auto value = percent_decoded(part.substr(equals + 1));
    if (!value || value->empty()) return wrong;
    *place = *value;
  }
  if (url.sentinel_password.empty()) return Error{"behind the ? expected sentinel_password=…"};
  return Ok{};
}

// "host", "host:port", "[::1]", "[::1]:port"
Result<HostPort> parse_host(std::string_view text, uint16_t default_port) {
  // The text behind a colon is not repeated: where the host was forgotten it is a password.
  const size_t shown = text.starts_with('[') ? text.npos : text.find(':');
  const Error wrong{"expected host:port, not '" + std::string(text.substr(0, shown)) +
                    (shown == text.npos ? "'" : ":…'")};
  HostPort server{.host = {}, .port = default_port};
  size_t host_end = text.find(':');
  if (text.starts_with('[')) {
    const size_t bracket = text.find(']');
    if (bracket == text.npos) return wrong;
    server.host = text.substr(1, bracket - 1);
    host_end = bracket + 1 == text.size() ? text.npos : bracket + 1;
    if (host_end != text.npos && text[host_end] != ':') return wrong;
  } else {
    server.host = text.substr(0, host_end);
  }
  if (server.host.empty()) return wrong;
  if (host_end == text.npos) return server;
  const auto port = parse_number<uint16_t>(text.substr(host_end + 1), UINT16_MAX);
  if (!port || *port == 0) return wrong;
  server.port = *port;
  return server;
}

Status parse_hosts(std::string_view text, RedisUrl& url) {
  const uint16_t port = url.kind == RedisUrl::Kind::sentinel ? kSentinelPort : kRedisPort;
  while (true) {
    const size_t comma = text.find(',');
    Result<HostPort> server = parse_host(text.substr(0, comma), port);
    if (!server) return server.error();
    url.hosts.push_back(*server);
    if (comma == text.npos) break;
    text.remove_prefix(comma + 1);
  }
  if (url.kind == RedisUrl::Kind::single && url.hosts.size() > 1)
    return Error{"one host, or redis+sentinel:// or redis+cluster:// for several"};
  return Ok{};
}

// Behind the hosts: the name of the master that sentinels watch, then the number of the database.
Status parse_path(std::string_view text, RedisUrl& url) {
  if (url.kind == RedisUrl::Kind::sentinel) {
    const size_t slash = text.find('/');
    url.master = text.substr(0, slash);
    if (url.master.empty()) return Error{"expected /master behind the sentinels"};
    text.remove_prefix(slash == text.npos ? text.size() : slash + 1);
  }
  if (text.empty()) return Ok{};
  const auto database = parse_number<uint32_t>(text, kDatabaseMax);
  if (!database) return Error{"expected the number of a database, not '" + std::string(text) + "'"};
  if (url.kind == RedisUrl::Kind::cluster && *database != 0)
    return Error{"a cluster has database 0 only"};
  url.database = *database;
  return Ok{};
}

}  // namespace

std::string text_of(const HostPort& server) {
  const bool is_ipv6 = server.host.find(':') != std::string::npos;
  return (is_ipv6 ? "[" + server.host + "]" : server.host) + ":" + std::to_string(server.port);
}

bool is_redis_url(std::string_view url) {
  for (const RedisUrl::Kind kind : kKinds)
    if (url.starts_with(scheme_of(kind))) return true;
  return false;
}

Result<RedisUrl> parse_redis_url(std::string_view text) {
  RedisUrl url;
  std::string_view rest;
  for (const RedisUrl::Kind kind : kKinds) {
    if (!text.starts_with(scheme_of(kind))) continue;
    url.kind = kind;
    rest = text.substr(scheme_of(kind).size());
  }
  if (rest.empty())
    return Error{"expected redis://, redis+sentinel:// or redis+cluster:// and a host"};
  // First, for a password of the sentinels may hold an @ that is none of the user's.
  if (const size_t mark = rest.rfind("?sentinel_"); mark != rest.npos) {
    if (Status status = parse_parameters(rest.substr(mark + 1), url); !status)
      return status.error();
    rest = rest.substr(0, mark);
  }
  // A password may hold anything but '@' and '/', which are percent-encoded.
  if (const size_t at = rest.rfind('@'); at != rest.npos) {
    if (Status status = parse_user(rest.substr(0, at), url); !status) return status.error();
    rest.remove_prefix(at + 1);
  }
  if (const size_t mark = rest.find('?'); mark != rest.npos)
    if (Status status = parse_parameters(rest.substr(mark + 1), url); !status)
      return status.error();
  const size_t slash = rest.find('/');
  if (Status status = parse_hosts(rest.substr(0, slash), url); !status) return status.error();
  const std::string_view path = slash == rest.npos ? std::string_view() : rest.substr(slash + 1);
  if (Status status = parse_path(path, url); !status) return status.error();
  return url;
}

std::string text_of(const RedisUrl& url) {
  std::string text(scheme_of(url.kind));
  if (!url.password.empty()) text += url.user + ":***@";
  for (size_t i = 0; i < url.hosts.size(); ++i) text += (i > 0 ? "," : "") + text_of(url.hosts[i]);
  if (!url.master.empty()) text += "/" + url.master;
  if (url.database != 0) text += "/" + std::to_string(url.database);
  if (!url.sentinel_password.empty()) text += "?sentinel_password=***";
  if (!url.sentinel_user.empty()) text += "&sentinel_user=" + url.sentinel_user;
  return text;
}

}  // namespace stampede::cluster
