// Another number of shards: every fact of the old streams is in the new ones, and the units add up.
#include "node/reshard.h"

#include <doctest/doctest.h>

#include <deque>
#include <set>
#include <string>

#include "../orderlog/rig.h"
#include "node/data.h"

namespace stampede::node {
namespace {

using namespace orderlog;

constexpr Units kSupplied = 1'000, kReturned = 5;
constexpr uint64_t kEpoch = 9;
constexpr uint32_t kOrders = 60;
constexpr BootId kBoot{1, 2};

// Streams of `shard_count` shards with orders in every state, payments, returned units and an operator's change.
struct Sold {
  ScratchDir dir;
  Manifest manifest;
  std::vector<std::unique_ptr<stock::StreamState>> states;
  std::vector<OrderId> orders;
  Lsn lsn = 0;
  std::deque<std::string> users;

  explicit Sold(uint32_t shard_count) : manifest(new_manifest(0, shard_count, kSmallSegment)) {
    for (uint32_t i = 0; i < shard_count; ++i)
      states.push_back(std::make_unique<stock::StreamState>(manifest.hash_key, 1'000));
    put(0, Item{.item = 0, .code = "ticket"});
    put(0, Supply{.item = 0, .supplied = kSupplied, .withdrawn = 3});
    put(0, Admin{.item = 0, .op_id = "op-1", .who = "me", .what = "restock"});
    for (uint32_t i = 0; i < shard_count; ++i) {
      put(i, Grant{.item = 0, .accepted = kSupplied / shard_count - 1});
      put(i, GiveBack{.item = 0, .returned = kReturned});
      put(i, Epoch{.epoch = kEpoch - i});
    }
    for (uint64_t sequence = 1; sequence <= kOrders; ++sequence) order(sequence);
  }

  void put(uint32_t shard, const Record& record) {
    REQUIRE(bool(states[shard]->apply(record, ++lsn, kNoon)));
  }

  void order(uint64_t sequence) {
    const std::string& user = users.emplace_back("u" + std::to_string(sequence));
    const uint32_t slot = slot_of(keyed_hash(manifest.hash_key, user));
    const uint32_t shard = shard_of_slot(slot, manifest.shard_count);
    Reserve reserve = sample_reserve(sequence, user, "");
    reserve.item = 0;
    reserve.quantity = 1 + sequence % 3;
    reserve.order = OrderId::make(0, sequence, slot);
    orders.push_back(reserve.order);
    put(shard, reserve);
    Payment payment = sample_payment(RecordType::paid);
    payment.order = reserve.order;
    payment.amount = reserve.amount;
    payment.currency = reserve.currency;
    if (sequence % 4 == 1) put(shard, payment);
    if (sequence % 4 == 2) put(shard, Cancel{.order = reserve.order, .at_ms = reserve.created_ms});
    if (sequence % 12 != 1) return;
    put(shard, Forget{.order = reserve.order});
    orders.pop_back();
  }
};

struct Sums {
  Units held = 0, reserved = 0, paid = 0, forgotten = 0;
  friend bool operator==(const Sums&, const Sums&) = default;
};

void add(const stock::ItemStock& stock, Sums& sums) {
  sums.held += stock.reserved + stock.paid;
  sums.reserved += stock.reserved;
  sums.paid += stock.paid;
  sums.forgotten += stock.forgotten;
}

void check_moved(uint32_t from, uint32_t to) {
  CAPTURE(from);
  CAPTURE(to);
  Sold sold(from);
  Sums before, after;
  uint64_t sequence = 0;
  for (const auto& state : sold.states) {
    add(state->stock(0), before);
    sequence = std::max(sequence, state->sequence_max());
  }
  Manifest next = next_generation(sold.manifest, to, {});
  REQUIRE(bool(reshard(sold.states, sold.dir.path(), next, 1'000, kBoot)));
  REQUIRE(bool(write_manifest(sold.dir.path(), next)));

  Data data(sold.dir.path(), Data::Use::reading);
  REQUIRE_FALSE(data.open());
  REQUIRE_FALSE(data.restore(1'000));
  REQUIRE(data.stream_count() == to);
  CHECK(data.items().size() == 1);
  CHECK(data.items()[0].supplied == kSupplied);
  CHECK(data.items()[0].withdrawn == 3);
  CHECK(data.streams()[0].state->find_op("op-1") != nullptr);
  CHECK(data.sequence_max() == sequence);
  for (const RestoredStream& stream : data.streams()) {
    CHECK(stream.state->promised_epoch() == kEpoch);
    CHECK(stream.state->sequence_max() == sequence);
    // What a stream has accepted is what its orders hold: pools have gone back to the book.
    CHECK(stream.state->stock(0).pool() == 0);
    add(stream.state->stock(0), after);
  }
  CHECK(after == before);
  for (const OrderId id : sold.orders) {
    const stock::StreamState& then =
        *sold.states[shard_of_slot(id.slot(), sold.manifest.shard_count)];
    const stock::StreamState& now = data.home_of(id);
    const uint32_t old_index = then.find_order(id), index = now.find_order(id);
    REQUIRE(index != kNone);
    CHECK(now.order(index).state == then.order(old_index).state);
    CHECK(now.order(index).quantity == then.order(old_index).quantity);
    CHECK((now.order(index).first_payment == kNone) ==
          (then.order(old_index).first_payment == kNone));
  }
}

}  // namespace

TEST_SUITE("node/reshard") {
  TEST_CASE("orders and units and payments and operators' changes survive any change") {
    for (const uint32_t from : {1, 2, 3})
      for (const uint32_t to : {1, 2, 5}) check_moved(from, to);
  }
}

}  // namespace stampede::node
