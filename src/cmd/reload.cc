#include "cmd/reload.h"

#include <algorithm>
#include <chrono>
#include <thread>

#include "base/diag.h"
#include "base/words.h"
#include "cmd/inputs.h"
#include "cmd/serve_settings.h"
#include "cmd/service.h"

namespace stampede::cmd {
namespace {

using shard::Delivery;
using shard::Levers;

template <auto kMember>
void keep(const ServeFlags& from, ServeFlags& to) {
  to.*kMember = from.*kMember;
}

// The levers that the configuration file may change while the server runs, each with its flag.
struct LiveFlag {
  std::string_view name;
  void (*copy)(const Levers& from, Levers& to);
  void (*keep)(const ServeFlags& from, ServeFlags& to);
};

constexpr LiveFlag kLiveFlags[] = {
    {"--rate-user", [](const Levers& from, Levers& to) { to.door.user = from.door.user; },
     keep<&ServeFlags::rate_user>},
    {"--open-per-user",
     [](const Levers& from, Levers& to) { to.door.open_per_user = from.door.open_per_user; },
     keep<&ServeFlags::open_per_user>},
    {"--order-rate",
     [](const Levers& from, Levers& to) { to.door.order_rate = from.door.order_rate; },
     keep<&ServeFlags::order_rate>},
    {"--rate-address", [](const Levers& from, Levers& to) { to.door.address = from.door.address; },
     keep<&ServeFlags::rate_address>},
    {"--connections-address",
     [](const Levers& from, Levers& to) {
       to.door.connections_address = from.door.connections_address;
     },
     keep<&ServeFlags::connections_address>},
    {"--connections",
     [](const Levers& from, Levers& to) { to.door.connections = from.door.connections; },
     keep<&ServeFlags::connections>},
    {"--lease-max", [](const Levers& from, Levers& to) { to.lease_max = from.lease_max; },
     keep<&ServeFlags::lease_max>},
    {"--drain-lag-max",
     [](const Levers& from, Levers& to) { to.drain_lag_max = from.drain_lag_max; },
     keep<&ServeFlags::drain_lag_max>},
};

// Such as `, 2 users from members.txt`.
std::string what_of(const door::Enrolments& enrolments) {
  std::string what;
  for (const auto& [file, users] : enrolments)
    what += ", " + counted(users->size(), "user") + " from " + file;
  return what;
}

std::string listed(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

// Names of the flags whose values differ, in the order of the table.
std::vector<std::string> differences(ServeFlags before, ServeFlags after) {
  Command old_table, new_table;
  add_serve_flags(old_table, before);
  add_serve_flags(new_table, after);
  std::vector<std::string> names;
  for (size_t section = 0; section < old_table.sections.size(); ++section) {
    const std::vector<Flag>& flags = old_table.sections[section].flags;
    for (size_t at = 0; at < flags.size(); ++at)
      if (value_text(flags[at]) != value_text(new_table.sections[section].flags[at]))
        names.push_back(flags[at].name);
  }
  return names;
}

}  // namespace

Status Reloader::read_inputs_again(shard::Reload& made) const {
  Result<Inputs> inputs = read_inputs(flags_.inputs);
  if (!inputs) return inputs.error();
  const Result<bool> by_ticket = is_by_ticket(flags_.auth, flags_.inputs, *inputs);
  if (!by_ticket) return by_ticket.error();
  const auto enrolments = node_.read_enrolments();
  if (!enrolments) return Error{"enrolled: " + enrolments.error().message};
  made.what = inputs->what + what_of(**enrolments);
  made.keys = inputs->keys;
  made.operators = inputs->operators;
  made.change_rules = [blocked = inputs->blocked, lists = *enrolments](door::Rules& rules) {
    rules.blocked.file = blocked;
    rules.enrolments = lists;
  };
  return Ok{};
}

Status Reloader::read_catalog_again(shard::Reload& made) const {
  if (!flags_.demo.empty()) return Ok{};
  Result<std::vector<stock::CatalogEntry>> entries = read_catalog(flags_);
  if (!entries) return entries.error();
  shard::KeyKinds needed = 0;
  for (const stock::CatalogEntry& entry : *entries) needed |= shard::kinds_needed(entry.terms);
  if (const std::string_view lack = shard::lack_of(made.keys.get(), needed); !lack.empty())
    return Error{"--catalog: " + std::string(lack)};
  made.what += ", catalog from " + flags_.catalog;
  made.catalog = std::make_shared<const std::vector<stock::CatalogEntry>>(std::move(*entries));
  return Ok{};
}

// A lever whose line in the file has not changed keeps the value that operators have set since.
Status Reloader::read_config(shard::Reload& made, ServeFlags& fresh) const {
  if (flags_.config.path.empty()) return Ok{};
  ServeFlags read;
  Command command;
  add_serve_flags(command, read);
  if (Status again = read_flags(command, flags_.config.arguments); !again) return again;
  read.config.arguments = flags_.config.arguments;
  door::Rules rules;
  if (Status limits = take_rules(read, rules); !limits)
    return Error{read.config.placed(limits.error().message)};
  if (const std::string lack =
          shard::lack_of_descriptors(rules.limits.connections, node_.connections_max());
      !lack.empty())
    return Error{read.config.placed("--connections: " + lack)};
  const Levers levers{
      .lease_max = read.lease_max, .drain_lag_max = read.drain_lag_max, .door = rules.limits};
  made.what += ", configuration from " + flags_.config.path;
  std::vector<const LiveFlag*> changed;
  for (const std::string& name : differences(flags_, read)) {
    const auto live = std::ranges::find(kLiveFlags, name, &LiveFlag::name);
    if (live != std::end(kLiveFlags))
      changed.push_back(live);
    else
      made.needs_restart.push_back(name);
  }
  for (const LiveFlag* flag : changed)
    made.what += (flag == changed[0] ? ": " : " ") + std::string(flag->name);
  made.change_levers = [levers, changed](Levers& now) {
    for (const LiveFlag* flag : changed) flag->copy(levers, now);
  };
  // The next reload reports again the flags that need a restart.
  fresh.config = read.config;
  for (const LiveFlag& flag : kLiveFlags) flag.keep(read, fresh);
  return Ok{};
}

Status Reloader::read(shard::Reload& made, ServeFlags& fresh) const {
  if (Status inputs = read_inputs_again(made); !inputs) return inputs;
  if (Status catalog = read_catalog_again(made); !catalog) return catalog;
  if (Status config = read_config(made, fresh); !config) return config;
  if (made.what.starts_with(", ")) made.what.erase(0, 2);
  if (made.what.empty()) made.what = "nothing: no file was given";
  return Ok{};
}

// A shard 0 that does not take it for a second is on its way out or waits for a disk; the operator may send the signal again.
bool Reloader::deliver(shard::Reload& made) {
  const auto delivered = std::make_shared<const shard::Reload>(made);
  Delivery outcome = node_.deliver(delivered);
  for (int tries = 0; tries < 1000 && outcome == Delivery::full; ++tries) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    outcome = node_.deliver(delivered);
  }
  if (outcome != Delivery::lacks_keys) return outcome == Delivery::done;
  made = {.asked = made.asked,
          .problem = "--key-file: " + std::string(node_.lack_in(*delivered->keys))};
  return deliver(made);
}

void Reloader::reload() {
  notify_reloading();
  shard::Reload made{.asked = node_.reloads_asked()};
  const std::string askers = node_.take_reload_askers();
  const std::string cause = askers.empty() ? "SIGHUP" : "reload by " + askers;
  ServeFlags fresh = flags_;
  if (Status done = read(made, fresh); !done) made.problem = done.error().message;
  const bool is_delivered = deliver(made);
  if (made.problem.empty() && !is_delivered) made.problem = "the last reload is still under way";
  if (!made.problem.empty()) {
    const std::string outcome = made.problem + "; everything stays as it was";
    diag::error("%s: %s", cause.c_str(), outcome.c_str());
    return notify_reloaded(outcome);
  }
  flags_ = fresh;
  const std::string restart =
      made.needs_restart.empty() ? "" : "; needs a restart: " + listed(made.needs_restart);
  const std::string outcome = "read again: " + made.what + restart;
  diag::notice("%s: %s", cause.c_str(), outcome.c_str());
  notify_reloaded(outcome);
}

}  // namespace stampede::cmd
