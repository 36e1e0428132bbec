#include "shard/admission.h"

#include <array>

#include "door/link.h"
#include "door/proof.h"
#include "shard/text_answers.h"
#include "stock/sale_state.h"

namespace stampede::shard {
namespace {

std::span<const door::Key> links_of(const door::Keys* keys) {
  return keys == nullptr ? std::span<const door::Key>() : keys->links;
}

std::span<const door::Key> proofs_of(const door::Keys* keys) {
  return keys == nullptr ? std::span<const door::Key>() : keys->proofs;
}

}  // namespace

bool Admission::is_enrolled(const OrderRequest& order) const {
  if (!catalog.has_enrolment(order.item)) return true;
  return rules.enrolments != nullptr &&
         door::is_enrolled(*rules.enrolments, catalog.enrolled(order.item), order.user,
                           order.user_hash);
}

Verdict Admission::objection_to(const OrderRequest& order, std::string_view link) const {
  if (rules.blocked.has_user(order.user)) return Verdict::blocked;
  if (!is_enrolled(order)) return Verdict::not_enrolled;
  if (!catalog.sale(order.item).has_hidden_link) return Verdict::ok;
  const bool is_valid = door::verify_link(link, order.user, catalog.code(order.item),
                                          links_of(keys), now.wall_ns / kSecond);
  return is_valid ? Verdict::ok : Verdict::bad_link;
}

Verdict Admission::may_have_link(const OrderRequest& asked, std::string_view proof) const {
  const stock::SaleTerms& terms = catalog.sale(asked.item);
  switch (stock::state_of(terms, now.wall_ms())) {
    case stock::SaleState::ended:
      return Verdict::sale_ended;
    case stock::SaleState::not_started:
      return Verdict::not_started;
    case stock::SaleState::paused:
      return Verdict::sale_paused;
    case stock::SaleState::open:
      break;
  }
  if (rules.blocked.has_user(asked.user)) return Verdict::blocked;
  if (terms.has_proof && !door::verify_proof(proof, asked.user, catalog.code(asked.item),
                                             proofs_of(keys), now.wall_ns / kSecond))
    return Verdict::bad_proof;
  return is_enrolled(asked) ? Verdict::ok : Verdict::not_enrolled;
}

bool Admission::has_link_keys() const {
  return !links_of(keys).empty();
}

std::string Admission::link_json(std::string_view user, ItemId item) const {
  const int64_t expires_unix = door::link_expiry(now.wall_ns / kSecond);
  std::array<char, door::kLinkBytesMax> room;
  const std::string_view link =
      door::mint_link(user, catalog.code(item), expires_unix, *door::newest(links_of(keys)), room);
  return "{\"link\":\"" + std::string(link) +
         "\",\"expires_at\":" + time_json(expires_unix * 1000) + "}";
}

KeyKinds kinds_needed(const stock::SaleTerms& terms) {
  if (terms.is_ended) return 0;
  return (terms.has_hidden_link ? kLinkKeys : 0) | (terms.has_proof ? kProofKeys : 0);
}

std::string_view lack_of(const door::Keys* keys, KeyKinds needed) {
  if ((needed & kLinkKeys) != 0 && links_of(keys).empty())
    return "an item with hidden_link needs a key under links in --key-file (`stampede sign keys` "
           "prints one)";
  if ((needed & kProofKeys) != 0 && proofs_of(keys).empty())
    return "an item with proof needs a key under proofs in --key-file (`stampede sign keys` prints "
           "one)";
  return {};
}

}  // namespace stampede::shard
