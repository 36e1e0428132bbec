// Verification must find every kind of broken promise: each case plants one in an honest sale and
// names the line that has to turn red, and only that line.
#include "load/verification.h"

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <vector>

#include "base/hex.h"

using namespace stampede;
using namespace stampede::load;

namespace {

struct Row {
  std::string order_id, item, user, state;
  int64_t quantity;
};

std::string id_text(uint64_t id) {
  char text[kHex64Bytes];
  render_hex64(id, text);
  return {text, kHex64Bytes};
}

// Ten users ask for six tickets; users 0 to 5 get orders 100 to 105, the others are told
// `sold_out`.
struct Sale final : Answers {
  Sale() {
    for (uint64_t number = 0; number < plan.users; ++number) {
      bool is_winner = number < kStock;
      ends.push_back(is_winner ? UserEnd::sold : UserEnd::sold_out);
      orders.push_back(is_winner ? 100 + number : 0);
      if (is_winner)
        rows.push_back(
            {id_text(100 + number), "ticket", "u7-" + std::to_string(number), "reserved", 1});
    }
  }

  UserEnd end_of(uint64_t number) const override { return ends[number]; }
  OrderId order_of(uint64_t number) const override { return {orders[number]}; }
  OrderEnd order_end_of(uint64_t number) const override { return settled[number]; }
  uint64_t second_orders() const override { return second; }

  // The names of the promises that do not hold.
  std::vector<std::string> broken() {
    Verification verification(plan, *this, {before});
    for (const Row& row : rows)
      verification.add_row({row.order_id, row.item, row.user, row.state, row.quantity});
    std::vector<std::string> names;
    for (const Check& check : verification.finish({after})) {
      if (!check.is_kept) names.push_back(check.name);
      if (check.name == "unsold") unsold_numbers = check.numbers;
    }
    oversold = verification.oversold();
    unsold = verification.unsold();
    return names;
  }

  static constexpr Units kStock = 6;
  Plan plan{.users = 10, .seed = 7};
  ItemAudit before{.total = kStock, .free = kStock, .ok = true};
  ItemAudit after{.total = kStock, .reserved = kStock, .ok = true};
  std::vector<UserEnd> ends;
  std::vector<uint64_t> orders;
  std::vector<OrderEnd> settled = std::vector<OrderEnd>(10, OrderEnd::none);
  std::vector<Row> rows;
  uint64_t second = 0;
  uint64_t oversold = 0, unsold = 0;
  std::string unsold_numbers;
};

using Names = std::vector<std::string>;

}  // namespace

