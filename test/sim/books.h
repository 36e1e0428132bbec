// What nodes, their logs and the database say of all orders when a sale is over: the same.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "history.h"
#include "hosts.h"
#include "servers.h"

namespace stampede::sim {

using KnownStates = std::map<uint64_t, KnownState>;  // by order

// What a log holds: its orders, and where it tells of which.
struct LogContents {
  struct Batch {
    std::string path;  // of its segment
    uint64_t end = 0;  // the first byte behind it
    std::vector<uint64_t> orders;
  };
  KnownStates states;
  std::vector<std::vector<Batch>> streams;  // each from its newest snapshot on
  // The orders of which something lies there or behind, in that stream.
  [[nodiscard]] std::vector<uint64_t> orders_behind(const std::string& path, uint64_t offset) const;
};
// Of a node that is down. nullopt: it cannot be read.
[[nodiscard]] std::optional<LogContents> read_log(Host& host);

// Of one node that is up, or has left for good.
void add_orders(Host& host, KnownStates& known);
// Of all nodes.
[[nodiscard]] KnownStates states_in_memory(const Hosts& hosts);
// A node that has just started has every order that its buyers were told of, no older than they were told.
void check_acknowledged(Host& host, const std::string& behind_what, History& history);
// When they have drained everything.
void compare_database(Servers& servers, const KnownStates& known, History& history);
// Behind a start that accepted a loss, with the log as it was before: only what it may lose is gone, and if anything is, every
// item is paused.
void check_loss(Host& host, const std::string& behind_what, const LogContents& before,
                const std::vector<uint64_t>& losable, History& history);
// When they have stopped. What clients were told last is in the logs too.
// `are_forgotten`: an order that was acknowledged need not be in a log.
void compare_logs(const Hosts& hosts, const KnownStates& known, History& history,
                  bool are_forgotten);
// A node that has just started has every row that the database has of it, no older; nothing is said when that does not answer.
void check_drained(Host& host, Servers& servers, History& history);
// Of nodes that have stopped: every byte is what was written, and snapshots and segments belong together. A log
// that has lost something may show it.
void verify_logs(const Hosts& hosts, History& history);
// Each line of a node's access log says what it must; nothing is said of a node that has none.
void check_access_log(const Host& host, History& history);
// Of these orders each that is in no memory any more is in the database.
void check_forgotten(const Hosts& hosts, Servers& servers, const KnownStates& known,
                     History& history);

}  // namespace stampede::sim
