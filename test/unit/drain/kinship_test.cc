#include "drain/kinship.h"

#include "base/time_text.h"
#include "support.h"

namespace {

using namespace stampede;
using namespace stampede::drain;
using namespace stampede::drain::testing;

orderlog::Reserve with_id(orderlog::Reserve order, OrderId id) {
  order.order = id;
  return order;
}

KnownOrder known(const orderlog::Reserve& order) {
  return {.id = order.order,
          .user = std::string(order.user),
          .quantity = static_cast<int64_t>(order.quantity),
          .amount = order.amount,
          .created_at = std::string(TimeText(order.created_ms).view())};
}

// Two streams; slots are dealt out to them in turn.
struct Fixture {
  Kinship find(std::vector<KnownOrder> orders, uint32_t shard_count = 2) {
    const Result<Kinship> found =
        find_kinship(std::move(orders),
                     {{.key = {.shard = 0}, .source = &even, .marks = &marks},
                      {.key = {.shard = 1}, .source = &odd, .marks = &marks}},
                     shard_count);
    REQUIRE(found);
    return *found;
  }
  void set_snapshot(MemoryLog& log, const std::vector<orderlog::Reserve>& orders) {
    std::vector<orderlog::Record> images;
    for (const orderlog::Reserve& order : orders)
      images.emplace_back(orderlog::OrderImage{.reserve = order});
    log.set_snapshot(images, {});
  }

  MemoryLog even, odd;
  orderlog::Marks marks;
};

const orderlog::Reserve kOne = with_id(reserve(1), OrderId::make(0, 1, 0));
const orderlog::Reserve kTwo = with_id(reserve(2, "u2", 2), OrderId::make(0, 2, 5));

}  // namespace

TEST_SUITE("drain/kinship") {
  TEST_CASE_FIXTURE(Fixture,
                    "an order that stands in both alike is proof whichever stream has it") {
    set_snapshot(even, {kOne});
    set_snapshot(odd, {kTwo});
    CHECK(find({known(kOne)}).kin == Kin::own);
    CHECK(find({known(kTwo)}).kin == Kin::own);
    CHECK(find({known(kTwo), known(with_id(reserve(9), OrderId::make(0, 9, 9)))}).kin == Kin::own);
    CHECK(find({known(kOne), known(kOne), known(kTwo)}).kin == Kin::own);  // both ends
  }

  TEST_CASE_FIXTURE(Fixture, "an order that is another in one thing is proof of another history") {
    set_snapshot(even, {kOne});
    set_snapshot(odd, {kTwo});
    orderlog::Reserve other = kTwo;
    SUBCASE("its user") {
      other.user = "u3";
    }
    SUBCASE("its units") {
      other.quantity = 3;
    }
    SUBCASE("its amount") {
      other.amount += 1;
    }
    SUBCASE("its time") {
      other.created_ms += 1;
    }
    const Kinship found = find({known(kOne), known(other)});
    CHECK(found.kin == Kin::other);
    CHECK(found.why.find("order 0000000000008005 is not this directory's") != std::string::npos);
  }

  TEST_CASE_FIXTURE(Fixture, "a number of a stream belongs to one order") {
    set_snapshot(even, {kOne});
    const orderlog::Reserve same_stream = with_id(kOne, OrderId::make(0, 1, 2)),
                            other_stream = with_id(kOne, OrderId::make(0, 1, 1));
    CHECK(find({known(same_stream)}).kin == Kin::other);
    // Shards count for themselves.
    CHECK(find({known(other_stream)}).kin == Kin::unknown);
    CHECK(find({known(other_stream), known(kOne)}).kin == Kin::own);
    // Dealt out anew, a stream may have a number twice; the database then has both.
    CHECK(find({known(kOne), known(same_stream)}).kin == Kin::own);
  }

  // Numbers 2 of slots 4 and 6 are one stream's of two shards, and two streams' of four.
  TEST_CASE_FIXTURE(Fixture, "a number counts for the streams that gave it") {
    set_snapshot(even, {kOne, with_id(reserve(2), OrderId::make(0, 2, 4))});
    const std::vector<KnownOrder> orders = {known(kOne),
                                            known(with_id(reserve(2), OrderId::make(0, 2, 6)))};
    CHECK(find(orders, 2).kin == Kin::other);
    CHECK(find(orders, 4).kin == Kin::own);
    CHECK(find(orders, 0).kin == Kin::own);
  }

  TEST_CASE_FIXTURE(Fixture, "without an order in common nobody can tell") {
    CHECK(find({known(kOne)}).kin == Kin::unknown);
    set_snapshot(even, {kOne});
    CHECK(find({known(kTwo)}).kin == Kin::unknown);
    CHECK_FALSE(find({known(kTwo)}).why.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "a database without orders of the node contradicts nothing") {
    CHECK(find({}).kin == Kin::own);
    set_snapshot(even, {kOne});
    CHECK(find({}).kin == Kin::own);
  }
}
