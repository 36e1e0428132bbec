#include "ledger/book.h"

#include <algorithm>

#include "base/check.h"

namespace stampede::ledger {

Book::Item& Book::item(ItemId id) {
  CHECK(id < bounds::item_count_max);
  if (id >= items_.size()) items_.resize(id + 1);
  if (items_[id].lines == nullptr) items_[id].lines = std::make_unique<Line[]>(stream_count_);
  return items_[id];
}

bool Book::start(ItemId id, Units supplied, Units withdrawn, std::span<const StreamCount> counts) {
  CHECK(counts.size() == stream_count_);
  Units held = 0;
  Item& item = this->item(id);
  for (uint32_t stream = 0; stream < stream_count_; ++stream) {
    const StreamCount& count = counts[stream];
    item.lines[stream] = {
        .granted = count.accepted, .returned = count.returned, .pool = count.pool};
    item.pools += count.pool;
    held += count.accepted - count.returned;
  }
  if (held > supplied - withdrawn) return false;
  item.supplied = supplied;
  item.withdrawn = withdrawn;
  item.free = supplied - withdrawn - held;
  return true;
}

void Book::supply(ItemId id, Units supplied) {
  Item& item = this->item(id);
  CHECK(supplied >= item.supplied);
  item.free += supplied - item.supplied;
  item.supplied = supplied;
}

bool Book::withdraw(ItemId id, Units units) {
  Item& item = this->item(id);
  if (units > item.free) return false;
  item.free -= units;
  item.withdrawn += units;
  return true;
}

Book::Answer Book::ask(uint32_t stream, const LedgerAsk& ask) {
  Item& item = this->item(ask.item);
  Line& line = item.lines[stream];
  const bool was_free = item.free > 0, was_unsold = item.free + item.pools > 0;
  CHECK(ask.returned >= line.returned);
  CHECK(ask.returned <= line.granted);
  line.has_asked = true;
  item.free += ask.returned - line.returned;
  line.returned = ask.returned;
  const Units grant = std::min(ask.want, item.free);
  item.free -= grant;
  line.granted += grant;
  item.pools += ask.pool + grant - line.pool;
  line.pool = ask.pool + grant;
  const bool concerns_others =
      was_free != (item.free > 0) || was_unsold != (item.free + item.pools > 0);
  return {.news = news_for(stream, ask.item), .concerns_others = concerns_others};
}

LedgerNews Book::news_for(uint32_t stream, ItemId id) const {
  const Item& item = items_[id];
  const Line& line = item.lines[stream];
  return {.item = id,
          .accepted = line.granted,
          .returned = line.returned,
          .free = item.free,
          .pool_elsewhere = item.pools - line.pool};
}

}  // namespace stampede::ledger
