// GET /v1/items: the catalog in pages of a thousand items, each rendered once and sent to everybody.
//
// A page of a thousand items takes half a millisecond and 190 KB, so it is made in pieces, a fixed number of items a
// turn for all pages together, and the requests for it wait. Then its bytes are shared by all answers, until the
// catalog changes.
//
// Pages are those that `next` leads to: they begin at every thousandth item. A client that asks for what comes behind any other
// item gets the rest of the page in which that lies, out of the same bytes, so no request can make a page of its own:
//
//   {"items":[ item, item, │ item, … ],"next":…}
//   └ lead ┘               └ shared from here
//
// Three bounds, for anybody may ask, in any order, and read slowly: pages that are kept (the oldest goes), pages that live
// because a client has not taken them, and pages under way; beyond the last two the answer is overloaded. The first page is
// outside all of them: it is made before any other, it stays, and it is never refused.
//
// Belongs to its shard's thread.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "shard/answers.h"
#include "stock/catalog.h"

namespace stampede::shard {

class CatalogPages {
 public:
  static constexpr size_t kKeptBytesMax = 16 * 1024 * 1024;  // some 80 pages
  // Of all pages, kept or not: one that was replaced lives until the last client has taken it.
  static constexpr size_t kHeldBytesMax = 64 * 1024 * 1024;
  static constexpr uint32_t kUnderWayMax = 16;
  static constexpr uint32_t kItemsPerTurn = 128;  // of all pages: some 60 µs
  // Clients with tags that wait for a page, each with the lines of its head; further ones get the page in any case.
  static constexpr uint32_t kTagsMax = 1024;

  CatalogPages(Answers& answers, const stock::Catalog& catalog)
      : answers_(answers), catalog_(catalog) {}

  // Answers with the items from `first` to the end of its page, now or in a later turn.
  void answer(const ReplyTo& place, ItemId first, const http::Request& request);
  // Goes on with what is under way. Once per turn.
  void pass_time();
  bool has_work() const { return !under_way_.empty(); }
  // Pages rendered so far.
  uint64_t rendered() const { return rendered_; }
  // Of pages that are kept or that clients have not taken yet.
  size_t bytes() const { return *held_bytes_; }

 private:
  struct Page {
    ItemId first = 0;
    std::shared_ptr<const std::string> body;
    std::vector<uint32_t> offsets;  // where its items begin in the body
    std::string tag;
  };
  struct Reader {
    ReplyTo place;
    ItemId first;
    std::string lines;  // of its head, when it has a tag to compare
  };
  struct Draft {
    ItemId first;
    uint64_t version;  // of the catalog when it was begun
    std::string body;
    std::vector<uint32_t> offsets;
    std::vector<Reader> readers;
  };

  Draft* draft_of(ItemId first);
  bool may_begin(ItemId first) const;
  void go_on();
  void finish(Draft& draft);
  void keep(const Page& page);
  void send(const Page& page, ItemId first, const ReplyTo& place, const http::Request& request);

  Answers& answers_;
  const stock::Catalog& catalog_;
  std::deque<Page> pages_;  // the first page, and others, the oldest first
  size_t kept_bytes_ = 0;   // of pages_
  uint64_t version_ = 0;    // of the catalog that they show
  std::deque<Draft> under_way_;
  uint32_t tags_ = 0;                // readers with lines
  uint32_t budget_ = kItemsPerTurn;  // items, of this turn
  uint64_t rendered_ = 0;
  // Shared with the pages, which may outlive this at a client's place.
  std::shared_ptr<size_t> held_bytes_ = std::make_shared<size_t>(0);
};

}  // namespace stampede::shard
