// Operators' changes: what takes effect when, what is refused, and that each happens once.
#include "shard/item_changes.h"

#include <doctest/doctest.h>

#include <functional>
#include <random>

#include "base/time_text.h"
#include "door/opaque_code.h"
#include "operators_rig.h"

namespace stampede::shard {
namespace {

constexpr uint32_t kPlace = 1, kOther = 2;
constexpr int64_t kLooksAgainNs = 2 * kSecond;  // whether an item is over for long

// As the body of a PUT.
std::string json_of(const stock::ItemTerms& terms) {
  const TimeText end(terms.ends_ms);
  return std::string("{\"ends_at\":\"").append(end.view()) + "\"}";
}

TEST_SUITE("shard/item_changes") {
  TEST_CASE("a new item is told to nobody before its record is durable") {
    OperatorsRig rig;
    rig.changes->put(rig.by(kPlace), "ticket", R"({"stock":10,"price":77})", rig.now);
    for (int turns = 0; turns < 3; ++turns) {
      rig.turn();
      rig.poll_all();
    }
    CHECK(!rig.is_answered(kPlace));
    CHECK(rig.catalog.find("ticket") == kNoItem);
    CHECK(rig.take_terms(1).empty());
    rig.sync();
    for (int turns = 0; turns < 3; ++turns) {
      rig.turn();
      rig.poll_all();
    }
    CHECK(rig.catalog.sale(rig.catalog.find("ticket")).price == 77);
    CHECK(rig.take_terms(1).size() == 1);
    CHECK(rig.take_terms(2).size() == 1);
    rig.turn();
    CHECK(rig.answers.at(kPlace).status == http::StatusCode::created);
    CHECK(rig.says(kPlace, R"("state":"open","total":10})"));
    CHECK(rig.acts == std::vector<std::string>{"put, a new item with stock 10"});
  }

  // Otherwise its first buyers would hear sold_out from a ledger that has not heard of the units
  // yet.
  TEST_CASE("a new item is told to the shards only when the ledger has its units") {
    constexpr uint32_t kShards = 3;
    OperatorsRig rig(kShards);
    uint32_t elsewhere = 0;
    for (ItemId item = 0; item < 12; ++item) {
      const std::string code = "i" + std::to_string(item);
      rig.changes->put(rig.by(item), code, R"({"stock":10})", rig.now);
      rig.sync();
      rig.turn();
      CHECK(rig.take_terms(1).empty());
      // Every shard but the one that has the item's book looks into its mail.
      const uint32_t home = mix(item) % kShards;
      elsewhere += home != 0;
      for (int turns = 0; turns < 3; ++turns) {
        for (uint32_t shard = 0; shard < kShards; ++shard)
          if (shard != home) rig.poll(shard);
        rig.turn();
      }
      CHECK(!rig.is_answered(item));
      CHECK(rig.take_terms(1).empty());
      rig.poll(home);
      rig.poll(0);
      rig.turn();
      // Nor does the operator hear of success while a shard could say unknown_item.
      CHECK(rig.take_terms(1).size() == 1);
      rig.turn();
      CHECK(!rig.is_answered(item));
      CHECK(rig.take_terms(2).size() == 1);
      rig.turn();
      CHECK(rig.is_answered(item));
      CHECK(rig.books(item).free == 10);
    }
    CHECK(elsewhere > 0);
  }

  TEST_CASE(
      "a catalog that was read again is taken up a part a turn, and holds what operators said") {
    OperatorsRig rig;
    auto entries = std::make_shared<std::vector<stock::CatalogEntry>>();
    for (int i = 0; i < 600; ++i) {
      stock::CatalogEntry entry;
      entry.terms.code = std::string_view("i" + std::to_string(i));
      entry.stock = 5;
      entries->push_back(entry);
    }
    rig.changes->take_catalog(entries, "SIGHUP");
    rig.turn();
    CHECK(rig.changes->is_taking_catalog());
    CHECK(rig.state.items().size() <= bounds::changes_under_way_max);
    for (int turns = 0; turns < 100 && rig.changes->has_some(); ++turns) rig.settle();
    CHECK_FALSE(rig.changes->is_taking_catalog());
    REQUIRE(rig.state.items().size() == 600);
    CHECK(rig.state.items()[599].total() == 5);
    const size_t acts = rig.acts.size();
    rig.changes->take_catalog(entries, "SIGHUP");
    for (int turns = 0; turns < 100 && rig.changes->has_some(); ++turns) rig.settle();
    CHECK(rig.acts.size() == acts);
  }

  TEST_CASE("the same new item twice at once becomes one item") {
    OperatorsRig rig;
    rig.changes->put(rig.by(kPlace), "ticket", R"({"stock":10})", rig.now);
    rig.changes->put(rig.by(kOther), "ticket", R"({"stock":10})", rig.now);
    CHECK(rig.answers.at(kOther).refusal == Verdict::try_again);
    rig.settle();
    CHECK(rig.answers.at(kPlace).status == http::StatusCode::created);
    CHECK(rig.state.items().size() == 1);
  }

  TEST_CASE("new items get their ids in the order of their records") {
    OperatorsRig rig;
    for (uint32_t number = 0; number < 20; ++number)
      rig.changes->put(rig.by(number), "i" + std::to_string(number), R"({"stock":1})", rig.now);
    rig.sync();
    std::vector<stock::ItemTerms> heard;
    for (int turns = 0; turns < 6; ++turns) {
      rig.turn();
      rig.poll(turns % 3);  // the ledger's shards answer at different times
      for (const stock::ItemTerms& terms : rig.take_terms(1)) heard.push_back(terms);
    }
    REQUIRE(heard.size() == 20);
    for (ItemId item = 0; item < 20; ++item) CHECK(heard[item].id == item);
  }

  TEST_CASE("a wrong body changes nothing and says what is wrong") {
    OperatorsRig rig;
    const ItemId item = rig.add_item("ticket", 10);
    const Lsn before = rig.appended;
    uint32_t place = 0;
    for (const char* body :
         {"", "{", "{}", " { } ", "[]", R"({"code":"other","stock":10})", R"({"price":-1})",
          R"({"stock":-1})", R"({"stock":10,"stock":10})", R"({"prise":10})"}) {
      CAPTURE(body);
      rig.changes->put(rig.by(place), "ticket", body, rig.now);
      CHECK(rig.answers.at(place).refusal == Verdict::bad_request);
      CHECK(!rig.answers.at(place).body.empty());
      ++place;
    }
    rig.changes->put(rig.by(place), "new", R"({"price":10})", rig.now);
    CHECK(rig.answers.at(place).refusal == Verdict::bad_request);
    CHECK(rig.says(place, "stock"));
    rig.settle();
    CHECK(rig.appended == before);
    CHECK(rig.item(item).total() == 10);
  }

  TEST_CASE("an item that asks for links or proofs needs their keys") {
    OperatorsRig rig;
    rig.changes->put(rig.by(0), "a", R"({"stock":1,"hidden_link":true})", rig.now);
    CHECK(rig.answers.at(0).refusal == Verdict::bad_request);
    CHECK(rig.says(0, "a key under links"));
    door::Keys keys;
    keys.links.emplace_back("k1", door::Secret{1});
    rig.process.keys.store(std::make_shared<const door::Keys>(keys));
    rig.changes->put(rig.by(1), "a", R"({"stock":1,"hidden_link":true,"proof":true})", rig.now);
    CHECK(rig.says(1, "a key under proofs"));
    CHECK(rig.process.reload.keys_needed() == 0);
    rig.changes->put(rig.by(2), "a", R"({"stock":1,"hidden_link":true})", rig.now);
    rig.settle();
    CHECK(rig.answers.at(2).status == http::StatusCode::created);
    CHECK(rig.process.reload.keys_needed() == kLinkKeys);
  }

  TEST_CASE("no request names a file and a known item keeps its list") {
    OperatorsRig rig;
    rig.changes->put(rig.by(0), "a", R"({"stock":1,"enrolled":"/etc/passwd"})", rig.now);
    CHECK(rig.answers.at(0).refusal == Verdict::bad_request);
    CHECK(rig.says(0, "enrolled: only the catalog's file"));
    const ItemId item = rig.add_item("ticket", 10);
    stock::ItemTerms terms = rig.item(item).terms;
    terms.enrolled = std::string_view("members.txt");
    rig.append(stock::record_of(terms));
    rig.changes->put(rig.by(1), "ticket", R"({"price":5,"enrolled":"other.txt"})", rig.now);
    CHECK(rig.answers.at(1).refusal == Verdict::bad_request);
    rig.changes->put(rig.by(2), "ticket", R"({"price":5})", rig.now);
    rig.changes->put(rig.by(3), "ticket", R"({"price":6,"enrolled":"members.txt"})", rig.now);
    rig.settle();
    CHECK(rig.answers.at(3).status == http::StatusCode::ok);
    CHECK(rig.item(item).terms.price == 6);
    CHECK(rig.item(item).terms.enrolled.view() == "members.txt");
    CHECK(rig.catalog.has_enrolment(item));
  }

  TEST_CASE("a product is one item whatever the keys are by now") {
    OperatorsRig rig;
    const auto code_by = [](uint8_t secret) {
      return door::opaque_code("4711", door::Key("k", door::Secret{secret}));
    };
    const auto use = [&](std::initializer_list<uint8_t> secrets) {
      door::Keys keys;
      for (const uint8_t secret : secrets)
        keys.codes.emplace_back("k" + std::to_string(secret), door::Secret{secret});
      rig.process.keys.store(std::make_shared<const door::Keys>(keys));
    };
    const std::string body = R"({"stock":10,"product":"4711"})";
    rig.changes->put(rig.by(0), code_by(1), body, rig.now);
    CHECK(rig.says(0, "a key under codes"));
    use({1});
    rig.changes->put(rig.by(1), "4711", body, rig.now);
    CHECK(rig.says(1, "its code is " + code_by(1)));
    rig.changes->put(rig.by(2), code_by(1), body, rig.now);
    rig.changes->put(rig.by(3), code_by(1), body, rig.now);
    CHECK(rig.says(3, "product: it is sold already"));
    rig.settle();
    REQUIRE(rig.answers.at(2).status == http::StatusCode::created);
    use({1, 2});
    rig.changes->put(rig.by(4), code_by(2), body, rig.now);
    CHECK(rig.answers.at(4).refusal == Verdict::bad_request);
    CHECK(rig.says(4, "it is sold already, as " + code_by(1)));
    rig.changes->put(rig.by(5), code_by(1), R"({"price":5,"product":"4712"})", rig.now);
    CHECK(rig.says(5, "product: is not this item's"));
    rig.changes->put(rig.by(6), code_by(1), R"({"price":5})", rig.now);
    rig.settle();
    CHECK(rig.answers.at(6).status == http::StatusCode::ok);
    CHECK(rig.state.items().size() == 1);
    CHECK(rig.item(0).terms.product.view() == "4711");
  }

  TEST_CASE("a known item keeps its stock and its pause while its other terms change") {
    OperatorsRig rig;
    const ItemId item = rig.add_item("ticket", 10);
    rig.changes->set_sale(rig.by(0), AdminKind::pause, item, rig.now);
    rig.changes->put(rig.by(1), "ticket", R"({"price":250,"stock":10})", rig.now);
    rig.changes->put(rig.by(2), "ticket", R"({"price":300})", rig.now);
    rig.settle();
    CHECK(rig.says(1, R"("price":250)"));
    CHECK(rig.catalog.sale(item).price == 300);
    CHECK(rig.catalog.sale(item).is_paused);
    CHECK(rig.item(item).total() == 10);
  }

  TEST_CASE("another stock than the present total is refused with the present total") {
    OperatorsRig rig;
    const ItemId item = rig.add_item("ticket", 10);
    rig.changes->put(rig.by(0), "ticket", R"({"price":250,"stock":11})", rig.now);
    CHECK(rig.answers.at(0).status == http::StatusCode::conflict);
    CHECK(rig.says(0, R"("code":"stock_differs")"));
    CHECK(rig.says(0, R"("total":10})"));
    rig.settle();
    CHECK(rig.catalog.sale(item).price == 0);
  }

  TEST_CASE("an end is for good and counts from now") {
    OperatorsRig rig;
    const ItemId item = rig.add_item("ticket", 10);
    rig.changes->set_sale(rig.by(0), AdminKind::end, item, rig.now);
    rig.settle();
    CHECK(rig.says(0, R"("state":"ended")"));
    CHECK(rig.catalog.sale(item).is_ended);
    CHECK(rig.catalog.sale(item).ends_ms == rig.now.wall_ms());
    const int64_t ended_ms = rig.now.wall_ms();
    rig.now.wall_ns += 10 * kSecond;
    rig.changes->set_sale(rig.by(1), AdminKind::resume, item, rig.now);
    rig.changes->put(rig.by(2), "ticket", R"({"price":1})", rig.now);
    CHECK(rig.answers.at(1).refusal == Verdict::sale_ended);
    CHECK(rig.answers.at(2).refusal == Verdict::sale_ended);
    rig.changes->set_sale(rig.by(3), AdminKind::end, item, rig.now);
    rig.settle();
    CHECK(rig.answers.at(3).refusal == Verdict::ok);
    CHECK(rig.catalog.sale(item).ends_ms == ended_ms);
  }

  ItemId add_with_end(OperatorsRig & rig, const std::string& code) {
    const ItemId item = rig.add_item(code, 10);
    stock::ItemTerms terms = rig.catalog.terms(item);
    terms.ends_ms = rig.now.wall_ms();
    rig.changes->put(rig.by(rig.next_place++), code, json_of(terms), rig.now);
    rig.settle();
    return item;
  }
  void pass_retention(OperatorsRig & rig) {
    rig.over_below_ms = rig.now.wall_ms() + 1;
    rig.now.boot_ns += kLooksAgainNs;
  }

  TEST_CASE("an item is ended for good before any shard may forget its orders") {
    OperatorsRig rig;
    const ItemId item = add_with_end(rig, "ticket");
    pass_retention(rig);
    rig.turn();
    CHECK(rig.acts.back() == "end, its orders may be forgotten");
    CHECK_FALSE(rig.catalog.sale(item).is_ended);  // its record is not durable
    CHECK(rig.take_terms(1).empty());
    rig.changes->put(rig.by(0), "ticket", R"({"price":1})", rig.now);
    rig.changes->set_sale(rig.by(1), AdminKind::resume, item, rig.now);
    CHECK(rig.answers.at(0).refusal == Verdict::sale_ended);
    CHECK(rig.says(0, "under a new code"));
    CHECK(rig.answers.at(1).refusal == Verdict::sale_ended);
    rig.sync();
    rig.turn();
    CHECK(rig.catalog.sale(item).is_ended);
    const std::vector<stock::ItemTerms> heard = rig.take_terms(1);
    REQUIRE(heard.size() == 1);
    CHECK(heard[0].is_ended);
    rig.settle();
    CHECK(!rig.changes->has_some());
    const Lsn before = rig.appended;
    rig.now.boot_ns += kLooksAgainNs;
    rig.settle();
    CHECK(rig.appended == before);
  }

  TEST_CASE("an item that is sold again in time is not ended although that is not durable yet") {
    OperatorsRig rig;
    const ItemId item = add_with_end(rig, "ticket");
    pass_retention(rig);
    rig.changes->put(rig.by(0), "ticket", R"({"price":1})", rig.now);
    rig.turn();
    rig.settle();
    CHECK(rig.answers.at(0).refusal == Verdict::ok);
    rig.now.boot_ns += kLooksAgainNs;
    rig.settle();
    CHECK_FALSE(rig.catalog.sale(item).is_ended);
  }

  TEST_CASE("while stopping or without room no item is ended") {
    OperatorsRig rig;
    const ItemId item = add_with_end(rig, "ticket");
    pass_retention(rig);
    const Lsn before = rig.appended;
    rig.process.is_stopping = true;
    rig.turn();
    rig.process.is_stopping = false;
    rig.has_log_room = false;
    rig.turn();
    CHECK(rig.appended == before);
    rig.has_log_room = true;
    rig.now.boot_ns += kLooksAgainNs;
    rig.settle();
    CHECK(rig.catalog.sale(item).is_ended);
  }

  TEST_CASE("ends of items leave room for changes of operators") {
    OperatorsRig rig;
    for (int i = 0; i < 100; ++i) add_with_end(rig, "i" + std::to_string(i));
    pass_retention(rig);
    const size_t acts = rig.acts.size();
    rig.turn();
    CHECK(rig.acts.size() - acts == bounds::changes_under_way_max / 4);
    for (int looks = 0; looks < 3; ++looks) {
      rig.now.boot_ns += kLooksAgainNs;
      rig.settle();
    }
    for (ItemId item = 0; item < 100; ++item) CHECK(rig.catalog.sale(item).is_ended);
  }

  TEST_CASE("a catalog that was read again sells nothing that was ended for good") {
    OperatorsRig rig;
    const ItemId item = add_with_end(rig, "ticket");
    pass_retention(rig);
    rig.settle();
    REQUIRE(rig.catalog.sale(item).is_ended);
    const int64_t ended_ms = rig.catalog.sale(item).ends_ms;
    stock::CatalogEntry entry;
    entry.terms.code = std::string_view("ticket");
    entry.terms.price = 5;
    for (const int64_t ends_ms : {int64_t{0}, ended_ms + 1, ended_ms}) {
      CAPTURE(ends_ms);
      entry.terms.ends_ms = ends_ms;
      rig.changes->take_catalog(std::make_shared<const std::vector<stock::CatalogEntry>>(1, entry),
                                "SIGHUP");
      rig.settle();
      const bool is_taken = ends_ms == ended_ms;
      CHECK(rig.catalog.sale(item).price == (is_taken ? 5 : 0));
      CHECK(rig.changes->left_of_catalog().refused.empty() == is_taken);
      CHECK(rig.catalog.sale(item).ends_ms == ended_ms);
      CHECK(rig.catalog.sale(item).is_ended);
    }
  }

  TEST_CASE("shards hear of a pause before its operator does and in the order of the records") {
    OperatorsRig rig(2);
    const ItemId item = rig.add_item("ticket", 10);
    // The other shard does not take its mail: its lane fills up.
    const stock::ItemTerms terms = rig.catalog.terms(item);
    while (rig.process.terms[1]->push(terms)) {
    }
    rig.changes->set_sale(rig.by(0), AdminKind::pause, item, rig.now);
    rig.changes->set_sale(rig.by(1), AdminKind::resume, item, rig.now);
    rig.sync();
    rig.turn();
    CHECK(!rig.is_answered(0));
    CHECK(!rig.is_answered(1));
    CHECK(rig.changes->wants_turn());
    CHECK(rig.take_terms(1).size() == bounds::control_slots);
    rig.turn();
    CHECK(!rig.is_answered(0));
    const std::vector<stock::ItemTerms> heard = rig.take_terms(1);
    REQUIRE(heard.size() == 2);
    CHECK(heard[0].is_paused);
    CHECK(!heard[1].is_paused);
    rig.turn();
    CHECK(rig.is_answered(0));
    CHECK(rig.is_answered(1));
    CHECK(!rig.changes->wants_turn());
  }

  TEST_CASE("added units are on sale when they are durable and not before") {
    OperatorsRig rig;
    const ItemId item = rig.add_item("ticket", 10);
    rig.restock(0, item, "r1", 5);
    rig.turn();
    CHECK(!rig.is_answered(0));
    CHECK(rig.books(item).total == 10);
    rig.settle();
    CHECK(rig.answers.at(0).body == R"({"item":"ticket","op_id":"r1","applied":true,"total":15})");
    CHECK(rig.books(item).total == 15);
    CHECK(rig.books(item).free == 15);
    CHECK(rig.books(item).is_ok);
  }

  TEST_CASE("a repeat of a restock under way waits for it and hears that it was no second one") {
    OperatorsRig rig;
    const ItemId item = rig.add_item("ticket", 10);
    for (uint32_t place = 0; place < 5; ++place) rig.restock(place, item, "r1", 5);
    rig.turn();
    for (uint32_t place = 0; place < 5; ++place) CHECK(!rig.is_answered(place));
    rig.settle();
    CHECK(rig.says(0, R"("applied":true,"total":15)"));
    for (uint32_t place = 1; place < 5; ++place)
      CHECK(rig.says(place, R"("applied":false,"total":15)"));
    rig.restock(9, item, "r1", 5);
    CHECK(rig.answers.at(9).body == R"({"item":"ticket","op_id":"r1","applied":false,"total":15})");
    CHECK(rig.books(item).total == 15);
  }

  TEST_CASE("an op_id of another restock is refused while that is under way and afterwards") {
    OperatorsRig rig;
    const ItemId item = rig.add_item("ticket", 10), seat = rig.add_item("seat", 10);
    rig.restock(0, item, "r1", 5);
    rig.restock(1, item, "r1", 6);
    CHECK(rig.answers.at(1).refusal == Verdict::key_reused);
    CHECK(rig.says(1, "op_id r1 was used for another change: restock 5 of ticket"));
    rig.settle();
    CHECK(rig.says(0, R"("applied":true,"total":15)"));
    rig.restock(2, item, "r1", -5);
    rig.restock(3, seat, "r1", 5);
    for (const uint32_t place : {2, 3}) {
      CHECK(rig.answers.at(place).refusal == Verdict::key_reused);
      CHECK(rig.says(place, "restock 5 of ticket"));
    }
    rig.restock(4, item, "r1", 5);
    CHECK(rig.says(4, R"("applied":false,"total":15)"));
    CHECK(rig.item(item).total() == 15);
    CHECK(rig.item(seat).total() == 10);
  }

  TEST_CASE("more repeats than there is room for are refused") {
    OperatorsRig rig;
    const ItemId item = rig.add_item("ticket", 10);
    for (uint32_t place = 0; place < bounds::op_repeats_max + 2; ++place)
      rig.restock(place, item, "r1", 5);
    CHECK(rig.answers.size() == 2);  // the item's own, and one refusal
    CHECK(rig.answers.at(bounds::op_repeats_max + 1).refusal == Verdict::overloaded);
  }

  TEST_CASE("units that are free can be withdrawn") {
    OperatorsRig rig;
    const ItemId item = rig.add_item("ticket", 10);
    rig.restock(0, item, "w1", -10);
    rig.settle();
    CHECK(rig.answers.at(0).body == R"({"item":"ticket","op_id":"w1","applied":true,"total":0})");
    CHECK(rig.item(item).withdrawn == 10);
    CHECK(rig.books(item).total == 0);
    CHECK(rig.books(item).is_ok);
  }

  TEST_CASE("units that are not free are not withdrawn and the answer says how many are") {
    OperatorsRig rig;
    const ItemId item = rig.add_item("ticket", 10);
    // Somebody leases eight.
    const LedgerAsk ask{.item = item, .want = 8};
    rig.ledgers[1]->exchange(rig.streams[1], {&ask, 1}, rig.now);
    rig.poll_all();
    const Lsn before = rig.appended;
    rig.restock(0, item, "w1", -3);
    rig.settle();
    CHECK(rig.answers.at(0).status == http::StatusCode::conflict);
    CHECK(rig.says(0, R"("code":"not_enough")"));
    CHECK(rig.says(0, R"("available":2})"));
    CHECK(rig.appended == before);
    // The refused op_id has not been used up.
    rig.restock(1, item, "w1", -2);
    rig.settle();
    CHECK(rig.says(1, R"("applied":true,"total":8)"));
  }

  TEST_CASE("a withdrawal that the ledger has done is recorded when the log has room again") {
    OperatorsRig rig;
    const ItemId item = rig.add_item("ticket", 10);
    rig.restock(0, item, "w1", -4);
    rig.has_log_room = false;
    rig.settle();
    CHECK(!rig.is_answered(0));
    CHECK(rig.changes->wants_turn());
    CHECK(rig.item(item).withdrawn == 0);
    rig.has_log_room = true;
    rig.settle();
    CHECK(rig.says(0, R"("total":6)"));
    CHECK(rig.item(item).withdrawn == 4);
  }

  TEST_CASE("stock never grows above its bound") {
    OperatorsRig rig;
    const ItemId item = rig.add_item("ticket", bounds::stock_max - 1);
    rig.restock(0, item, "r1", 2);
    CHECK(rig.answers.at(0).status == http::StatusCode::conflict);
    CHECK(rig.says(0, R"("code":"too_many_units")"));
    rig.restock(1, item, "r2", 1);
    // Not durable yet, but counted.
    rig.restock(2, item, "r3", 1);
    CHECK(rig.answers.at(2).status == http::StatusCode::conflict);
    rig.settle();
    CHECK(rig.item(item).total() == bounds::stock_max);
  }

  // Supplies are absolute: the ledger would take a later one that comes first, and the earlier one
  // for a step back.
  TEST_CASE("supplies do not overtake each other when the lane gets room in the middle of a turn") {
    OperatorsRig rig(1);
    const ItemId item = rig.add_item("ticket", 10);
    Lane<ledger::LedgerMessage>& lane = rig.process.ledger.lane(0, 0);
    while (rig.ledgers[0]->has_room_for_change(item))
      REQUIRE(lane.push({.kind = ledger::LedgerMessage::Kind::news, .item = item}));
    rig.restock(0, item, "r1", 1);
    rig.changes->set_sale(rig.by(1), AdminKind::pause, item, rig.now);
    rig.restock(2, item, "r2", 1);
    rig.on_answer = [&] { rig.poll(0); };  // the ledger's shard takes its mail between the two
    rig.sync();
    rig.turn();
    CHECK(rig.is_answered(1));
    CHECK(!rig.is_answered(0));
    CHECK(!rig.is_answered(2));
    CHECK(rig.changes->wants_turn());
    rig.settle();
    CHECK(rig.is_answered(0));
    CHECK(rig.is_answered(2));
    CHECK(rig.books(item).total == 12);
  }

  TEST_CASE("without room and while stopping changes are refused") {
    OperatorsRig rig;
    const ItemId item = rig.add_item("ticket", 10);
    const Lsn before = rig.appended;
    rig.has_log_room = false;
    rig.restock(0, item, "r1", 1);
    rig.changes->put(rig.by(1), "new", R"({"stock":1})", rig.now);
    rig.has_log_room = true;
    rig.process.is_stopping = true;
    rig.changes->set_sale(rig.by(2), AdminKind::pause, item, rig.now);
    CHECK(rig.answers.at(0).refusal == Verdict::overloaded);
    CHECK(rig.answers.at(1).refusal == Verdict::overloaded);
    CHECK(rig.answers.at(2).refusal == Verdict::shutting_down);
    CHECK(rig.appended == before);
  }

  TEST_CASE("as many changes may be under way as there is room for") {
    OperatorsRig rig;
    const ItemId item = rig.add_item("ticket", 10);
    for (uint32_t place = 0; place <= bounds::changes_under_way_max; ++place)
      rig.restock(place, item, "r" + std::to_string(place), 1);
    CHECK(rig.answers.at(bounds::changes_under_way_max).refusal == Verdict::overloaded);
    rig.settle();
    CHECK(rig.item(item).total() == 10 + bounds::changes_under_way_max);
    CHECK(rig.books(item).total == 10 + bounds::changes_under_way_max);
  }

  TEST_CASE("a long name of an operator is cut and does not break the record") {
    OperatorsRig rig;
    const std::string who(1000, 'x');
    rig.changes->put({.place = {.place = 0}, .who = who}, "ticket", R"({"stock":1})", rig.now);
    rig.settle();
    CHECK(rig.answers.at(0).status == http::StatusCode::created);
  }

  // Random changes; the log becomes durable, the ledger's shards look into their mail and lanes
  // fill up at random moments.
  void trade_at_random(uint64_t seed) {
    INFO("seed " << seed);
    std::mt19937_64 dice(seed);
    OperatorsRig rig(1 + dice() % 4);
    const ItemId item = rig.add_item("ticket", 20);
    struct Ask {
      std::string op_id;
      int64_t delta;
    };
    std::map<uint32_t, Ask> asked;
    std::map<std::string, int64_t> applied;
    for (uint32_t place = 0; place < 400; ++place) {
      const Ask ask{.op_id = "r" + std::to_string(dice() % 150),
                    .delta = 1 + static_cast<int64_t>(dice() % 9)};
      // An op_id means the same whenever it is repeated.
      const int64_t delta = std::hash<std::string>{}(ask.op_id) % 2 == 0 ? 3 : -4;
      asked[place] = {ask.op_id, delta};
      rig.has_log_room = dice() % 8 != 0;
      rig.restock(place, item, ask.op_id, delta);
      if (dice() % 3 == 0) rig.sync();
      if (dice() % 2 == 0) rig.turn();
      rig.poll(dice() % rig.process.shard_count);
    }
    rig.has_log_room = true;
    rig.settle();
    rig.settle();
    for (const auto& [place, ask] : asked) {
      REQUIRE(rig.is_answered(place));
      if (rig.answers[place].refusal == Verdict::ok && rig.says(place, "\"applied\":true"))
        CHECK(applied.emplace(ask.op_id, ask.delta).second);  // one of its copies hears of it
    }
    int64_t total = 20;
    for (const auto& [op_id, delta] : applied) total += delta;
    CHECK(rig.item(item).total() == static_cast<Units>(total));
    const AuditLine books = rig.books(item);
    CHECK(books.is_ok);
    CHECK(books.total == static_cast<Units>(total));
    CHECK(books.free == static_cast<Units>(total));
  }

  TEST_CASE("the sum of what was applied once is what the log and the ledger say") {
    const uint64_t seed = std::random_device{}();
    for (uint64_t round = 0; round < 20; ++round) trade_at_random(seed + round);
  }
}

}  // namespace
}  // namespace stampede::shard
