// Who may buy: who is blocked, and for an item that is not for everybody the lists of users, the links of hidden sales and
// the proofs that a link asks for. And which keys the terms of an item need.
//
// The shard that reads a request checks what the request says; what it finds against an order goes with the order to the
// user's home shard, which says it only behind everything that a winner may repeat (Desk::create()).
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "door/keys.h"
#include "door/rules.h"
#include "order.h"
#include "stock/catalog.h"

namespace stampede::shard {

// Views of what a shard goes by in this turn.
struct Admission {
  const stock::Catalog& catalog;
  const door::Keys* keys;  // null: there are none
  const door::Rules& rules;
  Moment now;

  // What is to be said to an order of a known user; Verdict::ok: nothing.
  [[nodiscard]] Verdict objection_to(const OrderRequest& order, std::string_view link) const;

  // Whether the user may have the link of this hidden sale now; otherwise why not.
  [[nodiscard]] Verdict may_have_link(const OrderRequest& asked, std::string_view proof) const;
  [[nodiscard]] bool has_link_keys() const;
  // With such keys: {"link":"…","expires_at":"…"}.
  [[nodiscard]] std::string link_json(std::string_view user, ItemId item) const;

 private:
  bool is_enrolled(const OrderRequest& order) const;
};

// Kinds of keys, a bit each.
using KeyKinds = unsigned;
constexpr KeyKinds kLinkKeys = 1, kProofKeys = 2;
[[nodiscard]] KeyKinds kinds_needed(const stock::SaleTerms& terms);
// What to do about it when `keys` lack one of those; empty: they do not. Null: there are none at all.
[[nodiscard]] std::string_view lack_of(const door::Keys* keys, KeyKinds needed);

}  // namespace stampede::shard
