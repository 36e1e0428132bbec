// What operators' changes (item_changes.h, rules_changes.h) need of their shard. A seam, so that tests can hold back
// durability and fill the log.
#pragma once

#include <string_view>

#include "bounds.h"
#include "orderlog/record.h"
#include "shard/request_handler.h"
#include "stock/catalog.h"

namespace stampede::shard {

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
