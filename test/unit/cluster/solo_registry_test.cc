#include "cluster/solo_registry.h"

#include <doctest/doctest.h>

namespace {

using namespace stampede;
using namespace stampede::cluster;

template <typename Value>
Value must(Result<Value> result) {
  REQUIRE_MESSAGE(result, (result ? "" : result.error().message));
  return std::move(*result);
}

Supply supply(const std::string& item, Units supplied, Units withdrawn = 0) {
  return {.item = item, .supplied = supplied, .withdrawn = withdrawn};
}

}  // namespace

constexpr uint64_t kSomeEpoch = 65536;

TEST_SUITE_BEGIN("cluster/solo_registry");

TEST_CASE("the node is the only member of each epoch and brings what the log says") {
  SoloRegistry registry({supply("ticket", 100, 7)});
  must(registry.enroll(3, "uuid3"));
  const EpochPlan plan = must(registry.begin_epoch(3, 0));
  CHECK(plan.members == std::vector<uint32_t>{3});
  CHECK(plan.supplies == std::vector<Supply>{supply("ticket", 100, 7)});
  CHECK(plan.frozen.empty());
  CHECK(must(registry.members()).size() == 1);
  CHECK(must(registry.members())[0].state == MemberState::active);
  CHECK(must(registry.members())[0].uuid == "uuid3");
}

TEST_CASE("an epoch is above all that were seen and is never given twice") {
  SoloRegistry registry({});
  must(registry.enroll(3, "uuid3"));
  uint64_t last = 0;
  for (const uint64_t above : {uint64_t{0}, uint64_t{0}, (uint64_t{5} << 16) | 1023,
                               (uint64_t{5} << 16) | 1, uint64_t{0}}) {
    const uint64_t epoch = must(registry.begin_epoch(3, above)).epoch;
    CHECK(epoch > last);
    CHECK(epoch > above);
    CHECK((epoch & 0xffff) == 3);
    last = epoch;
  }
  CHECK((last >> 16) == 8);
}

TEST_CASE("a known item keeps its supply and a new one gets what it is given") {
  SoloRegistry registry({supply("ticket", 100)});
  const Supply wanted[] = {supply("seat", 5), supply("ticket", 900)};
  CHECK(must(registry.add_items(wanted)) ==
        std::vector<Supply>{supply("seat", 5), supply("ticket", 100)});
  CHECK(must(registry.begin_epoch(0, 0)).supplies.size() == 2);
}

TEST_CASE("units that come on sale count when the log has them") {
  SoloRegistry registry({supply("ticket", 100)});
  const Restocked more = must(registry.restock("a", "ticket", 50, kSomeEpoch));
  CHECK(more.supply == supply("ticket", 150));
  CHECK(!more.is_in_force);
  CHECK(must(registry.supplies()) == std::vector<Supply>{supply("ticket", 100)});
  CHECK(must(registry.begin_epoch(0, 0)).supplies == std::vector<Supply>{supply("ticket", 100)});
  CHECK(!must(registry.restock("a", "ticket", 50, kSomeEpoch)).is_in_force);
  CHECK(must(registry.restock("b", "ticket", 7, kSomeEpoch)).supply == supply("ticket", 157));
  CHECK(registry.note_recorded("ticket", 150));
  CHECK(must(registry.supplies()) == std::vector<Supply>{supply("ticket", 150)});
  CHECK(!registry.note_recorded("ticket", 150));
  CHECK(registry.note_recorded("ticket", 157));
  CHECK(must(registry.find_restock("a"))->is_in_force);
  CHECK(!registry.note_recorded("ghost", 1));
}

TEST_CASE("a restock counts and what was done under its id is known") {
  SoloRegistry registry({supply("ticket", 100)});
  CHECK(!must(registry.find_restock("a")).has_value());
  CHECK(must(registry.restock("a", "ticket", 50, kSomeEpoch)).is_applied);
  CHECK(must(registry.restock("b", "ticket", -30, kSomeEpoch)).supply == supply("ticket", 150, 30));
  const std::optional<Restocked> known = must(registry.find_restock("a"));
  REQUIRE(known.has_value());
  CHECK(!known->is_applied);
  CHECK(!registry.restock("c", "ghost", 1, kSomeEpoch));
}

TEST_CASE("a restock is applied once per id") {
  SoloRegistry registry({supply("ticket", 100)});
  must(registry.restock("a", "ticket", 50, kSomeEpoch));
  const Restocked again = must(registry.restock("a", "ticket", 50, kSomeEpoch));
  CHECK(!again.is_applied);
  CHECK(again.supply == supply("ticket", 150));
  CHECK(!registry.restock("a", "ticket", 51, kSomeEpoch));
  must(registry.add_items(std::vector<Supply>{supply("seat", 5)}));
  CHECK(!registry.restock("a", "seat", 50, kSomeEpoch));
  CHECK(registry.note_recorded("ticket", 150));
  CHECK(must(registry.supplies()) == std::vector<Supply>{supply("ticket", 150), supply("seat", 5)});
}

TEST_CASE("no more is withdrawn than was supplied") {
  SoloRegistry registry({supply("ticket", 100)});
  CHECK(!registry.restock("a", "ticket", -101, kSomeEpoch));
  CHECK(must(registry.restock("b", "ticket", -100, kSomeEpoch)).supply ==
        supply("ticket", 100, 100));
  CHECK(!registry.restock("c", "ticket", -1, kSomeEpoch));
}

TEST_CASE("who has no other members can take none out") {
  SoloRegistry registry({});
  CHECK(!registry.deactivate(1, 5, {}));
  CHECK(!registry.retire(1, {}));
  CHECK(must(registry.frozen()).empty());
}

TEST_SUITE_END();
