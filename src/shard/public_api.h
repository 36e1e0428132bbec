// What buyers may ask of one shard: orders, payments, items, stock, time. Turns each request of the public listeners
// into a question to the desk that decides it, this shard's or another's, or answers it here.
//
//   Connections ──handle()──▶ route ─┬─ create ──▶ the door ──▶ Orders::submit() ──▶ desk or mailbox
//        ▲                           ├─ read, cancel, pay ────▶      │
//        │                           ├─ list ──▶ OrderLists ──▶     │
//        └──── complete() ◀──────────┼─ watch ─▶ LongPolls ───▶     ▼
//                                    ├─ stock ─▶ StockQuestions     complete(answer)
//                                    ├─ items ─▶ CatalogPages
//                                    ├─ link ──▶ Admission
//                                    └─ time
//
// The checks of an address, before anything is read of what was asked, are check_address(); the checks that a new order must
// pass are open_door(): two lists. Refusals of orders and links are counted by item where their answers leave, whoever decided
// them: the door in handle(), a lack of credit in submit(), a desk in complete(). Belongs to its shard's thread.
#pragma once

#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/hash.h"
#include "door/address_table.h"
#include "door/keys.h"
#include "door/rules.h"
#include "http/json.h"
#include "http/routes.h"
#include "shard/admission.h"
#include "shard/answers.h"
#include "shard/catalog_pages.h"
#include "shard/long_polls.h"
#include "shard/order_lists.h"
#include "shard/orders.h"
#include "shard/reload.h"
#include "shard/stock_questions.h"

namespace stampede::shard {

struct PublicApiSettings {
  uint32_t node = 0;
  HashKey hash_key{};
  bool by_ticket = false;  // --auth ticket; otherwise X-User-Id
  uint32_t places_max = bounds::places_max;
};

class PublicApi final : public RequestHandler {
 public:
  // The references must outlive this.
  PublicApi(const PublicApiSettings& settings, Answers& answers, const stock::Catalog& catalog,
            Orders& orders, Moment now);

  // Where requests of one address are counted, beside those of other shards; must outlive this.
  void count_addresses_in(door::AddressTable& addresses) { addresses_ = &addresses; }
  void set_keys(SharedKeys keys) { keys_ = std::move(keys); }
  void set_rules(door::SharedRules rules) { rules_ = std::move(rules); }

  // An answer of a desk, this shard's or another's.
  void complete(const OrderAnswer& answer);
  // The ledger has said something of an item's stock.
  void on_news(ItemId item) { stock_.on_news(item, now_); }
  // Waits that are over, and what has its share of a turn. Once per turn, before events.
  void pass_time(Moment now);
  bool has_work() const { return lists_.has_work() || pages_.has_work(); }
  int64_t quiet_until_ns() const;
  // Pages of the catalog that were made, not sent.
  uint64_t pages_rendered() const { return pages_.rendered(); }
  // Of pages of the catalog that are held, for this or for clients.
  size_t page_bytes() const { return pages_.bytes(); }

  // RequestHandler
  void handle(const http::Request& request, ReplyTo place) override;
  std::string_view item_code(ItemId item) const override { return catalog_.code(item); }
  void take_turn(ReplyTo place) override { lists_.take_turn(place); }
  void hurry(ReplyTo place) override { end_poll(place.place); }
  void abandon(ReplyTo place) override;

 private:
  // Nothing, or why a request is refused.
  using Objection = std::optional<http::Refusal>;

  bool answer_preflight(const http::Request& request, const ReplyTo& place);
  Objection serve(const http::Request& request, const ReplyTo& place);
  Objection check_address(const http::Request& request, const http::Route& route,
                          const ReplyTo& place, uint32_t& over_ms);
  Objection take_address(const http::Request& request, const ReplyTo& place,
                         door::Address& address);
  Objection create(const http::Request& request, const ReplyTo& place, uint32_t over_ms);
  Objection object_to_rate(OrderRequest& order, uint32_t over_ms) const;
  Objection open_door(const http::Request& request, OrderRequest& order, uint32_t over_ms);
  Objection take_user(const http::Request& request, OrderRequest& order) const;
  Objection take_owner(const http::Request& request, OrderRequest& order, const ReplyTo& place);
  Objection take_key(const http::Request& request, OrderRequest& order) const;
  Objection take_item(std::string_view code, OrderRequest& order) const;
  Admission admission() const {
    return {.catalog = catalog_, .keys = keys_.get(), .rules = *rules_, .now = now_};
  }
  Objection list(const http::Request& request, const http::Route& route, const ReplyTo& place);
  Objection read(const http::Request& request, const http::Route& route, const ReplyTo& place);
  Objection cancel(const http::Request& request, const http::Route& route, const ReplyTo& place);
  Objection pay(const http::Request& request, const http::Route& route, const ReplyTo& place);
  Objection answer_items(const http::Request& request, const http::Route& route,
                         const ReplyTo& place);
  Objection answer_item(const http::Request& request, const http::Route& route,
                        const ReplyTo& place);
  Objection make_link(const http::Request& request, const http::Route& route, const ReplyTo& place);
  void give_link(const OrderAnswer& counted);
  void count_refusal(ItemId item, Verdict verdict, Limit limit = Limit::none);
  void answer_time(const ReplyTo& place);

  void submit(OrderRequest& order, const ReplyTo& place);
  bool is_foreign(const OrderRequest& order) const;
  void end_poll(uint32_t place);

  PublicApiSettings settings_;
  Answers& answers_;
  const stock::Catalog& catalog_;
  Orders& orders_;
  door::AddressTable* addresses_ = nullptr;
  SharedKeys keys_;
  door::SharedRules rules_ = std::make_shared<const door::Rules>();
  Moment now_;
  ItemId asked_ =
      kNoItem;  // of which the request under way wants an order or a link, once that is known
  OrderLists lists_;
  LongPolls polls_;
  StockQuestions stock_;
  CatalogPages pages_;
};

}  // namespace stampede::shard