TEST_SUITE("load/verification") {
  TEST_CASE("an honest sale keeps every promise") {
    Sale sale;
    CHECK(sale.broken() == Names{});
    CHECK(sale.oversold == 0);
    CHECK(sale.unsold == 0);
  }

  TEST_CASE("paid orders hold their units as reserved ones do") {
    Sale sale;
    sale.rows[3].state = "paid";
    sale.after = {.total = 6, .reserved = 5, .paid = 1, .ok = true};
    CHECK(sale.broken() == Names{});
  }

  TEST_CASE("an order id given to two users is found") {
    Sale sale;
    sale.orders[1] = sale.orders[0];
    // Nobody was told of user 1's row, and his order is not in the database either.
    CHECK(sale.broken() == Names{"acknowledged", "in the database", "unacknowledged"});
  }

  TEST_CASE("a user who was told of two orders is found") {
    Sale sale;
    sale.second = 1;
    CHECK(sale.broken() == Names{"acknowledged"});
  }

  TEST_CASE("an acknowledged order that is missing in the database is found") {
    for (size_t missing = 0; missing < 6; ++missing) {
      Sale sale;
      sale.rows.erase(sale.rows.begin() + missing);
      CHECK(sale.broken() == Names{"in the database"});
    }
  }

  TEST_CASE("a row that stands twice is found") {
    Sale sale;
    sale.rows.push_back(sale.rows[2]);
    sale.rows.back().state = "cancelled";
    CHECK(sale.broken() == Names{"in the database"});
  }

  TEST_CASE("a row with another quantity or item is found") {
    Sale quantity;
    quantity.rows[2].quantity = 0;
    CHECK(quantity.broken() == Names{"in the database"});
    Sale item;
    item.rows[2].item = "other";
    CHECK(item.broken() == Names{"in the database"});
  }

  TEST_CASE("an order under the name of another user is found") {
    Sale sale;
    std::swap(sale.rows[0].user, sale.rows[1].user);
    CHECK(sale.broken() == Names{"in the database", "unacknowledged"});
    Sale stranger;
    stranger.rows[0].user = "alice";
    CHECK(stranger.broken() == Names{"in the database"});
  }

  TEST_CASE("an order of a user who was refused is found") {
    Sale sale;
    sale.rows.push_back({id_text(999), "ticket", "u7-8", "cancelled", 1});
    CHECK(sale.broken() == Names{"unacknowledged"});
  }

  TEST_CASE("a second order of a winner is found") {
    Sale sale;
    sale.rows.push_back({id_text(999), "ticket", "u7-1", "expired", 1});
    CHECK(sale.broken() == Names{"unacknowledged"});
  }

  TEST_CASE("a user whose answer was lost for good may hold an order or not") {
    Sale sale;
    sale.ends[2] = UserEnd::unknown;
    sale.orders[2] = 0;
    CHECK(sale.broken() == Names{});
    sale.rows.erase(sale.rows.begin() + 2);
    sale.after = {.total = 6, .free = 0, .reserved = 6, .ok = true};
    CHECK(sale.broken() == Names{});
  }

  TEST_CASE("a payment or cancel that was answered and does not stand in the database is found") {
    Sale sale;
    sale.settled[1] = OrderEnd::paid;
    sale.settled[2] = OrderEnd::cancelled;
    sale.rows[1].state = "paid";
    sale.rows[2].state = "cancelled";
    sale.after = {.total = 6, .free = 1, .reserved = 4, .paid = 1, .ok = true};
    CHECK(sale.broken() == Names{});
    sale.rows[1].state = "reserved";
    CHECK(sale.broken() == Names{"settled"});
    sale.rows[1].state = "paid";
    sale.rows[2].state = "expired";
    CHECK(sale.broken() == Names{"settled"});
  }

  TEST_CASE("one unit too many in the audit is found") {
    Sale sale;
    sale.after.reserved = 7;
    CHECK(sale.broken() == Names{"oversold"});
    CHECK(sale.oversold == 1);
  }

  TEST_CASE("one unit too many in the database is found though the audit is content") {
    Sale sale;
    sale.rows.push_back({id_text(999), "ticket", "bob", "paid", 1});
    CHECK(sale.broken() == Names{"oversold"});
    CHECK(sale.oversold == 1);
  }

  TEST_CASE("an audit that does not add up or says so itself is found") {
    Sale says_so;
    says_so.after.ok = false;
    CHECK(says_so.broken() == Names{"oversold"});
    Sale lost_unit;
    lost_unit.after.reserved = 5;
    CHECK(lost_unit.broken() == Names{"oversold"});
  }

  TEST_CASE("one unit left over although somebody was refused is found") {
    for (bool is_leased : {false, true}) {
      Sale sale;
      sale.ends[5] = UserEnd::sold_out;
      sale.orders[5] = 0;
      sale.rows.pop_back();
      sale.after = {.total = 6, .free = !is_leased, .leased = is_leased, .reserved = 5, .ok = true};
      CHECK(sale.broken() == Names{"unsold"});
      CHECK(sale.unsold == 1);
    }
  }

  TEST_CASE("units are left over rightly when everybody who asked was served") {
    Sale sale;
    sale.before = {.total = 8, .free = 8, .ok = true};
    sale.after = {.total = 8, .free = 2, .reserved = 6, .ok = true};
    for (uint64_t number = 6; number < 10; ++number) sale.ends[number] = UserEnd::not_asked;
    CHECK(sale.broken() == Names{});
  }

  TEST_CASE("users who gave up were never told that nothing is left") {
    Sale sale;
    sale.before = {.total = 7, .free = 7, .ok = true};
    sale.after = {.total = 7, .free = 1, .reserved = 6, .ok = true};
    for (uint64_t number = 6; number < 10; ++number) sale.ends[number] = UserEnd::gave_up;
    CHECK(sale.broken() == Names{});
    CHECK(sale.unsold_numbers == "1 free + 0 leased left, 0 users without, 4 gave up");
    sale.ends[9] = UserEnd::sold_out;
    CHECK(sale.broken() == Names{"unsold"});
    CHECK(sale.unsold_numbers == "1 free + 0 leased left, 1 users without, 3 gave up");
  }

  TEST_CASE("units that came back after the refusals are no broken promise") {
    Sale own;  // an order of this run expired
    own.rows[0].state = "expired";
    own.after = {.total = 6, .free = 1, .reserved = 5, .ok = true};
    CHECK(own.broken() == Names{});
    own.after = {
        .total = 6, .free = 2, .reserved = 4, .ok = true};  // one came back but two are left
    own.rows[1].state = "cancelled";
    CHECK(own.broken() == Names{});
    own.rows[1].state = "reserved";
    CHECK(own.broken() == Names{"unsold"});

    Sale others;  // somebody else's order expired meanwhile
    others.before = {.total = 8, .free = 6, .reserved = 2, .ok = true};
    others.after = {.total = 8, .free = 1, .reserved = 7, .ok = true};
    CHECK(others.broken() == Names{});
    others.after = {.total = 8, .free = 2, .reserved = 6, .ok = true};
    CHECK(others.broken() == Names{});

    Sale restocked;
    restocked.after = {.total = 9, .free = 3, .reserved = 6, .ok = true};
    CHECK(restocked.broken() == Names{});
    restocked.after = {.total = 8, .free = 2, .reserved = 6, .ok = true};
    restocked.before.total = 7;
    CHECK(restocked.broken() == Names{"unsold"});
  }

  TEST_CASE("fewer units than one order asks for are no use to anybody") {
    Sale sale;
    sale.plan.wishes[0].quantity = 2;
    for (Row& row : sale.rows) row.quantity = 2;
    sale.before = {.total = 13, .free = 13, .ok = true};
    sale.after = {.total = 13, .free = 1, .reserved = 12, .ok = true};
    CHECK(sale.broken() == Names{});
    sale.after = {.total = 14, .free = 2, .reserved = 12, .ok = true};
    sale.before.total = 14;
    CHECK(sale.broken() == Names{"unsold"});
  }

  TEST_CASE("each item has books of its own") {
    // Who wants what is drawn; each of the ten gets what he wants, and there is no more of it.
    struct TwoItems final : Answers {
      UserEnd end_of(uint64_t) const override { return UserEnd::sold; }
      OrderId order_of(uint64_t number) const override { return {100 + number}; }
      OrderEnd order_end_of(uint64_t) const override { return OrderEnd::none; }
      uint64_t second_orders() const override { return 0; }
    } answers;
    Plan plan{.wishes = {{.item = "cup"}, {.item = "mug", .quantity = 2}}, .users = 10, .seed = 7};
    const Wishes wishes(plan);
    REQUIRE(wishes.items() == std::vector<std::string>{"cup", "mug"});
    std::map<std::string, Units> wanted;
    for (uint64_t number = 0; number < plan.users; ++number)
      wanted[wishes.of(number).item] += wishes.of(number).quantity;
    REQUIRE(wanted.size() == 2);
    const auto broken = [&](Units cups_too_many, bool mixes_up) {
      std::vector<ItemAudit> before, after;
      for (const std::string& item : wishes.items()) {
        const Units stock = wanted[item] - (item == "cup" ? cups_too_many : 0);
        before.push_back({.total = stock, .free = stock, .ok = true});
        after.push_back({.total = stock, .reserved = wanted[item], .ok = true});
      }
      Verification verification(plan, answers, before);
      for (uint64_t number = 0; number < plan.users; ++number) {
        const Wish& wish =
            mixes_up && number == 0 ? plan.wishes[1 - wishes.index_of(0)] : wishes.of(number);
        const std::string id = id_text(100 + number), user = "u7-" + std::to_string(number);
        verification.add_row({id, wish.item, user, "reserved", wish.quantity});
      }
      Names names;
      for (const Check& check : verification.finish(after))
        if (!check.is_kept) names.push_back(check.name);
      return names;
    };
    CHECK(broken(0, false) == Names{});
    CHECK(broken(1, false) == Names{"oversold"});
    CHECK(broken(0, true).front() == "in the database");
  }

  TEST_CASE("other people's orders and items are counted but not judged") {
    Sale sale;
    sale.before = {.total = 8, .free = 6, .reserved = 2, .ok = true};
    sale.after = {.total = 8, .reserved = 8, .ok = true};
    sale.rows.push_back({id_text(50), "ticket", "alice", "reserved", 2});
    sale.rows.push_back({id_text(51), "cup", "alice", "reserved", 1000});
    CHECK(sale.broken() == Names{});
  }

  TEST_CASE("a random fault in a random sale never passes") {
    uint64_t seed = std::random_device{}();
    INFO("seed ", seed);
    std::mt19937_64 random(seed);
    for (int round = 0; round < 200; ++round) {
      Sale sale;
      size_t victim = random() % sale.rows.size();
      Row& row = sale.rows[victim];
      switch (random() % 5) {
        case 0:
          row.order_id = id_text(500 + random() % 1000);
          break;
        case 1:
          row.user = "u7-" + std::to_string(6 + random() % 4);
          break;
        case 2:
          row.quantity += 1 + static_cast<int64_t>(random() % 5);
          break;
        case 3:
          sale.rows.erase(sale.rows.begin() + static_cast<ptrdiff_t>(victim));
          break;
        case 4:
          sale.rows.push_back(Row(row));
          break;
      }
      REQUIRE(sale.broken() != Names{});
    }
  }
}
