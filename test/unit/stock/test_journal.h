// A journal that numbers records; they become durable when the test says so.
#pragma once

#include <vector>

#include "stock/journal.h"

namespace stampede::stock {

class TestJournal final : public Journal {
 public:
  Lsn append(const orderlog::Record& record) override {
    types.push_back(orderlog::type_of(record));
    return ++last;
  }
  bool has_room_for_order() const override { return has_room; }
  bool has_room_for_change() const override { return has_room; }
  Lsn last = 0;
  bool has_room = true;
  std::vector<orderlog::RecordType> types;
};

}  // namespace stampede::stock
