// Anybody can buy: numbers around every boundary, UUIDs and e-mail addresses are users like any
// other, and no user's hash leaves somebody without stock.
#include <doctest/doctest.h>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

TEST_SUITE("e2e/user_ids") {
  TEST_CASE("numbers and UUIDs and e-mail addresses can all buy and read their orders") {
    const std::vector<std::string> users{"0",
                                         "1",
                                         "-1",
                                         "2147483647",
                                         "2147483648",
                                         "2147483649",
                                         "4294967295",
                                         "4294967296",
                                         "4294967302",
                                         "9223372036854775807",
                                         "9223372036854775808",
                                         "18446744073709551615",
                                         "123e4567-e89b-12d3-a456-426614174000",
                                         "first.last+tag@example.com",
                                         "o'brien",
                                         "a",
                                         "~",
                                         "!#$%&*/:;<=>?^_`{|}",
                                         "\"quoted\\",
                                         std::string(64, 'x'),
                                         "007",
                                         "7"};
    for (int shards : {1, 2, 5}) {
      CAPTURE(shards);
      Server server(
          {.catalog = catalog({{.stock = 1'000, .per_user_limit = 1}}), .shards = shards});
      for (const std::string& user : users) {
        CAPTURE(user);
        std::string id = server.buy({.user = user});
        Response read = server.read(user, id);
        CHECK(read.status == 200);
        CHECK(read.json()["user"].text() == user);
      }
      CHECK(server.books().reserved == static_cast<int64_t>(users.size()));
      REQUIRE(server.wait_drained());
      Database database(server.database_path());
      for (const std::string& user : users) {
        std::string escaped = user;
        for (size_t at = 0; (at = escaped.find('\'', at)) != std::string::npos; at += 2)
          escaped.insert(at, "'");
        CHECK(database.number("select count(*) from orders where user_id='" + escaped + "'") == 1);
      }
    }
  }

  TEST_CASE("what is no user id is refused and buys nothing") {
    Server server({.catalog = catalog({{}})});
    for (std::string user : {std::string(65, 'x'), std::string("two words"),
                             std::string("caf\xc3\xa9"), std::string()}) {
      CAPTURE(user);
      Response response = server.order({.user = user});
      CHECK((response.status == 400 || response.status == 401));
    }
    Headers twice{{"X-User-Id", "a"}, {"X-User-Id", "b"}};
    Response response = server.http().post("/v1/orders", order_body({}), twice);
    CHECK((response.status == 400 || response.status == 401));
    CHECK(server.books().reserved == 0);
  }

  TEST_CASE("the last unit can be bought by any user") {
    Server server({.catalog = catalog({{.stock = 1}}), .shards = 5});
    for (int i = 0; i < 100; ++i) {
      std::string user = std::to_string((uint64_t{1} << (i % 64)) + i);
      CAPTURE(user);
      Response response;
      CHECK(wait_until([&] { return (response = server.order({.user = user})).status == 201; }));
      CHECK(server.cancel(user, response.json()["order_id"].text()).status == 200);
    }
  }
}

}  // namespace
}  // namespace stampede::e2e
