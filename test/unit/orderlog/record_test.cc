#include "orderlog/record.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/hex.h"
#include "bounds.h"
#include "samples.h"

namespace stampede::orderlog {
namespace {

std::vector<std::byte> encoded(const Record& record) {
  std::vector<std::byte> bytes(encoded_bytes(record));
  CHECK_EQ(encode(record, bytes), bytes.size());
  return bytes;
}

// Equal records have equal bytes, so the bytes of what was decoded say everything.
void check_round_trip(const Record& record) {
  const std::vector<std::byte> bytes = encoded(record);
  const std::optional<Decoded> decoded = decode(bytes);
  REQUIRE(decoded.has_value());
  CHECK_EQ(decoded->bytes, bytes.size());
  CHECK_EQ(decoded->record.index(), record.index());
  CHECK(type_of(decoded->record) == type_of(record));
  CHECK(encoded(decoded->record) == bytes);
}

TEST_SUITE("orderlog/record") {
  TEST_CASE("every record reads back as it was written") {
    for (const Record& record : sample_records()) {
      INFO(name_of(type_of(record)));
      check_round_trip(record);
    }
  }

  TEST_CASE("the samples hold every type once") {
    std::set<RecordType> types;
    for (const Record& record : sample_records()) types.insert(type_of(record));
    CHECK_EQ(types.size(), sample_records().size());
    for (const RecordType type : types) CHECK_NE(name_of(type), "unknown");
  }

  TEST_CASE("a reservation comes back field by field") {
    const std::vector<std::byte> bytes = encoded(sample_reserve(9));
    const Decoded decoded = decode(bytes).value();
    const auto& read = std::get<Reserve>(decoded.record);
    CHECK(read.order == OrderId::make(3, 9, 77));
    CHECK_EQ(read.item, 5);
    CHECK_EQ(read.quantity, 2);
    CHECK_EQ(read.amount, 19'800);
    CHECK(read.currency == Currency{'E', 'U', 'R'});
    CHECK_EQ(read.created_ms, 1'795'000'000'000);
    CHECK_EQ(read.pay_before_ms, 1'795'000'900'000);
    CHECK_EQ(read.body_hash, 0x0123456789abcdef);
    CHECK_EQ(read.user, "user-17@example.org");
    CHECK_EQ(read.key, "3f0c7d1e-0000-4000-8000-00000000abcd");
  }

  TEST_CASE("texts may be empty and may be as long as their bound") {
    check_round_trip(sample_reserve(1, "", ""));
    const std::string longest(bounds::user_bytes_max, 'u');
    check_round_trip(sample_reserve(1, longest, longest));
    const std::string title(bounds::item_title_bytes_max, 't');
    check_round_trip(Item{.code = longest, .title = title});
    const std::string text(bounds::admin_text_bytes_max, 'a');
    check_round_trip(Admin{.op_id = longest, .who = text, .what = text});
    CHECK(encoded_bytes(Admin{.op_id = longest, .who = text, .what = text}) <=
          bounds::record_bytes_max);
  }

  TEST_CASE("an item as the first logs have it is read and written byte by byte") {
    constexpr std::string_view hex =
        "010000005000000005000000ac2600000000000045555202000000005e56eea10100000000000000"
        "0000008403000000000000010001efcdab8967452301067469636b6574055469746c650000000000";
    const Item item{.item = 5,
                    .code = "ticket",
                    .title = "Title",
                    .price = 9'900,
                    .currency = {'E', 'U', 'R'},
                    .per_user_limit = 2,
                    .starts_ms = 1'795'000'000'000,
                    .pay_window_s = 900,
                    .is_paused = true,
                    .has_hidden_link = true,
                    .catalog_sum = 0x0123456789abcdef};
    const std::vector<std::byte> bytes = encoded(item);
    std::string digits(2 * bytes.size(), '0');
    render_hex({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, digits);
    CHECK_EQ(digits, hex);
    const auto read = std::get<Item>(decode(bytes).value().record);
    CHECK_EQ(read.title, "Title");
    CHECK_EQ(read.order_rate, 0);
    CHECK_FALSE(read.has_proof);
    CHECK((read.product.empty() && read.enrolled.empty()));
  }

  TEST_CASE("any one term that the first logs did not know makes it another type and comes back") {
    for (const Item& item : {Item{.order_rate = 1}, Item{.has_proof = true}, Item{.product = "7"},
                             Item{.enrolled = "users"}}) {
      CHECK(type_of(item) == RecordType::item_more);
      const std::vector<std::byte> bytes = encoded(item);
      const auto read = std::get<Item>(decode(bytes).value().record);
      CHECK_EQ(read.order_rate, item.order_rate);
      CHECK_EQ(read.has_proof, item.has_proof);
      CHECK_EQ(read.product, item.product);
      CHECK_EQ(read.enrolled, item.enrolled);
    }
    CHECK(type_of(Item{.has_hidden_link = true}) == RecordType::item);
    const std::string file(bounds::enrolled_file_bytes_max, 'f'), code(64, 'c'), title(200, 't');
    check_round_trip(Item{.code = code, .title = title, .product = code, .enrolled = file});
  }

  TEST_CASE("an item without any of those terms has one form") {
    std::vector<std::byte> bytes = encoded(Item{.order_rate = 1});
    REQUIRE(decode(bytes));
    *std::find(bytes.begin(), bytes.end(), std::byte{1}) = std::byte{0};  // the only 1 is the rate
    CHECK_FALSE(decode(bytes));
  }

  TEST_CASE("a usual reservation takes 120 bytes") {
    CHECK_EQ(encoded_bytes(sample_reserve(9, "user-000000000000017")), 120);
  }

  TEST_CASE("a record cut at any byte is no record") {
    for (const Record& record : sample_records()) {
      const std::vector<std::byte> bytes = encoded(record);
      for (size_t size = 0; size < bytes.size(); ++size) {
        // A copy of its own size, so that a sanitizer sees a read past the end.
        const std::vector<std::byte> cut(bytes.begin(), bytes.begin() + size);
        CHECK_FALSE(decode(cut).has_value());
      }
    }
  }

  TEST_CASE("more bytes behind a record are not its own") {
    std::vector<std::byte> bytes = encoded(sample_reserve(9));
    const size_t size = bytes.size();
    bytes.resize(size + 64, std::byte{0xff});
    CHECK_EQ(decode(bytes).value().bytes, size);
  }

  TEST_CASE("a wrong length or flag or type is refused") {
    const std::vector<std::byte> sound = encoded(sample_reserve(9));
    const auto with = [&](size_t offset, auto value) {
      std::vector<std::byte> bytes = sound;
      bytes.resize(4096);
      std::memcpy(bytes.data() + offset, &value, sizeof value);
      return decode(bytes).has_value();
    };
    CHECK(with(4, static_cast<uint32_t>(sound.size())));
    for (const uint32_t length :
         {0u, 1u, 7u, 8u, 16u, 119u, 128u, 1024u, 1032u, 4096u, 0x7fffffffu, 0x80000000u, ~0u}) {
      INFO(length);
      CHECK_FALSE(with(4, length));
    }
    for (const uint16_t type : {0, 6, 9, 18, 29, 32, 43, 0xffff}) {
      INFO(type);
      CHECK_FALSE(with(0, type));
    }
    CHECK_FALSE(with(2, uint16_t{1}));
  }

  TEST_CASE("a text longer than its bound is refused even where all lengths add up") {
    // The user's length grows over the key's length byte, and the key's first byte is the right
    // length of the rest.
    const std::string user(64, 'u');
    const std::string key = "\x3f" + std::string(63, 'k');
    std::vector<std::byte> bytes = encoded(sample_reserve(1, user, key));
    const std::array before_user = {std::byte{64}, std::byte{'u'}};
    const auto length =
        std::search(bytes.begin(), bytes.end(), before_user.begin(), before_user.end());
    REQUIRE(length != bytes.end());
    *length = std::byte{65};
    CHECK_FALSE(decode(bytes).has_value());
  }

  TEST_CASE("what is no boolean or state or outcome is refused") {
    const auto rejects = [](const Record& record, std::byte from, std::byte to) {
      std::vector<std::byte> bytes = encoded(record);
      size_t refused = 0;
      for (std::byte& byte : bytes) {
        if (byte != from) continue;
        byte = to;
        refused += !decode(bytes).has_value();
        byte = from;
      }
      return refused;
    };
    const Item flags{.is_paused = true, .is_ended = true, .has_hidden_link = true};
    CHECK_EQ(rejects(flags, std::byte{1}, std::byte{2}), 4);  // and the type
    OrderImage image{.reserve = sample_reserve(9), .state = OrderState::expired};
    CHECK(rejects(image, std::byte{3}, std::byte{4}) >= 1);
    PaymentImage payment{.payment = sample_payment(RecordType::payment_rejected)};
    CHECK(rejects(payment, std::byte{14}, std::byte{15}) >= 1);
  }

  TEST_CASE("padding that is not zero is refused") {
    std::vector<std::byte> bytes = encoded(SegmentEnd{.next_segment = 8});
    bytes.back() = std::byte{1};
    CHECK_FALSE(decode(bytes).has_value());
  }

  TEST_CASE("random bytes never lead out of their span") {
    const unsigned seed = std::random_device{}();
    INFO("seed ", seed);
    std::mt19937_64 random(seed);
    const std::vector<Record> records = sample_records();
    for (int round = 0; round < 20'000; ++round) {
      std::vector<std::byte> bytes = encoded(records[random() % records.size()]);
      for (uint64_t flips = random() % 4; flips-- > 0;)
        bytes[random() % bytes.size()] = static_cast<std::byte>(random());
      bytes.resize(random() % 2 ? bytes.size() : random() % (bytes.size() + 1));
      bytes.shrink_to_fit();
      const std::optional<Decoded> decoded = decode(bytes);
      if (decoded) CHECK(decoded->bytes <= bytes.size());
    }
  }
}

}  // namespace
}  // namespace stampede::orderlog
