// The audit as operators ask for it: for each item total = free + leased + reserved + paid, each
// line one consistent cut (ledger/embedded.h tells how). A page holds up to a thousand items; a
// catalog of a million is a thousand pages.
//
// The ledger takes some audits at a time and answers in any order, so a page asks as many as it
// may, sorts what comes and is answered when it is whole. Pages are taken one after the other; more
// than bounds::audit_pages_max waiting ones are refused. Belongs to shard 0's thread.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "ledger/operators.h"
#include "shard/request_handler.h"
#include "stock/catalog.h"

namespace stampede::shard {

class Audits {
 public:
  // `complete` takes the answers.
  Audits(const ledger::OperatorsLink& ledger, const stock::Catalog& catalog,
         std::function<void(ReplyTo, TextAnswer)> complete);

  // Audits the items from `first` to before `end`; each must be known to the ledger. False: too
  // many pages wait.
  [[nodiscard]] bool ask(ReplyTo place, ItemId first, ItemId end, bool has_more);
  // Takes what the ledger has answered and asks for more. Once per turn.
  void turn();
  bool has_some() const { return !pages_.empty(); }

 private:
  struct Page {
    ReplyTo place;
    ItemId first, end;
    bool has_more;
  };

  void start_page();
  void finish(const Page& page);

  ledger::OperatorsLink ledger_;
  const stock::Catalog& catalog_;
  std::function<void(ReplyTo, TextAnswer)> complete_;
  std::deque<Page> pages_;        // the first one is under way
  std::vector<AuditLine> lines_;  // of that page, by item
  ItemId next_ = 0;               // of that page, to be asked about
  uint32_t answered_ = 0;
  bool is_known_ = true;  // the ledger could answer for every item so far
};

}  // namespace stampede::shard
