#include "node/join.h"

#include <algorithm>
#include <unordered_map>

#include "cluster/solo_registry.h"

namespace stampede::node {
namespace {

std::string code_of(const stock::ItemTerms& terms) {
  return std::string(terms.code.view());
}

std::vector<cluster::Supply> supplies_of(const Data& data) {
  std::vector<cluster::Supply> supplies;
  for (const stock::RegisteredItem& item : data.items())
    supplies.push_back({code_of(item.terms), item.supplied, item.withdrawn});
  return supplies;
}

// What this log supplied before its stock was shared is news to the registry once.
std::vector<cluster::Supply> brought_by(const Data& data) {
  return has_shared_before(data) ? std::vector<cluster::Supply>() : supplies_of(data);
}

bool has_news(const Data& data, const ItemPlan& plan) {
  return !plan.new_supplies.empty() || !brought_by(data).empty();
}

Ending without_registry(const Error& error) {
  return ending(kExitFailure, "new items need the database that the nodes share: " + error.message);
}

void note_stock(const cluster::Supply& standing, Units wanted, Notices& notices) {
  const Units units = standing.supplied - standing.withdrawn;
  if (units != wanted)
    notices.note(
        "item %s: stock is %lu, as the ledger has it; the catalog's %lu is for an item that no "
        "node knows yet",
        standing.item.c_str(), (unsigned long)units, (unsigned long)wanted);
}

// `given`: what a catalog or a new item says now. `kept`: what this node sells by already.
struct Offers {
  std::vector<cluster::TermsOffer> given, kept;
};

Offers offers_of(const Data& data, const ItemPlan& plan) {
  Offers offers;
  std::unordered_map<ItemId, const stock::ItemTerms*> changed;
  for (const stock::ItemTerms& terms : plan.changed) changed.emplace(terms.id, &terms);
  for (const stock::RegisteredItem& item : data.items()) {
    const auto now = changed.find(item.terms.id);
    const bool has_changed = now != changed.end();
    if (item.terms.is_ended || (has_changed && now->second->is_ended)) continue;
    const std::string code = code_of(item.terms), before = stock::terms_json(item.terms);
    if (has_changed)
      offers.given.push_back({code, before, stock::terms_json(*now->second)});
    else
      offers.kept.push_back({code, before, before});
  }
  for (const stock::ItemTerms& terms : plan.new_items)
    offers.given.push_back({code_of(terms), "", stock::terms_json(terms)});
  return offers;
}

Ending contradiction(const std::vector<cluster::TermsDifference>& differences) {
  return ending(kExitUsage,
                cluster::text_of(differences) +
                    ": correct the catalog, or, if this one is right, let `stampede ledger "
                    "preheat --new-terms` say so first");
}

}  // namespace

bool has_shared_before(const Data& data) {
  return std::ranges::any_of(data.streams(), [](const RestoredStream& stream) {
    return stream.state->promised_epoch() != 0;
  });
}

void Join::refuse_stranger(const Data& data, uint32_t node, Findings& findings) {
  findings.evidence.ledger = LedgerState::open;
  if (is_solo_) return;
  Result<std::vector<cluster::Member>> members = registry_->members();
  if (!members) {
    problem_ = members.error().message;
    findings.evidence.ledger = LedgerState::away;
    return;
  }
  const std::string uuid = orderlog::text_of(data.manifest().log_uuid);
  for (const cluster::Member& member : *members) {
    const std::string number = std::to_string(member.node);
    if (member.uuid == uuid && member.state == cluster::MemberState::retired) {
      findings.evidence.ledger = LedgerState::fenced;
      findings.say(Reason::fenced,
                   data.dir() + " was retired as node " + number +
                       ": start with an empty --data and a --node that no other had");
    } else if (member.node == node && member.uuid != uuid) {
      findings.evidence.ledger = LedgerState::stranger;
      findings.say(Reason::stranger,
                   "--node " + number + " is another data directory of this ledger (" +
                       member.uuid + ", " + data.dir() + " is " + uuid +
                       "): start with an empty --data and a --node that no other had");
    }
  }
}

// A registry that does not answer in time is asked again when the terms are offered.
MayEnd Join::look_ahead(const Data& data, const ItemPlan& plan) {
  if (is_solo_) return std::nullopt;
  if (has_news(data, plan))
    if (const auto standing = registry_->supplies(); !standing)
      return without_registry(standing.error());
  if (!problem_.empty()) return std::nullopt;
  const auto differences =
      cluster::offer_terms(*registry_, offers_of(data, plan).given, cluster::Writes::none);
  if (!differences || differences->empty()) return std::nullopt;
  return contradiction(*differences);
}

MayEnd Join::agree_on_supply(const Data& data, ItemPlan& plan, Notices& notices) {
  if (is_solo_) registry_ = std::make_unique<cluster::SoloRegistry>(supplies_of(data));
  if (const std::vector<cluster::Supply> brought = brought_by(data); !brought.empty()) {
    const orderlog::Manifest& manifest = data.manifest();
    const auto standing =
        registry_->bring_items(manifest.node, orderlog::text_of(manifest.log_uuid), brought);
    if (!standing) return without_registry(standing.error());
  }
  if (plan.new_supplies.empty()) return std::nullopt;
  const Result<std::vector<cluster::Supply>> standing = registry_->add_items(plan.new_supplies);
  if (!standing) return without_registry(standing.error());
  for (size_t i = 0; i < plan.new_supplies.size(); ++i) {
    note_stock((*standing)[i], plan.new_supplies[i].supplied, notices);
    plan.new_supplies[i] = (*standing)[i];
  }
  return std::nullopt;
}

MayEnd Join::agree_on_terms(const Data& data, const ItemPlan& plan, Notices& notices) {
  if (is_solo_) return std::nullopt;
  return offer_terms(data, plan, notices, cluster::Writes::all_or_nothing, cluster::Writes::each);
}

MayEnd Join::look_at_others(const Data& data, const ItemPlan& plan, Notices& notices) {
  if (is_solo_) return std::nullopt;
  if (has_news(data, plan)) {
    const Result<std::vector<cluster::Supply>> standing = registry_->supplies();
    if (!standing) return without_registry(standing.error());
    std::unordered_map<std::string_view, Units> wanted;
    for (const cluster::Supply& supply : plan.new_supplies)
      wanted.emplace(supply.item, supply.supplied);
    for (const cluster::Supply& supply : *standing)
      if (const auto found = wanted.find(supply.item); found != wanted.end())
        note_stock(supply, found->second, notices);
  }
  return offer_terms(data, plan, notices, cluster::Writes::none, cluster::Writes::none);
}

MayEnd Join::offer_terms(const Data& data, const ItemPlan& plan, Notices& notices,
                         cluster::Writes given, cluster::Writes kept) {
  Offers offers = offers_of(data, plan);
  const auto later = [&](const std::string& why) {
    notices.note("the terms of the items are compared with the other nodes' later: %s",
                 why.c_str());
    open_offers_ = std::move(offers.given);
    open_offers_.insert(open_offers_.end(), offers.kept.begin(), offers.kept.end());
    return std::nullopt;
  };
  if (!problem_.empty()) return later(problem_);
  Result<std::vector<cluster::TermsDifference>> differences =
      cluster::offer_terms(*registry_, offers.given, given);
  if (!differences) return later(differences.error().message);
  if (!differences->empty()) return contradiction(*differences);
  differences = cluster::offer_terms(*registry_, offers.kept, kept);
  if (!differences) return later(differences.error().message);
  cluster::warn_of(*differences);
  return std::nullopt;
}

}  // namespace stampede::node
