// GET /v1/items: the catalog in pages of a thousand items, each rendered once and sent to everybody.
//
// A page of a thousand items takes half a millisecond and 190 KB, so it is made in pieces, a fixed number of items a
// turn for all pages together, and the requests for it wait. Then its bytes are shared by all answers, until the
// catalog changes. A shard keeps a few pages; a larger catalog is read through them.
//
// Belongs to its shard's thread.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "shard/connections.h"
#include "stock/catalog.h"

namespace stampede::shard {

class CatalogPages {
 public:
  static constexpr uint32_t kPagesKept = 16;
  static constexpr uint32_t kItemsPerTurn = 128;  // of all pages: some 60 µs

  CatalogPages(Connections& connections, const stock::Catalog& catalog)
      : connections_(connections), catalog_(catalog) {}

  // Answers with the page that begins with `first`, now or in a later turn.
  void answer(const ReplyTo& place, ItemId first, const http::Request& request);
  // Goes on with what is under way. Once per turn.
  void pass_time();
  bool has_work() const { return !under_way_.empty(); }
  // Pages rendered so far.
  uint64_t rendered() const { return rendered_; }

 private:
  struct Page {
    ItemId first = 0;
    std::shared_ptr<const std::string> body;
    std::string tag;
  };
  struct Reader {
    ReplyTo place;
    std::string lines;  // of its head, when it has a tag to compare
  };
  struct Draft {
    ItemId first, next;
    uint64_t version;  // of the catalog when it was begun
    std::string body;
    std::vector<Reader> readers;
  };

  void go_on();
  void finish(Draft& draft);
  void send(const Page& page, const ReplyTo& place, const http::Request& request);

  Connections& connections_;
  const stock::Catalog& catalog_;
  std::deque<Page> pages_;  // the oldest first
  uint64_t version_ = 0;    // of the catalog that they show
  std::deque<Draft> under_way_;
  uint32_t budget_ = kItemsPerTurn;  // items, of this turn
  uint64_t rendered_ = 0;
};

}  // namespace stampede::shard
