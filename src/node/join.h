// What a node that shares its ledger agrees on with the others before it sells: that its number is its own, what there is
// to sell of each item, and at which terms. All of it goes through the registry; a node alone has one in its own log.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cluster/registry.h"
#include "cluster/terms.h"
#include "drain/database.h"
#include "node/data.h"
#include "node/findings.h"
#include "node/items.h"
#include "node/notices.h"

namespace stampede::node {

class Join {
 public:
  // `registry` null: there are no other nodes.
  explicit Join(std::unique_ptr<cluster::Registry> registry) : registry_(std::move(registry)) {}

  // A number belongs to one data directory for ever, and what a retired node held is back on sale or sold elsewhere. Without
  // an answer the start may go on: Redis and the drainer's transactions refuse such a node too.
  void refuse_stranger(const Data& data, uint32_t node, Findings& findings);

  // What the next two would refuse, before a start writes anything. It says nothing else: they will.
  [[nodiscard]] MayEnd look_ahead(const Data& data, const ItemPlan& plan);

  // The stock of a new item is what the first node said, whatever the catalogs of the others say.
  [[nodiscard]] MayEnd agree_on_supply(const Data& data, ItemPlan& plan, Notices& notices);

  // A catalog that was given now and contradicts the other nodes is not sold by: the operator is there to correct it. What
  // this node has sold by before it goes on to sell by, with a warning: a restart must not take a node away.
  [[nodiscard]] MayEnd agree_on_terms(const Data& data, const ItemPlan& plan, Notices& notices);

  // The same, with the lines that the two above would leave; of a registry that is no writer.
  [[nodiscard]] MayEnd look_at_others(const Data& data, const ItemPlan& plan, Notices& notices);

  [[nodiscard]] bool is_solo() const { return is_solo_; }
  // After agree_on_supply().
  [[nodiscard]] cluster::Registry& registry() { return *registry_; }
  // Terms that could not be compared yet.
  [[nodiscard]] std::vector<cluster::TermsOffer> take_open_offers() {
    return std::exchange(open_offers_, {});
  }

 private:
  MayEnd offer_terms(const Data& data, const ItemPlan& plan, Notices& notices,
                     cluster::Writes given, cluster::Writes kept);

  std::unique_ptr<cluster::Registry> registry_;
  const bool is_solo_ = registry_ == nullptr;
  std::string problem_;  // why the registry did not answer at first; empty: it did
  std::vector<cluster::TermsOffer> open_offers_;
};

// The log of one of its streams has promised an epoch of a shared ledger.
[[nodiscard]] bool has_shared_before(const Data& data);

}  // namespace stampede::node
