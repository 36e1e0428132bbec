// A stream of an embedded ledger: what only a shared one asks of it is never asked.
#pragma once

#include "base/check.h"
#include "ledger/ledger.h"

namespace stampede::ledger {

class EmbeddedClient : public Client {
 public:
  std::optional<Lsn> promise(uint64_t) override { return unasked<Lsn>(); }
  Lsn durable() const override { return unasked<Lsn>(); }
  StreamCount durable_count(ItemId) const override { return unasked<StreamCount>(); }
  ItemId items_touched() const override { return unasked<ItemId>(); }
  std::string_view code_of(ItemId) const override { return unasked<std::string_view>(); }
  void on_open(uint32_t, uint32_t) override { unasked<int>(); }

 private:
  template <typename Value>
  static Value unasked() {
    CHECK(!"asked of a stream of an embedded ledger");
    return {};
  }
};

}  // namespace stampede::ledger
