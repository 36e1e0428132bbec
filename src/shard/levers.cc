#include "shard/levers.h"

#include <array>

#include "shard/body_fields.h"

namespace stampede::shard {
namespace {

using door::Limits;

constexpr int64_t kDrainLagMax = int64_t{1} << 53;  // exact in every JSON reader
constexpr int64_t kCountMax = 1'000'000'000;        // as of a rate

template <typename T>
Refusal read_number(JsonText::Value value, int64_t most, T& out) {
  int64_t number = 0;
  Refusal refusal = read_integer(value, 0, most, number);
  if (refusal.empty()) out = static_cast<T>(number);
  return refusal;
}

Refusal read_rate(JsonText::Value value, door::Rate& out) {
  std::string_view text;
  if (read_text(value, text).empty())
    if (const std::optional<door::Rate> rate = door::parse_rate(text))
      return out = *rate, Refusal{};
  return "expected a rate such as \"20/1s\", or \"0\"";
}

// A number, or "auto".
Refusal read_order_rate(JsonText::Value value, door::OrderRate& out) {
  std::string_view text;
  simdjson::ondemand::json_type type;
  if (value.type().get(type) == simdjson::SUCCESS &&
      type == simdjson::ondemand::json_type::string) {
    if (!read_text(value, text).empty() || text != "auto") return "expected a number or \"auto\"";
    out = {.is_automatic = true};
    return {};
  }
  out = {};
  return read_number(value, kCountMax, out.per_second);
}

Refusal read_degrade(JsonText::Value value, door::Degrade& out) {
  std::string_view text;
  if (read_text(value, text).empty())
    if (const auto level = door::degrade_of(text)) return out = *level, Refusal{};
  return "expected none, no_new_users, no_polls or static";
}

std::string in_quotes(std::string_view plain) {
  return '"' + std::string(plain) + '"';
}

struct Lever {
  std::string_view name;
  Refusal (*read)(JsonText::Value value, Levers& out);
  std::string (*json)(const Levers& levers);
};

template <uint32_t Limits::*kCount, int64_t kMost = kCountMax>
Refusal read_count(JsonText::Value value, Levers& out) {
  return read_number(value, kMost, out.door.*kCount);
}
template <uint32_t Limits::*kCount>
std::string count_json(const Levers& levers) {
  return std::to_string(levers.door.*kCount);
}
template <door::Rate Limits::*kRate>
Refusal read_rate_of(JsonText::Value value, Levers& out) {
  return read_rate(value, out.door.*kRate);
}
template <door::Rate Limits::*kRate>
std::string rate_json(const Levers& levers) {
  return in_quotes(door::text_of(levers.door.*kRate));
}

const std::array<Lever, 9> kLevers = {{
    {"lease_max",
     [](JsonText::Value value, Levers& out) {
       return read_number(value, kLeaseMaxMost, out.lease_max);
     },
     [](const Levers& levers) { return std::to_string(levers.lease_max); }},
    {"drain_lag_max",
     [](JsonText::Value value, Levers& out) {
       return read_number(value, kDrainLagMax, out.drain_lag_max);
     },
     [](const Levers& levers) { return std::to_string(levers.drain_lag_max); }},
    {"rate_user", read_rate_of<&Limits::user>, rate_json<&Limits::user>},
    {"open_per_user", read_count<&Limits::open_per_user, bounds::open_per_user_max>,
     count_json<&Limits::open_per_user>},
    {"rate_address", read_rate_of<&Limits::address>, rate_json<&Limits::address>},
    {"connections_address", read_count<&Limits::connections_address, kConnectionsAddressMost>,
     count_json<&Limits::connections_address>},
    {"connections", read_count<&Limits::connections>, count_json<&Limits::connections>},
    {"order_rate",
     [](JsonText::Value value, Levers& out) { return read_order_rate(value, out.door.order_rate); },
     [](const Levers& levers) {
       const door::OrderRate& rate = levers.door.order_rate;
       return rate.is_automatic ? in_quotes("auto") : std::to_string(rate.per_second);
     }},
    {"degrade",
     [](JsonText::Value value, Levers& out) { return read_degrade(value, out.door.degrade); },
     [](const Levers& levers) { return in_quotes(door::name_of(levers.door.degrade)); }},
}};

std::vector<std::string_view> names() {
  std::vector<std::string_view> all;
  for (const Lever& lever : kLevers) all.push_back(lever.name);
  return all;
}

// As people write it: without the quotes of JSON.
std::string plain(std::string json) {
  std::erase(json, '"');
  return json;
}

}  // namespace

std::string lack_of_descriptors(uint32_t connections, uint32_t connections_max) {
  if (connections <= connections_max) return {};
  return "expected at most " + std::to_string(connections_max) +
         ", for which the limit of descriptors (ulimit -n) was enough at the start";
}

Result<Levers> changed_levers(const Levers& now, const LeverBounds& bounds, std::string_view body) {
  JsonText json(body, "body");
  Levers next = now;
  std::vector<bool> seen;
  const Status status = read_body(json, names(), seen, [&](size_t field, JsonText::Value value) {
    return kLevers[field].read(value, next);
  });
  if (!status) return status.error();
  if (std::ranges::find(seen, true) == seen.end())
    return json.error(json.begin(), "", "expected one or more levers, such as rate_user");
  if (next.door.order_rate != now.door.order_rate &&
      !door::may_raise(bounds.order_rate_flag, next.door.order_rate))
    return json.error(json.begin(), "order_rate",
                      "expected 1 to " + std::to_string(2ull * bounds.order_rate_flag.per_second) +
                          ", twice what the start was told");
  if (next.door.connections != now.door.connections)
    if (const std::string lack = lack_of_descriptors(next.door.connections, bounds.connections_max);
        !lack.empty())
      return json.error(json.begin(), "connections", lack);
  return next;
}

std::string levers_json(const Levers& levers) {
  std::string json;
  for (const Lever& lever : kLevers)
    json.append(json.empty() ? "{" : ",").append(in_quotes(lever.name)).append(":") +=
        lever.json(levers);
  return json += '}';
}

std::vector<std::string> lever_changes(const Levers& before, const Levers& after) {
  std::vector<std::string> changes;
  for (const Lever& lever : kLevers) {
    const std::string old = lever.json(before), set = lever.json(after);
    if (old != set)
      changes.push_back(std::string(lever.name) + ' ' + plain(old) + " -> " + plain(set));
  }
  return changes;
}

}  // namespace stampede::shard
