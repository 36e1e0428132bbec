// Records whose checksums would be right and whose values are not: whatever they say, apply() refuses them or leaves a state
// that keeps its own rules. Run under the address sanitizer, it also shows that nothing is written behind a table.
#include "stock/record_values.h"
#include "stock/stream_state.h"
// The CHECK of the code gives way to doctest's.
#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "../orderlog/samples.h"

namespace stampede::stock {
namespace {

using namespace orderlog;

constexpr HashKey kKey{7};
constexpr Moment kNow{.wall_ns = kSecond, .boot_ns = 5 * kSecond};

OrderImage image(OrderState state, Quantity quantity = 1, ItemId item = 0) {
  OrderImage image{.reserve = sample_reserve(1), .state = state};
  image.reserve.quantity = quantity;
  image.reserve.item = item;
  return image;
}

bool applies(StreamState& state, const Record& record) {
  return bool(state.apply(record, 9, kNow));
}

void check_rules(const StreamState& state) {
  std::vector<Units> reserved(state.stocks().size()), paid(state.stocks().size());
  for (uint32_t at = 0; at < state.orders_touched(); ++at) {
    const Order& order = state.order(at);
    if (!order.is_live) continue;
    const ItemId item = state.item_of(order);
    REQUIRE(item < state.stocks().size());
    CHECK(order.quantity > 0);
    CHECK(order.refund_due >= 0);
    CHECK(order.deadline_boot_ns >= 0);
    if (order.state == OrderState::reserved) reserved[item] += order.quantity;
    if (order.state == OrderState::paid) paid[item] += order.quantity;
  }
  for (ItemId item = 0; item < state.stocks().size(); ++item) {
    const ItemStock& stock = state.stocks()[item];
    CHECK(stock.reserved == reserved[item]);
    CHECK(stock.paid == paid[item] + stock.forgotten);
    CHECK(stock.accepted >= stock.returned + stock.reserved + stock.paid);
  }
}

// A life in which every type stands where it can be applied.
std::vector<Record> history() {
  const auto of = [](uint64_t sequence) {
    Reserve reserve = sample_reserve(sequence);
    reserve.item = 0;
    return reserve;
  };
  const auto pay = [](RecordType outcome, uint64_t sequence, std::string_view id) {
    Payment payment = sample_payment(outcome);
    payment.order = OrderId::make(3, sequence, 77);
    payment.payment_id = id;
    return payment;
  };
  OrderImage old = image(OrderState::expired);
  old.reserve.order = OrderId::make(3, 90, 77);
  return {Item{.item = 0, .code = "ticket", .price = 9'900, .pay_window_s = 900},
          Supply{.item = 0, .supplied = 100, .withdrawn = 1},
          Grant{.item = 0, .accepted = 50},
          SoldImage{.item = 0, .units = 3},
          old,
          PaymentImage{pay(RecordType::payment_rejected, 90, "old")},
          Epoch{.epoch = 4},
          of(1),
          of(2),
          of(3),
          pay(RecordType::paid, 1, "a"),
          Cancel{.order = OrderId::make(3, 2, 77)},
          pay(RecordType::refund_due, 2, "b"),
          Expire{.order = OrderId::make(3, 3, 77)},
          pay(RecordType::late_paid, 3, "c"),
          pay(RecordType::late_paid, 90, "d"),
          Forget{.order = OrderId::make(3, 1, 77)},
          GiveBack{.item = 0, .returned = 5},
          SequenceFloor{.sequence = 1'000}};
}

TEST_SUITE("stock/hostile_records") {
  TEST_CASE("an order image of an item without stock is refused or has a place in the table") {
    StreamState state(kKey, 100);
    CHECK_FALSE(applies(state, image(OrderState::paid, 0, 500'000)));
    CHECK_FALSE(applies(state, image(OrderState::expired, 0)));
    CHECK_FALSE(applies(state, image(OrderState::expired, 1, bounds::item_count_max)));
    REQUIRE(applies(state, image(OrderState::expired, 1, 400)));
    Payment late = sample_payment(RecordType::late_paid);
    late.order = OrderId::make(3, 1, 77);
    CHECK_FALSE(applies(state, late));  // no units
    check_rules(state);
  }

  TEST_CASE("deadlines and amounts that would count over are refused") {
    StreamState state(kKey, 100);
    REQUIRE(applies(state, Grant{.item = 0, .accepted = 10}));
    Reserve endless = sample_reserve(1);
    endless.item = 0;
    endless.pay_before_ms = INT64_MAX;
    CHECK_FALSE(applies(state, endless));
    endless.created_ms = INT64_MIN;
    CHECK_FALSE(applies(state, endless));
    OrderImage rich = image(OrderState::paid);
    rich.refund_due = INT64_MAX;
    CHECK_FALSE(applies(state, rich));
    rich.refund_due = kRefundMax;
    REQUIRE(applies(state, rich));
    Payment more = sample_payment(RecordType::refund_due);
    more.order = rich.reserve.order;
    CHECK_FALSE(applies(state, more));
    CHECK_FALSE(applies(state, SequenceFloor{.sequence = kSequenceMax + 1}));
    CHECK_FALSE(bool(state.apply(sample_reserve(2), 9, {.boot_ns = INT64_MAX})));
    check_rules(state);
  }

  TEST_CASE("an item keeps its code and no two have the same") {
    StreamState state(kKey, 100);
    REQUIRE(applies(state, Item{.item = 0, .code = "a"}));
    CHECK_FALSE(applies(state, Item{.item = 0, .code = "b"}));
    CHECK_FALSE(applies(state, Item{.item = 1, .code = "a"}));
    CHECK_FALSE(applies(state, Item{.item = 1}));
    CHECK(applies(state, Item{.item = 1, .code = "b"}));
  }

  TEST_CASE("random values in sound records leave a state that keeps its rules") {
    const char* const wanted = std::getenv("SEED");
    const uint64_t seed =
        wanted != nullptr ? std::strtoull(wanted, nullptr, 10) : std::random_device{}();
    const char* const rounds = std::getenv("ROUNDS");
    INFO("seed " << seed);
    std::mt19937_64 random(seed);
    const std::vector<Record> records = history();
    StreamState untouched(kKey, 100);
    for (const Record& record : records) REQUIRE(applies(untouched, record));
    for (int i = rounds != nullptr ? 20 * std::atoi(rounds) : 2'000; i > 0; --i) {
      StreamState state(kKey, 100);
      for (const Record& record : records) {
        std::vector<std::byte> bytes(encoded_bytes(record));
        encode(record, bytes);
        // Behind the prefix, whose type and length are the format's matter.
        for (int flips = random() % 4 == 0 ? 1 + random() % 3 : 0; flips > 0; --flips)
          bytes[8 + random() % (bytes.size() - 8)] = std::byte(random() % 3 == 0 ? 0xff : random());
        if (const std::optional<Decoded> decoded = decode(bytes))
          (void)applies(state, decoded->record);
      }
      check_rules(state);
    }
  }
}

}  // namespace
}  // namespace stampede::stock
