// What operators' changes (item_changes.h, rules_changes.h) need of their shard. A seam, so that tests can hold back
// durability and fill the log.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "bounds.h"
#include "orderlog/record.h"
#include "shard/reload.h"
#include "shard/request_handler.h"
#include "stock/catalog.h"

namespace stampede::shard {

// What was not taken up of a catalog, such as `item c1`: some of it, when it is much.
struct LeftOfCatalog {
  std::vector<std::string> needs_start;  // a start takes it up
  std::vector<std::string> refused;      // nor does a start
};

class ChangeHost {
 public:
  virtual ~ChangeHost() = default;
  // To the log and into the state.
  virtual Lsn append(const orderlog::Record& record) = 0;
  virtual bool has_room() const = 0;  // for a few records of the largest size
  virtual Lsn durable() const = 0;
  virtual void complete(ReplyTo place, TextAnswer answer) = 0;
  // To this shard's own catalog and desk.
  virtual void publish(const stock::ItemTerms& terms) = 0;
  // An item with these terms is over for so long that its orders may be forgotten.
  [[nodiscard]] virtual bool is_over_retention(const stock::SaleTerms& terms, Moment now) const = 0;
  // Items as a catalog that was read again has them (ItemChanges::take_catalog()).
  virtual void take_catalog(SharedEntries entries, std::string_view who) = 0;
  [[nodiscard]] virtual bool is_taking_catalog() const = 0;
  // Of the last one.
  [[nodiscard]] virtual const LeftOfCatalog& left_of_catalog() const = 0;
};

// Who asks, and where the answer goes.
struct Operator {
  ReplyTo place;
  std::string_view who;
};

// What of an operator's text goes into the log.
inline std::string_view admin_text(std::string_view text) {
  return text.substr(0, bounds::admin_text_bytes_max);
}

}  // namespace stampede::shard
