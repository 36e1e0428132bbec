// What is true of the stock at every moment, read out of the nodes' memory between two turns, where clients cannot look. Of a
// node that is down it remembers what it had last.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "history.h"
#include "host.h"

namespace stampede::sim {

class Truth {
 public:
  Truth(const Plan& plan, Servers& servers, History& history);

  // After each step of a host that is up. The sums of all streams are never more than was supplied.
  void look(Host& host);
  // Of a node that is down and does not come back, with what a command has made of its log.
  void look_at_log(Host& host);
  // A start has accepted a loss, which may have taken restocks with it whose units are held. They were supplied all the same, for as
  // long as they are held; nobody sells them once more.
  void note_loss(Host& host);
  // A node is away, or speaks to another master, and the others know of its units only what it reported last: nothing that is said of them is false now.
  void note_absence();
  // An operator is adding so many units, or taking them off sale, and has not heard of it: they may be on sale or not.
  void set_in_doubt(uint32_t item, uint64_t units) { items_[item].in_doubt = units; }

  // An operator knows that the item is paused on a node, or means to resume it.
  void set_paused(uint32_t node, uint32_t item, bool is_paused);
  [[nodiscard]] bool is_paused_since(uint32_t node, uint32_t item, int64_t since_ns) const;

  // An operator knows that the user may not buy at a node, or means to let him.
  void set_blocked(uint32_t node, const std::string& user, bool is_blocked);
  [[nodiscard]] bool is_blocked_since(uint32_t node, const std::string& user,
                                      int64_t since_ns) const;
  [[nodiscard]] bool was_ever_blocked(const std::string& user) const;
  // Likewise of the addresses that operators block as one.
  void set_network_blocked(uint32_t node, bool is_blocked);
  [[nodiscard]] bool is_network_blocked_since(uint32_t node, int64_t since_ns) const {
    return network_blocked_ns_[node] <= since_ns;
  }
  [[nodiscard]] bool was_network_ever_blocked() const { return was_network_blocked_; }
  // The node goes on without the key that leaked.
  void note_key_gone(uint32_t node);
  [[nodiscard]] bool is_key_gone_since(uint32_t node, int64_t since_ns) const {
    return key_gone_ns_[node] <= since_ns;
  }
  // What operators said there may be lost.
  void forget_blocks(uint32_t node);

  // Was there a moment at or after `since_ns` at which fewer than `quantity` units of the item were unsold, without those that had come
  // back so short a time before that not every stream need have heard of it?
  [[nodiscard]] bool was_short_since(uint32_t item, uint32_t quantity, int64_t since_ns) const;
  // How old the news behind a sold_out may be. A stream that cannot report to the Redis that streams share leaves the others
  // with what it reported last.
  [[nodiscard]] int64_t news_age_max_ns() const;
  // What nodes and ledger have of the item, for the report.
  [[nodiscard]] std::string describe(uint32_t item) const;
  // As of the last look.
  [[nodiscard]] uint64_t supplied(uint32_t item) const { return items_[item].supplied; }
  [[nodiscard]] uint64_t paid(uint32_t item) const { return items_[item].paid; }
  [[nodiscard]] uint64_t unsold(uint32_t item) const { return items_[item].unsold; }

 private:
  static constexpr uint32_t kQuantityMax = 5;
  struct Held {
    uint64_t reserved = 0, paid = 0;
  };
  struct CameBack {
    int64_t at_ns;
    uint64_t units;
  };
  struct Item {
    uint64_t supplied = 0, paid = 0, unsold = 0, in_doubt = 0;
    uint64_t lost = 0;  // of what was supplied
    std::vector<Held> by_node;
    std::vector<CameBack> came_back;  // of late
    std::vector<int64_t> paused_ns;   // by node; INT64_MAX: it is not, or may not be
    // By quantity: the last moment at which fewer units than that were unsold.
    int64_t short_ns[kQuantityMax + 1] = {-1, -1, -1, -1, -1, -1};
  };

  [[nodiscard]] uint64_t supply_of(uint32_t number, Host& host) const;
  void look_at_item(uint32_t number, Host& host);
  void judge(uint32_t number);
  uint64_t came_back_of_late(Item& item, int64_t now_ns) const;

  const Plan& plan_;
  Servers& servers_;
  History& history_;
  std::vector<Item> items_;
  std::map<std::pair<uint32_t, std::string>, int64_t> blocked_ns_;  // INT64_MAX: he may not be
  std::vector<int64_t> network_blocked_ns_, key_gone_ns_;           // by node; likewise
  bool was_network_blocked_ = false;
};

}  // namespace stampede::sim
