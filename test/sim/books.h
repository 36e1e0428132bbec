// What nodes, their logs and the database say of all orders when a sale is over: the same.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "history.h"
#include "hosts.h"
#include "servers.h"

namespace stampede::sim {

struct KnownState {
  std::string state;
  uint32_t quantity = 0;
  int64_t refund_due = 0;
  friend bool operator==(const KnownState&, const KnownState&) = default;
};
using KnownStates = std::map<uint64_t, KnownState>;  // by order

// Of nodes that are up.
[[nodiscard]] KnownStates states_in_memory(const Hosts& hosts);
// A node that has just started has every order that its buyers were told of, no older than they were told.
void check_acknowledged(Host& host, const std::string& behind_what, History& history);
// When they have drained everything.
void compare_database(Servers& servers, const KnownStates& known, History& history);
// When they have stopped. What clients were told last is in the logs too.
// `are_forgotten`: an order that was acknowledged need not be in a log.
void compare_logs(const Hosts& hosts, const KnownStates& known, History& history,
                  bool are_forgotten);
// A node that has just started has every row that the database has of it, no older; nothing is said when that does not answer.
void check_drained(Host& host, Servers& servers, History& history);
// Of these orders each that is in no memory any more is in the database.
void check_forgotten(const Hosts& hosts, Servers& servers, const KnownStates& known,
                     History& history);

}  // namespace stampede::sim
