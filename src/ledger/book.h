// The embedded ledger's book of the items whose home is this shard: pure bookkeeping, owned by one shard.
//
// Nothing here is written to disk: after a restart the book follows from the order logs. Per item
//     free = supplied − withdrawn − Σ over streams (granted a − returned r)
// where a and r are the streams' own durable counters A and R. A grant counts as held from the moment it is given, so
// units on their way to a stream are never free and never forgotten.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ledger/messages.h"

namespace stampede::ledger {

class Book {
 public:
  explicit Book(uint32_t stream_count) : stream_count_(stream_count) {}

  // The counters of the logs at start; `counts` holds one entry per stream. False: more is held than was ever supplied.
  [[nodiscard]] bool start(ItemId item, Units supplied, Units withdrawn,
                           std::span<const StreamCount> counts);

  // A later supply of units, durable already. An item that is new begins here.
  void supply(ItemId item, Units supplied);
  // Takes units off sale; false, and nothing changes, when fewer are free. The record follows.
  [[nodiscard]] bool withdraw(ItemId item, Units units);

  // The answer to one ask. `concerns_others`: other streams need news too, because it decides how they may answer buyers.
  struct Answer {
    LedgerNews news;
    bool concerns_others = false;
  };
  [[nodiscard]] Answer ask(uint32_t stream, const LedgerAsk& ask);

  [[nodiscard]] bool knows(ItemId item) const {
    return item < items_.size() && items_[item].lines != nullptr;
  }
  [[nodiscard]] LedgerNews news_for(uint32_t stream, ItemId item) const;
  // Streams that ever asked about the item get news of it.
  [[nodiscard]] bool is_interested(uint32_t stream, ItemId item) const {
    return line(stream, item).has_asked;
  }
  [[nodiscard]] Units total(ItemId item) const {
    return items_[item].supplied - items_[item].withdrawn;
  }
  [[nodiscard]] Units free(ItemId item) const { return items_[item].free; }
  [[nodiscard]] Units granted(uint32_t stream, ItemId item) const {
    return line(stream, item).granted;
  }
  [[nodiscard]] Units returned(uint32_t stream, ItemId item) const {
    return line(stream, item).returned;
  }

 private:
  struct Line {
    Units granted = 0;   // a
    Units returned = 0;  // r
    Units pool = 0;      // unsold units the stream reported, plus those granted since
    bool has_asked = false;
  };
  struct Item {
    Units supplied = 0, withdrawn = 0, free = 0;
    Units pools = 0;  // Σ pool over the streams
    std::unique_ptr<Line[]> lines;
  };

  Item& item(ItemId id);
  const Line& line(uint32_t stream, ItemId item) const { return items_[item].lines[stream]; }

  uint32_t stream_count_;
  std::vector<Item> items_;
};

}  // namespace stampede::ledger
