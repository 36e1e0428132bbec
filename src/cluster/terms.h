// Whether the nodes that share a ledger sell on the same terms: price, limit, times and what else a buyer can notice.
//
// Each node decides by its own order log; nothing here changes that. The registry keeps one text of an item's terms, with
// which every node compares its own, and the first that names the item leaves it there. From then on
//
//   who starts from what stands there, and says something else, has changed the terms: his become what stands
//   who starts from something else, and says something else, is told: two nodes sell at two prices
//
// so that a change that is made on one node after the other (a catalog at a restart, a PUT) is none that contradicts.
// Terms are JSON objects whose fields this does not know, as stock::terms_json() writes them.
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

// What a node says of an item.
struct TermsOffer {
  std::string item;    // code
  std::string before;  // its terms here until now; empty: this node did not know it
  std::string terms;
};

struct TermsDifference {
  std::string item;
  std::string fields;  // each field that differs, with both values
};

// `price is 5500 here and 5400 in the ledger, …`; empty when they agree. A field that only one of them has is one that
// the other's version does not know, and says nothing.
[[nodiscard]] std::string difference_of(const std::string& here, const std::string& standing);

// One line: the first few, and how many there are beyond.
[[nodiscard]] std::string text_of(std::span<const TermsDifference> differences);
// The same for a node that sells all the same, with what to do.
void warn_of(std::span<const TermsDifference> differences);

// Tells the registry what changed, leaves what it did not have, and answers what contradicts. Items that it does not know
// are left out. `all_or_nothing`: whoever is told that something contradicts has changed nothing.
enum class Settling : uint8_t { each, all_or_nothing };
Result<std::vector<TermsDifference>> settle_terms(Registry& registry,
                                                  std::span<const TermsOffer> offers,
                                                  Settling settling);

// The offers of a running node: settled as soon as the database answers, and what contradicts is a warning.
class OpenOffers {
 public:
  explicit OpenOffers(Registry& registry) : registry_(registry) {}

  void add(std::vector<TermsOffer> offers);  // any thread
  void settle(int64_t now_ns);               // the registry's; once in a while

 private:
  void merge(TermsOffer offer);

  Registry& registry_;
  int64_t not_before_ns_ = 0;
  std::mutex mutex_;  // guards the next
  std::map<std::string, TermsOffer> offers_;
};

}  // namespace stampede::cluster
