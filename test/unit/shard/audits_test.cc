// Pages of the audit: whole, in order, and bounded.
#include "shard/audits.h"

#include <simdjson.h>

#include <memory>
#include <vector>

#include "operators_rig.h"

namespace stampede::shard {
namespace {

using Document = simdjson::dom::element;

struct AuditRig : OperatorsRig {
  explicit AuditRig(uint32_t item_count, uint32_t shards = 3) : OperatorsRig(shards) {
    for (ItemId item = 0; item < item_count; ++item) {
      stock::ItemTerms terms;
      terms.id = item;
      terms.code = std::string_view("i" + std::to_string(item));
      catalog.upsert(terms);
      while (!ledgers[0]->has_room_for_change(item)) poll_all();
      ledgers[0]->supply(item, item);
    }
    poll_all();
    audits =
        std::make_unique<Audits>(*ledgers[0], catalog, [this](ReplyTo place, TextAnswer answer) {
          order.push_back(place.place);
          complete(place, std::move(answer));
        });
  }
  void turns(int count) {
    for (int turn = 0; turn < count; ++turn) {
      audits->turn();
      poll_all();
    }
  }
  Document page(uint32_t place) {
    Document document;
    REQUIRE(parser.parse(simdjson::padded_string(answers.at(place).body)).get(document) ==
            simdjson::SUCCESS);
    return document;
  }

  std::unique_ptr<Audits> audits;
  std::vector<uint32_t> order;  // of the answers
  simdjson::dom::parser parser;
};

TEST_SUITE("shard/audits") {
  TEST_CASE("a page holds every item once and in order") {
    AuditRig rig(bounds::items_per_page);
    REQUIRE(rig.audits->ask({.place = 1}, 0, bounds::items_per_page, false));
    rig.turns(200);
    REQUIRE(rig.is_answered(1));
    Document page = rig.page(1);
    CHECK(bool(page["ok"]));
    CHECK(page["next"].error() == simdjson::NO_SUCH_FIELD);
    ItemId item = 0;
    for (Document line : page["items"].get_array()) {
      CHECK(line["item"].get_string().value() == "i" + std::to_string(item));
      CHECK(line["total"].get_uint64().value() == item);
      CHECK(line["free"].get_uint64().value() == item);
      CHECK(bool(line["ok"]));
      ++item;
    }
    CHECK(item == bounds::items_per_page);
  }

  TEST_CASE("a page that is not the last one names its last item") {
    AuditRig rig(20);
    REQUIRE(rig.audits->ask({.place = 1}, 5, 10, true));
    rig.turns(10);
    CHECK(rig.page(1)["next"].get_string().value() == "i9");
    CHECK(rig.page(1)["items"].get_array().size() == 5);
    CHECK(rig.page(1)["items"].at(0)["item"].get_string().value() == "i5");
  }

  TEST_CASE("without items the audit is an empty page") {
    AuditRig rig(0, 1);
    REQUIRE(rig.audits->ask({.place = 1}, 0, 0, false));
    rig.turns(2);
    CHECK(rig.answers.at(1).body == R"({"ok":true,"items":[]})");
  }

  TEST_CASE(
      "pages that overlap are answered one after the other and more than may wait are refused") {
    AuditRig rig(100, 1);
    for (uint32_t place = 0; place < bounds::audit_pages_max; ++place)
      REQUIRE(rig.audits->ask({.place = place}, 0, 100, false));
    CHECK(!rig.audits->ask({.place = 99}, 0, 100, false));
    rig.turns(1000);
    REQUIRE(rig.order.size() == bounds::audit_pages_max);
    for (uint32_t place = 0; place < bounds::audit_pages_max; ++place)
      CHECK(rig.order[place] == place);
    CHECK(rig.audits->ask({.place = 99}, 0, 100, false));
  }

  TEST_CASE("an item whose books do not add up makes its line and the page not ok") {
    AuditRig rig(3, 2);
    // A stream got units and says that it never did, as one that has lost its log would.
    const LedgerAsk ask{.item = 1, .want = 1};
    rig.ledgers[1]->exchange(rig.streams[1], {&ask, 1}, rig.now);
    for (int turn = 0; turn < 3; ++turn) rig.poll_all();
    REQUIRE(rig.audits->ask({.place = 1}, 0, 3, false));
    rig.turns(10);
    Document page = rig.page(1);
    CHECK(!bool(page["ok"]));
    CHECK(bool(page["items"].at(0)["ok"]));
    CHECK(!bool(page["items"].at(1)["ok"]));
    CHECK(bool(page["items"].at(2)["ok"]));
  }
}

}  // namespace
}  // namespace stampede::shard
