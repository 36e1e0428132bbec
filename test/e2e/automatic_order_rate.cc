// --order-rate auto with a real PostgreSQL: reservations follow what the database takes, down while it is slow and up again
// when it is not, also when it was so slow that hardly anybody may order any more.
#include <doctest/doctest.h>

#include "../servers/postgres_server.h"
#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

using servers::PostgresClient;
using servers::PostgresServer;

constexpr milliseconds kAMinute{60'000};

struct Shop {
  explicit Shop(size_t of_shards)
      : shards(of_shards),
        server({.catalog = catalog({{.stock = 1'000'000}}),
                .shards = static_cast<int>(of_shards),
                .flags = {{"--order-rate", "auto"}, {"--db", postgres.url(name)}}}) {}

  int64_t rate() { return server.metric("stampede_order_rate_measured"); }
  // New users try to order until the rate is so. A new crowd comes while the database is less than two crowds behind, so that it
  // has something to do and the test comes to its end.
  void rush_until(const std::function<bool()>& is_so) {
    const size_t size = 100 * shards;
    const bool came = wait_until(
        [&] {
          const std::string prefix = "c" + std::to_string(crowds++) + "-";
          sold += tally(rush(server.address(), crowd(size, prefix)))["201"];
          const int64_t enough = static_cast<int64_t>(sold) - static_cast<int64_t>(2 * size);
          REQUIRE(
              wait_until([&] { return server.metric("stampede_drained_rows_total") >= enough; }));
          return is_so();
        },
        kAMinute);
    CHECK_MESSAGE(came, "the rate is " << rate());
  }
  // Each row takes a millisecond and more.
  void slow_down() {
    REQUIRE(database.execute(
        "CREATE OR REPLACE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN PERFORM pg_sleep(0.001); RETURN NEW; END $$; "
        "CREATE TRIGGER slow BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION "
        "be_slow()"));
  }
  void speed_up() { REQUIRE(database.execute("DROP TRIGGER slow ON orders")); }
  // All that were acknowledged are there.
  void check_rows() {
    REQUIRE(server.wait_drained());
    const Books books = server.books();
    CHECK(books.ok);
    CHECK(database.number("SELECT count(*) FROM orders") == books.reserved);
  }

  size_t shards;
  PostgresServer& postgres = PostgresServer::shared();
  std::string name = postgres.create_database();
  Server server;
  PostgresClient database{postgres.socket_url(name)};
  size_t crowds = 0, sold = 0;
};

TEST_SUITE("e2e/automatic_order_rate") {
  TEST_CASE("the rate follows a database that becomes slow and fast and slow and fast") {
    for (const size_t shards : {1, 4}) {
      Shop shop(shards);
      CHECK(shop.rate() == 5'000);
      for (int round = shards == 1 ? 0 : 1; round < 2; ++round) {
        shop.slow_down();
        // A thousand rows a second at most, and each order is two.
        shop.rush_until([&] { return shop.rate() <= 600; });
        REQUIRE(shop.server.wait_drained());  // no backlog helps it up
        shop.speed_up();
        shop.rush_until([&] { return shop.rate() >= 2'000; });
      }
      shop.check_rows();
    }
  }

  TEST_CASE("while the database is held up orders go on and the rate does not collapse") {
    Shop shop(2);
    shop.rush_until([&] { return shop.rate() != 5'000; });
    const int64_t before = shop.rate();
    PostgresClient other(shop.postgres.socket_url(shop.name));
    for (const bool is_stopped : {false, true}) {
      if (is_stopped)
        shop.postgres.pause();
      else
        REQUIRE(other.execute("BEGIN; LOCK TABLE orders IN EXCLUSIVE MODE"));
      for (int crowd_number = 0; crowd_number < 5; ++crowd_number) {
        const std::string prefix = (is_stopped ? "s" : "l") + std::to_string(crowd_number) + "-";
        CHECK(tally(rush(shop.server.address(), crowd(100, prefix)))["201"] > 0);
      }
      CHECK(shop.rate() >= before / 2);
      if (is_stopped)
        shop.postgres.resume();
      else
        REQUIRE(other.execute("COMMIT"));
      REQUIRE(shop.server.wait_drained());
      CHECK(shop.rate() >= before / 4);
    }
    shop.check_rows();
  }
}

}  // namespace
}  // namespace stampede::e2e
