// Whether the nodes that share a ledger sell on the same terms: price, limit, times and all else that a buyer can notice.
//
// Each node decides by its own order log; nothing here changes that. The registry keeps one text of an item's terms. The first
// node that names the item writes it, and every node compares its own terms with it. A node offers the terms that it had and
// those that it has now:
//
//   it had the registry's terms, and has others now      it has changed the terms: the registry takes the new ones
//   it had others, and has others now                    it contradicts: two nodes sell at two prices
//
// So a change that is made on one node after the other (a catalog at a restart, a PUT) does not contradict.
// Terms are JSON objects whose fields this does not know, as stock::terms_json() writes them, but for one: `product` is the
// product behind an opaque code, and one product under two codes contradicts too.
#pragma once

#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "cluster/registry.h"

namespace stampede::cluster {

// The terms of an item at a node, before and now.
struct TermsOffer {
  std::string item;    // code
  std::string before;  // its terms here until now; empty: this node did not know it
  std::string terms;
};

struct TermsDifference {
  std::string item;
  std::string fields;  // each field that differs, with both values
};

// `price is 5500 here and 5400 in the ledger, …`; empty when they agree. A field that only one of them has does not count: the
// version that wrote the other did not know it.
[[nodiscard]] std::string difference_of(const std::string& here, const std::string& standing);

// One line: the first few, and how many more there are.
[[nodiscard]] std::string text_of(std::span<const TermsDifference> differences);
// Warns of them, with the remedy, when the node goes on selling.
void warn_of(std::span<const TermsDifference> differences);

// Writes changed and new terms to the registry, and returns the differences that contradict it. Items that the registry does not
// have are left out. `all_or_nothing`: when anything contradicts, nothing is written; `none`: nothing is ever written.
enum class Writes : uint8_t { none, each, all_or_nothing };
Result<std::vector<TermsDifference>> offer_terms(Registry& registry,
                                                 std::span<const TermsOffer> offers, Writes writes);

// The offers of a running node, which wait for the database to answer. A contradiction is logged as a warning.
class OpenOffers {
 public:
  explicit OpenOffers(Registry& registry) : registry_(registry) {}

  void add(std::vector<TermsOffer> offers);  // any thread
  // Makes the offers that wait; the thread that owns the registry. Once in a while.
  void compare(int64_t now_ns);

 private:
  void merge(TermsOffer offer);

  Registry& registry_;
  int64_t not_before_ns_ = 0;
  std::mutex mutex_;  // guards the next
  std::map<std::string, TermsOffer> offers_;
};

}  // namespace stampede::cluster
