#include "shard/item_changes.h"

#include <algorithm>

#include "base/diag.h"
#include "door/opaque_code.h"
#include "shard/admin_json.h"
#include "stock/sale_state.h"

namespace stampede::shard {
namespace {

constexpr size_t kEntriesPerTurn = 256;  // of a catalog, looked at
constexpr size_t kLeftNamedMax = 20;     // of those that are not taken up
constexpr const char* kEndedForGood =
    "This sale was ended for good: sell the item under a new code.";
constexpr std::string_view kRetention = "--retain";  // in whose name items are ended
// Whether items are over for long: forty seconds for a million, and then a second's rest.
constexpr int64_t kLookEveryMs = 10;
constexpr size_t kItemsPerLook = 256;
// Ends of items leave room for changes of operators.
constexpr size_t kEndsUnderWayMax = bounds::changes_under_way_max / 4;

TextAnswer not_enough_free(Units free) {
  return conflict("not_enough", "Fewer units are free than are to be withdrawn.", "available",
                  free);
}

void note_left(const stock::ItemTerms& terms, const char* why, std::vector<std::string>& left) {
  const std::string_view name = terms.code.empty() ? terms.product.view() : terms.code.view();
  diag::warning("item %s of the catalog is not taken up: %s", std::string(name).c_str(), why);
  if (left.size() < kLeftNamedMax) left.push_back("item " + std::string(name));
}

// As the record has it.
std::string restock_text(int64_t delta) {
  return "restock " + std::to_string(delta);
}

}  // namespace

ItemChanges::ItemChanges(ChangeHost& host, const stock::StreamState& state,
                         const stock::Catalog& catalog, const ledger::OperatorsLink& ledger,
                         Process& process)
    : host_(host), state_(state), catalog_(catalog), ledger_(ledger), process_(process) {}

// ---- what operators ask for ----

// False: the answer is that nothing can be changed now.
bool ItemChanges::admit(ReplyTo place, KeyKinds keys_needed) {
  const bool is_stopping = process_.is_stopping.load(std::memory_order_acquire);
  const bool has_room = changes_.size() < bounds::changes_under_way_max && host_.has_room();
  if (is_stopping || !has_room) {
    host_.complete(place, {.refusal = is_stopping ? Verdict::shutting_down : Verdict::overloaded});
    return false;
  }
  // Now, and not when the item is hidden: the keys that have been looked at must be there then.
  if (process_.reload.need(keys_needed)) return true;
  host_.complete(place, {.refusal = Verdict::try_again});
  return false;
}

ItemChanges::Change& ItemChanges::begin(const Operator& by, ItemId item) {
  Change& change = changes_.emplace_back();
  change.item = item;
  change.who = admin_text(by.who);
  change.places.push_back(by.place);
  return change;
}

ItemChanges::Change& ItemChanges::begin_of_catalog(ItemId item) {
  Change& change = changes_.emplace_back();
  change.item = item;
  change.who = entries_who_;
  change.is_of_catalog = true;
  return change;
}

// The record of who, what and when, which ends those of one change; all of them are in one batch.
void ItemChanges::record(Change& change, std::string_view what, Moment now) {
  change.lsn = host_.append(orderlog::Admin{.at_ms = now.wall_ms(),
                                            .item = change.item,
                                            .op_id = change.restock.op_id,
                                            .who = change.who,
                                            .what = admin_text(what)});
  change.step = Step::sync;
}

void ItemChanges::put(const Operator& by, std::string_view code, std::string_view body,
                      Moment now) {
  const Result<stock::ItemChange> change = stock::parse_item(body, code);
  if (!change)
    return host_.complete(by.place, refused(Verdict::bad_request, change.error().message));
  // An object without a key would set every term to its default, which nobody means.
  if (body.find('"') == body.npos)
    return host_.complete(
        by.place, refused(Verdict::bad_request, "the body must hold the item as in a catalog"));
  const SharedKeys keys = process_.keys.load();
  const KeyKinds needed = kinds_needed(change->terms);
  if (const std::string_view lack = lack_of(keys.get(), needed); !lack.empty())
    return host_.complete(by.place, refused(Verdict::bad_request, lack));
  if (const ItemId item = catalog_.find(code); item != kNoItem)
    return put_known(by, item, *change, now);
  if (const std::string objection = objection_to_new(change->terms, keys.get()); !objection.empty())
    return host_.complete(by.place, refused(Verdict::bad_request, objection));
  put_new(by, *change, now);
}

// What only a start can decide: which file has the users of an item; and which code a product has.
std::string ItemChanges::objection_to_new(const stock::ItemTerms& terms,
                                          const door::Keys* keys) const {
  if (!terms.enrolled.empty()) return "enrolled: only the catalog's file may name a file";
  if (terms.product.empty()) return {};
  const auto has_product = [&](const stock::ItemTerms& other) {
    return other.product.view() == terms.product.view();
  };
  for (const stock::RegisteredItem& item : state_.items())
    if (has_product(item.terms))
      return "product: it is sold already, as " + std::string(item.terms.code.view());
  for (const Change& change : changes_)
    if (change.is_new && has_product(*change.terms))
      return "product: it becomes an item just now, as " + std::string(change.terms->code.view());
  if (keys == nullptr || keys->codes.empty())
    return "product: its code needs a key under codes in --key-file";
  const std::string code = door::opaque_code(terms.product, *door::newest(keys->codes));
  return code == terms.code.view() ? "" : "product: its code is " + code;
}

void ItemChanges::put_new(const Operator& by, const stock::ItemChange& change, Moment now) {
  if (!change.stock)
    return host_.complete(by.place,
                          refused(Verdict::bad_request, "stock: is required of a new item"));
  if (is_under_way(change.terms.code))
    return host_.complete(by.place, {.refusal = Verdict::try_again});
  const ItemId item = static_cast<ItemId>(state_.items().size());
  if (item == bounds::item_count_max)
    return host_.complete(
        by.place, conflict("too_many_items", "there is no room for another item", "items", item));
  if (!admit(by.place, kinds_needed(change.terms))) return;
  Change& begun = begin(by, item);
  begun.is_new = true;
  begun.terms = change.terms;
  if (!ledger_.is_shared()) return record_new_item(begun, *change.stock, 0, now);
  begun.step = Step::agree;
  begun.ticket = ++last_ticket_;
  ledger_.shared->add(begun.terms->code.view(), begun.terms->product.view(), *change.stock,
                      begun.ticket);
}

// Its id is given here, for only what is recorded has one.
void ItemChanges::record_new_item(Change& change, Units supplied, Units withdrawn, Moment now) {
  stock::ItemTerms& terms = *change.terms;
  terms.id = change.item = static_cast<ItemId>(state_.items().size());
  host_.append(stock::record_of(terms));
  host_.append(orderlog::Supply{.item = terms.id, .supplied = supplied, .withdrawn = withdrawn});
  record(change, "put, a new item with stock " + std::to_string(supplied - withdrawn), now);
  if (!ledger_.is_shared()) change.supplied = supplied;
  change.answer = {.status = http::StatusCode::created,
                   .body = item_json(terms, supplied - withdrawn, now.wall_ms())};
}

void ItemChanges::put_known(const Operator& by, ItemId item, const stock::ItemChange& change,
                            Moment now) {
  const stock::RegisteredItem& known = state_.items()[item];
  if (known.terms.is_ended)
    return host_.complete(by.place, refused(Verdict::sale_ended, kEndedForGood));
  if (change.stock && *change.stock != known.total())
    return host_.complete(by.place, conflict("stock_differs",
                                             "The stock of a known item is changed by POST "
                                             "/admin/items/{code}/restock. To change other "
                                             "terms leave stock out, or send the present total.",
                                             "total", known.total()));
  stock::ItemTerms terms = change.terms;
  // These two stay what they are: one is the item, and without the other everybody could buy it.
  const auto may_be = [](std::string_view asked, std::string_view present) {
    return asked.empty() || asked == present;
  };
  if (!may_be(terms.product, known.terms.product))
    return host_.complete(by.place, refused(Verdict::bad_request, "product: is not this item's"));
  if (!may_be(terms.enrolled, known.terms.enrolled))
    return host_.complete(by.place, refused(Verdict::bad_request,
                                            "enrolled: only the catalog's file may name a file"));
  terms.product = known.terms.product;
  terms.enrolled = known.terms.enrolled;
  terms.id = item;
  terms.is_paused = known.terms.is_paused;
  terms.catalog_sum = known.terms.catalog_sum;
  record_terms(by, terms, "put", now);
}

void ItemChanges::set_sale(const Operator& by, AdminKind action, ItemId item, Moment now) {
  stock::ItemTerms terms = state_.items()[item].terms;
  if (action == AdminKind::end) {
    terms.is_ended = true;
    // How long its orders are kept counts from the end.
    if (terms.ends_ms == 0 || terms.ends_ms > now.wall_ms()) terms.ends_ms = now.wall_ms();
    return record_terms(by, terms, "end", now);
  }
  if (terms.is_ended) return host_.complete(by.place, refused(Verdict::sale_ended, kEndedForGood));
  terms.is_paused = action == AdminKind::pause;
  record_terms(by, terms, terms.is_paused ? "pause" : "resume", now);
}

// Orders are forgotten by each shard on its own, and with them keys and purchase limits; so by then the item must not be sold again
// by anybody. The order of the log decides: behind new terms with a later end it is not over, and behind this no later end is
// accepted. A shard forgets when it has heard of this, which is when it is durable.
void ItemChanges::end_what_is_over(Moment now) {
  if (now.boot_ns < next_look_ns_ || process_.is_stopping.load(std::memory_order_acquire)) return;
  next_look_ns_ = now.boot_ns + ns_of_ms(kLookEveryMs);
  for (size_t looked = 0; looked < kItemsPerLook; ++looked) {
    if (next_looked_at_ >= state_.items().size()) {
      next_looked_at_ = 0;
      next_look_ns_ = now.boot_ns + kSecond;
      return;
    }
    if (changes_.size() >= kEndsUnderWayMax || !host_.has_room()) return;
    const stock::ItemTerms& known = state_.items()[next_looked_at_++].terms;
    if (known.is_ended || !host_.is_over_retention(known, now)) continue;
    stock::ItemTerms terms = known;
    terms.is_ended = true;
    Change& change = changes_.emplace_back();
    change.item = terms.id;
    change.who = kRetention;
    record_terms(change, terms, "end, its orders may be forgotten", now);
  }
}

void ItemChanges::record_terms(const Operator& by, const stock::ItemTerms& terms,
                               std::string_view what, Moment now) {
  if (admit(by.place, kinds_needed(terms))) record_terms(begin(by, terms.id), terms, what, now);
}

void ItemChanges::record_terms(Change& change, const stock::ItemTerms& terms, std::string_view what,
                               Moment now) {
  if (ledger_.is_shared()) change.terms_before = stock::terms_json(state_.items()[terms.id].terms);
  host_.append(stock::record_of(terms));
  record(change, what, now);
  change.terms = terms;
  change.answer = {.body = item_json(terms, state_.items()[terms.id].total(), now.wall_ms())};
}

void ItemChanges::restock(const Operator& by, ItemId item, std::string_view body, Moment now) {
  const Result<Restock> asked = parse_restock(body);
  if (!asked) return host_.complete(by.place, refused(Verdict::bad_request, asked.error().message));
  if (const std::string other = other_use_of(*asked, item); !other.empty())
    return host_.complete(by.place, refused(Verdict::key_reused, other));
  if (Change* const same = find_restock(asked->op_id)) {
    if (same->places.size() > bounds::op_repeats_max)
      return host_.complete(by.place, {.refusal = Verdict::overloaded});
    return same->places.push_back(by.place);
  }
  const stock::RegisteredItem& known = state_.items()[item];
  if (state_.find_op(asked->op_id) != nullptr)
    return host_.complete(
        by.place, {.body = restock_json(known.terms.code, asked->op_id, false, known.total())});
  if (state_.ops().size() >= bounds::op_ids_max)
    return host_.complete(by.place, conflict("too_many_op_ids", "no more op_ids can be remembered",
                                             "op_ids", state_.ops().size()));
  if (const auto after = restocked({known.supplied, known.withdrawn}, asked->delta);
      asked->delta > 0 && !after)
    return host_.complete(
        by.place, conflict("too_many_units", after.error().message, "total", known.total()));
  if (!admit(by.place, 0)) return;
  Change& change = begin(by, item);
  change.restock = *asked;
  if (ledger_.is_shared()) {
    change.step = Step::agree;
    change.ticket = ++last_ticket_;
    ledger_.shared->restock(known.terms.code.view(), asked->op_id.view(), asked->delta,
                            change.ticket);
  } else if (asked->delta > 0)
    record_restock(change, now);
  else
    change.step = Step::withdraw;
}

void ItemChanges::record_restock(Change& change, Moment now) {
  const stock::RegisteredItem& item = state_.items()[change.item];
  const int64_t delta = change.restock.delta;
  Supplied after{change.agreed.supplied, change.agreed.withdrawn};
  if (ledger_.is_shared()) {
    // Answers may come out of order, and what the log says of the supply only grows.
    after = {std::max(after.supplied, item.supplied), std::max(after.withdrawn, item.withdrawn)};
  } else {
    const Result<Supplied> computed = restocked({item.supplied, item.withdrawn}, delta);
    // More units were asked about before, or fewer are on sale than the ledger has just taken: neither can be.
    CHECK(bool(computed));
    after = *computed;
    if (delta > 0) change.supplied = after.supplied;
  }
  host_.append(orderlog::Supply{
      .item = change.item, .supplied = after.supplied, .withdrawn = after.withdrawn});
  record(change, restock_text(delta), now);
  const auto says = [&](bool is_applied) {
    return TextAnswer{
        .body = restock_json(item.terms.code, change.restock.op_id, is_applied, item.total())};
  };
  change.answer = says(true);
  change.answer_to_repeats = says(false);
}

// For what else the op_id was used, or is being used just now; empty: for nothing else.
std::string ItemChanges::other_use_of(const Restock& asked, ItemId item) {
  ItemId used_item = item;
  std::string used_for = restock_text(asked.delta);
  if (const Change* const same = find_restock(asked.op_id)) {
    used_item = same->item;
    used_for = restock_text(same->restock.delta);
  } else if (const auto* const op = state_.find_op(asked.op_id);
             op != nullptr && !op->what.empty()) {
    used_item = op->item;
    used_for = op->what;
  }
  if (used_item == item && used_for == restock_text(asked.delta)) return {};
  return "op_id " + std::string(asked.op_id) + " was used for another change: " + used_for +
         " of " + std::string(state_.items()[used_item].terms.code.view());
}

ItemChanges::Change* ItemChanges::find_restock(std::string_view op_id) {
  const auto found = std::find_if(changes_.begin(), changes_.end(), [&](const Change& change) {
    return change.restock.op_id.view() == op_id;
  });
  return found == changes_.end() ? nullptr : &*found;
}

bool ItemChanges::is_under_way(std::string_view new_code) const {
  return std::any_of(changes_.begin(), changes_.end(), [&](const Change& change) {
    return change.is_new && change.terms->code.view() == new_code;
  });
}

// ---- a catalog ----

void ItemChanges::take_catalog(SharedEntries entries, std::string_view who) {
  entries_ = std::move(entries);
  entries_who_ = admin_text(who);
  next_entry_ = 0;
  left_ = {};
}

bool ItemChanges::is_taking_catalog() const {
  return entries_ || std::ranges::any_of(changes_, &Change::is_of_catalog);
}

void ItemChanges::take_entries(Moment now) {
  if (process_.is_stopping.load(std::memory_order_acquire)) entries_ = nullptr;
  for (size_t looked = 0; entries_ && looked < kEntriesPerTurn; ++looked) {
    if (next_entry_ == entries_->size())
      entries_ = nullptr;
    else if (changes_.size() < bounds::changes_under_way_max && host_.has_room() &&
             take_entry((*entries_)[next_entry_], now))
      ++next_entry_;
    else
      break;
  }
  wants_turn_ = wants_turn_ || entries_;
}

// False: later.
bool ItemChanges::take_entry(const stock::CatalogEntry& entry, Moment now) {
  stock::ItemTerms terms = entry.terms;
  if (!terms.product.empty()) find_product(terms);
  if (terms.code.empty()) return leave(entry.terms, "only a start sells a new product"), true;
  // Keys that lack some come with a catalog of their own, which takes this one's place.
  if (!process_.reload.need(kinds_needed(terms))) return false;
  terms.catalog_sum = stock::catalog_sum_of(terms);
  if (is_under_way(terms.code)) return false;
  if (const ItemId item = catalog_.find(terms.code); item != kNoItem)
    return take_known(item, terms, now), true;
  if (!terms.enrolled.empty()) return leave(terms, "only a start reads a new list of users"), true;
  if (state_.items().size() == bounds::item_count_max)
    return leave(terms, "there are as many items as there can be"), true;
  Change& change = begin_of_catalog(static_cast<ItemId>(state_.items().size()));
  change.is_new = true;
  change.terms = terms;
  if (!ledger_.is_shared()) return record_new_item(change, entry.stock, 0, now), true;
  change.step = Step::agree;
  change.ticket = ++last_ticket_;
  ledger_.shared->add(terms.code.view(), terms.product.view(), entry.stock, change.ticket);
  return true;
}

void ItemChanges::take_known(ItemId item, stock::ItemTerms terms, Moment now) {
  const stock::ItemTerms& known = state_.items()[item].terms;
  if (terms.catalog_sum == known.catalog_sum) {
    // As a start does: another node may have read something newer.
    if (!known.is_ended && ledger_.is_shared())
      ledger_.shared->offer_terms(known.code.view(), "", stock::terms_json(known));
    return;
  }
  if (terms.enrolled.view() != known.enrolled.view())
    return leave(terms, "only a start reads another list of users");
  if (stock::would_revive(known, terms)) return refuse(terms, stock::kNoLaterEnd);
  terms.id = item;
  terms.is_paused = known.is_paused;
  terms.is_ended = known.is_ended;
  record_terms(begin_of_catalog(item), terms, "catalog, new terms", now);
}

// The code that a product has since a start; none when it is not sold.
void ItemChanges::find_product(stock::ItemTerms& terms) const {
  const SharedKeys keys = process_.keys.load();
  if (!keys) return;
  for (const door::Key& key : keys->codes) {
    const std::string code = door::opaque_code(terms.product, key);
    const ItemId item = catalog_.find(code);
    if (item == kNoItem || state_.items()[item].terms.product.view() != terms.product.view())
      continue;
    terms.code = std::string_view(code);
    if (terms.title.empty()) terms.title = terms.code.view();
    return;
  }
}

void ItemChanges::leave(const stock::ItemTerms& terms, const char* why) {
  note_left(terms, why, left_.needs_start);
}

void ItemChanges::refuse(const stock::ItemTerms& terms, const char* why) {
  note_left(terms, why, left_.refused);
}

// ---- the steps ----

void ItemChanges::turn(Moment now) {
  end_what_is_over(now);
  if (!has_some()) return;
  wants_turn_ = is_supply_blocked_ = is_telling_blocked_ = false;
  take_entries(now);
  take_answers();
  for (Change& change : changes_) {
    advance(change, now);
    // Shards hear of changes in the order of their records, and of items in the order of their ids.
    if (change.terms && change.step < Step::known) is_telling_blocked_ = true;
  }
  std::erase_if(changes_, [](const Change& change) { return change.step == Step::done; });
}

void ItemChanges::take_answers() {
  for (const ledger::StockChange& answer : ledger_.both.take_changes()) {
    const auto change = std::find_if(changes_.begin(), changes_.end(), [&](const Change& one) {
      return one.ticket == answer.ticket;
    });
    CHECK(change != changes_.end());
    if (change->step == Step::agree) {
      take_agreement(*change, answer);
    } else if (change->step == Step::supplied) {
      change->step = Step::tell;
    } else if (answer.outcome == ledger::StockChange::Outcome::done) {
      change->step = Step::record;
    } else {
      change->answer = not_enough_free(answer.free);
      finish(*change);
    }
  }
}

void ItemChanges::take_agreement(Change& change, const ledger::StockChange& answer) {
  using Outcome = ledger::StockChange::Outcome;
  change.agreed = answer;
  switch (answer.outcome) {
    case Outcome::done:
      change.step = Step::record;
      return;
    case Outcome::repeated:
      change.answer = {.body = restock_json(state_.items()[change.item].terms.code,
                                            change.restock.op_id, false,
                                            answer.supplied - answer.withdrawn)};
      return finish(change);
    case Outcome::not_enough:
      change.answer = not_enough_free(answer.free);
      return finish(change);
    case Outcome::reused:
      change.answer = refused(Verdict::key_reused, answer.message);
      return finish(change);
    case Outcome::unavailable:
      change.answer = refused(Verdict::ledger_unavailable, answer.message);
      return finish(change);
  }
}

// Takes the change as far as it can go now.
void ItemChanges::advance(Change& change, Moment now) {
  if (change.step == Step::withdraw && send_withdrawal(change)) change.step = Step::withdrawn;
  if (change.step == Step::record) {
    if (host_.has_room() && change.is_new)
      record_new_item(change, change.agreed.supplied, change.agreed.withdrawn, now);
    else if (host_.has_room())
      record_restock(change, now);
    else
      wants_turn_ = true;
  }
  if (change.step == Step::sync && host_.durable() >= change.lsn) after_sync(change);
  if (change.step == Step::supply && send_supply(change)) {
    if (change.is_new)
      change.step = Step::supplied;
    else
      finish(change);
  }
  if (change.step == Step::tell && tell_shards(change)) change.step = Step::known;
  if (change.step == Step::known && have_shards_taken_terms()) finish(change);
}

bool ItemChanges::send_withdrawal(Change& change) {
  if (!ledger_.own->has_room_for_change(change.item)) return wants_turn_ = true, false;
  change.ticket = ++last_ticket_;
  ledger_.own->withdraw(change.item, 0 - static_cast<Units>(change.restock.delta), change.ticket);
  return true;
}

void ItemChanges::after_sync(Change& change) {
  if (change.terms) change.untold = ~uint64_t{0} >> (64 - process_.shard_count);
  // An end is each node's own, and comes at another moment on each.
  if (change.terms && !change.terms->is_ended && ledger_.is_shared())
    ledger_.shared->offer_terms(change.terms->code.view(), std::move(change.terms_before),
                                stock::terms_json(*change.terms));
  if (ledger_.is_shared() && change.restock.delta > 0)
    ledger_.shared->note_recorded(state_.items()[change.item].terms.code.view(),
                                  change.agreed.supplied);
  if (change.supplied)
    change.step = Step::supply;
  else if (change.terms)
    change.step = Step::tell;
  else
    finish(change);
}

// Supplies are absolute and only grow, so they must not overtake each other.
bool ItemChanges::send_supply(Change& change) {
  is_supply_blocked_ = is_supply_blocked_ || !ledger_.own->has_room_for_change(change.item);
  if (is_supply_blocked_) return wants_turn_ = true, false;
  ledger_.own->supply(change.item, *change.supplied);
  if (!change.is_new) return true;
  // A withdrawal of nothing comes back when the ledger has taken what was sent before it.
  change.ticket = ++last_ticket_;
  ledger_.own->withdraw(change.item, 0, change.ticket);
  return true;
}

bool ItemChanges::tell_shards(Change& change) {
  if (is_telling_blocked_) return false;
  uint64_t told = 0;
  for (uint32_t shard = 0; shard < process_.shard_count; ++shard) {
    const uint64_t bit = uint64_t{1} << shard;
    if ((change.untold & bit) == 0) continue;
    // Not by its own lane: the operator's next request must find the item.
    if (shard == 0)
      host_.publish(*change.terms);
    else if (!process_.terms[shard]->push(*change.terms))
      continue;
    told |= bit;
  }
  change.untold &= ~told;
  process_.ring(told & ~uint64_t{1});
  if (change.untold != 0) wants_turn_ = true;
  return change.untold == 0;
}

// These and all that were told meanwhile. A shard that takes some wakes this one.
bool ItemChanges::have_shards_taken_terms() const {
  return std::ranges::all_of(
      process_.terms, [](const auto& lane) { return lane->room() == bounds::control_slots; });
}

void ItemChanges::finish(Change& change) {
  if (change.is_of_catalog && change.lsn == 0)
    leave(*change.terms, "the shared ledger has not answered");
  for (size_t i = 0; i < change.places.size(); ++i)
    host_.complete(change.places[i],
                   i > 0 ? change.answer_to_repeats.value_or(change.answer) : change.answer);
  change.step = Step::done;
}

}  // namespace stampede::shard
