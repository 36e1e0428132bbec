// A database that comes back older than the order log keeps (restored from a backup, or a standby that had lagged and took
// over) is completed from the snapshots and the log: by the server that finds it when it starts, by the one that runs, and
// by `stampede drain`; killed as often as one likes. The audit then finds no difference. Another sale's is refused.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <filesystem>

#include "../servers/postgres_server.h"
#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

namespace fs = std::filesystem;
using servers::PostgresClient;
using servers::PostgresServer;

const RushOptions kOneByOne = {.connections = 1, .pipeline = 1};  // a block of the log each

// A sale with orders in every state, whose database was copied early and whose log has lost that part since.
struct Sale {
  explicit Sale(ServerOptions options) : server(std::move(options)) {}

  static ServerOptions with(int shards, const std::string& db = "") {
    ServerOptions options{.catalog = catalog({{.stock = 500'000}}), .shards = shards};
    if (!db.empty()) options.flags.emplace_back("--db", db);
    return options;
  }

  void sell(size_t count, const RushOptions& options = {}) {
    const auto more = rush_until_decided(
        server.address(), crowd(count, "r" + std::to_string(++rounds_sold) + "-"), options);
    CHECK(tally(more)["201"] == count);
    append(orders, more);
  }
  // Every third order from here on is paid, cancelled, or cancelled and then paid, which is due back.
  void change(size_t first, size_t count) {
    for (size_t i = first; i < first + count; ++i) {
      const Outcome& order = orders.at(i);
      if (i % 3 != 0) REQUIRE(server.cancel(order.ask.user, order.order_id).status == 200);
      if (i % 3 != 1) REQUIRE(server.pay(order.order_id).status == 200);
    }
  }
  void begin() {
    sell(200);
    change(0, 20);
    REQUIRE(server.wait_drained());
  }
  // Until what the log had when the copy was made, all in first segments, is gone from it.
  void go_on(size_t crowd_size = 500) {
    sell(crowd_size);
    change(20, 20);
    change(300, 40);
    while (oldest_segment() == 1) sell(200, kOneByOne);
    REQUIRE(server.wait_drained());
  }

  // Of all shards.
  int64_t oldest_segment() const {
    int64_t oldest = INT64_MAX;
    for (const auto& entry : fs::recursive_directory_iterator(server.data() + "/log"))
      if (entry.path().extension() == ".log")
        oldest = std::min<int64_t>(oldest, std::stoll(entry.path().stem()));
    return oldest;
  }

  Finished run(const std::string& subcommand, const std::string& db) const {
    return run_stampede({subcommand, "--data", server.data(), "--db", db});
  }
  void check_audit(const std::string& db) {
    const Finished finished = run("audit", db);
    CAPTURE(finished.out);
    CAPTURE(finished.err);
    CHECK(finished.exit_code == 0);
  }
  // The server runs and has found it.
  void check_completed(int completions) {
    CHECK(wait_until(
        [&] { return server.metric("stampede_drainer_completions_total") == completions; }));
    CHECK(server.wait_drained());
    CHECK(server.books().ok);
    CHECK(server.metric("stampede_rejected_rows_total") == 0);
    CHECK(server.admin().get("/readyz").status == 200);
    CHECK(server.admin().get("/readyz").body.find("was completed from the snapshot") !=
          std::string::npos);
    CHECK(server.says("it has come back older"));
  }

  Server server;
  std::vector<Outcome> orders;
  int rounds_sold = 0;
};

struct SqliteSale : Sale {
  explicit SqliteSale(int shards = 1, size_t crowd_size = 500) : Sale(with(shards)) {
    begin();
    REQUIRE(Database(server.database_path()).execute("VACUUM INTO '" + copy + "'"));
    go_on(crowd_size);
  }
  void put_back(const std::string& database) const {
    fs::copy_file(database, server.scratch().path("next"), fs::copy_options::overwrite_existing);
    for (const char* ending : {"-wal", "-shm"}) fs::remove(server.database_path() + ending);
    fs::rename(server.scratch().path("next"), server.database_path());
  }
  void put_back() const { put_back(copy); }
  std::string db() const { return "sqlite:" + server.database_path(); }
  int64_t rows() const {
    return Database(server.database_path()).number("select count(*) from orders");
  }

  std::string copy = server.scratch().path("copy.db");
};

TEST_SUITE("e2e/older_database") {
  TEST_CASE("a start completes it and sells on") {
    SqliteSale sale(2);
    REQUIRE(sale.server.terminate() == 0);
    sale.put_back();
    sale.server.start();
    sale.sell(100);
    sale.check_completed(2);
    sale.server.check_books();
    CHECK(sale.rows() == static_cast<int64_t>(sale.orders.size()));
    REQUIRE(sale.server.terminate() == 0);
    sale.check_audit(sale.db());
    sale.server.start();
    CHECK(sale.server.metric("stampede_drainer_completions_total") == 0);
  }

  TEST_CASE("the running server completes it") {
    SqliteSale sale;
    sale.put_back();
    sale.sell(10);
    sale.check_completed(1);
    sale.server.check_books();
    CHECK(sale.rows() == static_cast<int64_t>(sale.orders.size()));
    REQUIRE(sale.server.terminate() == 0);
    sale.check_audit(sale.db());
  }

  TEST_CASE("drain completes it without a server") {
    SqliteSale sale;
    REQUIRE(sale.server.terminate() == 0);
    sale.put_back();
    const Finished finished = sale.run("drain", sale.db());
    CHECK(finished.exit_code == 0);
    CHECK(finished.err.find("it has come back older") != std::string::npos);
    CHECK(sale.rows() == static_cast<int64_t>(sale.orders.size()));
    sale.check_audit(sale.db());
  }

  TEST_CASE("killed while it is completed again and again it is complete in the end") {
    SqliteSale sale(1, 30'000);  // several transactions
    REQUIRE(sale.server.terminate() == 0);
    sale.put_back();
    const int64_t copied = sale.rows();
    int killed_in_the_middle = 0;
    for (int time = 0; time < 5; ++time) {
      sale.server.start();
      CHECK(wait_until([&] { return sale.rows() > copied + time; }));
      sale.server.kill9();
      Database rows(sale.server.database_path());
      killed_in_the_middle +=
          rows.number("select segment from drain_position") < sale.oldest_segment();
      if (time % 2 == 1) sale.put_back();
    }
    CHECK(killed_in_the_middle > 0);
    sale.put_back();
    sale.server.start();
    sale.check_completed(1);
    CHECK(sale.rows() == static_cast<int64_t>(sale.orders.size()));
    REQUIRE(sale.server.terminate() == 0);
    sale.check_audit(sale.db());
  }

  TEST_CASE("another sale's is refused and nothing accepts it") {
    SqliteSale sale;
    REQUIRE(sale.server.terminate() == 0);
    Sale other(Sale::with(1));
    other.begin();
    REQUIRE(other.server.terminate() == 0);
    sale.put_back(other.server.database_path());
    const std::string before = read_file(sale.server.database_path());
    for (const bool accepts_loss : {false, true}) {
      if (accepts_loss) sale.server.options().flags = {{"--accept-loss", ""}};
      CHECK(sale.server.start_and_fail() == 78);
      CHECK(sale.server.says("is not this directory's"));
    }
    CHECK(sale.run("drain", sale.db()).exit_code == 78);
    CHECK(read_file(sale.server.database_path()) == before);
  }

  TEST_CASE(
      "one from before the number of shards changed is completed and another sale's refused") {
    Sale sale(Sale::with(2));
    sale.begin();
    const std::string copy = sale.server.scratch().path("copy.db");
    REQUIRE(Database(sale.server.database_path()).execute("VACUUM INTO '" + copy + "'"));
    sale.sell(100);
    sale.change(20, 20);
    sale.server.options().shards = 3;
    sale.server.restart();
    sale.sell(50);
    REQUIRE(sale.server.terminate() == 0);
    const auto put = [&](const std::string& database) {
      for (const char* ending : {"-wal", "-shm"}) fs::remove(sale.server.database_path() + ending);
      fs::copy_file(database, sale.server.database_path(), fs::copy_options::overwrite_existing);
    };
    // Shorter than this one, and longer.
    for (const size_t orders : {50, 400}) {
      Server other({.catalog = catalog({{.stock = 500'000}}), .shards = 2});
      rush_until_decided(other.address(), crowd(orders, "other-"));
      REQUIRE(other.wait_drained());
      REQUIRE(other.terminate() == 0);
      put(other.database_path());
      const std::string before = read_file(sale.server.database_path());
      CHECK(sale.server.start_and_fail() == 78);
      const std::string db = "sqlite:" + sale.server.database_path();
      CHECK(sale.run("drain", db).exit_code == 78);
      CHECK(read_file(sale.server.database_path()) == before);
    }
    put(copy);
    sale.server.start();
    sale.check_completed(3);
    CHECK(Database(sale.server.database_path()).number("select count(*) from orders") ==
          static_cast<int64_t>(sale.orders.size()));
    REQUIRE(sale.server.terminate() == 0);
    sale.check_audit("sqlite:" + sale.server.database_path());
  }

  TEST_CASE("a PostgreSQL standby that had lagged takes over and every node's rows are completed") {
    PostgresServer primary, standby(primary);
    const std::string name = primary.create_database();
    const std::string url = "postgres://tester@127.0.0.1:" + std::to_string(primary.port()) +
                            ",127.0.0.1:" + std::to_string(standby.port()) + "/" + name;
    Sale sale(Sale::with(1, url));
    ServerOptions options = Sale::with(1, url);
    options.flags.emplace_back("--node", "1");
    Sale other(options);
    sale.begin();
    other.begin();
    standby.await_in_sync(primary);
    standby.kill();
    sale.go_on(12'000);
    other.go_on();
    primary.kill();
    standby.restart();
    standby.promote();
    sale.sell(50);
    other.sell(50);
    // The server dies in the middle of it, or behind it.
    const auto rows = [&](int node) {
      return PostgresClient(standby.url(name))
          .number("SELECT count(*) FROM orders WHERE order_id BETWEEN '" +
                  std::string(node == 0 ? "0000" : "0040") + "' AND '" +
                  std::string(node == 0 ? "0040" : "0080") + "'");
    };
    CHECK(wait_until([&] { return rows(0) > 250; }));
    sale.server.kill9();
    sale.server.start();
    other.check_completed(1);
    CHECK(sale.server.wait_drained());
    CHECK(rows(0) == static_cast<int64_t>(sale.orders.size()));
    CHECK(rows(1) == static_cast<int64_t>(other.orders.size()));
    CHECK(PostgresClient(standby.url(name)).number("SELECT count(*) FROM rejected") == 0);
    REQUIRE(sale.server.terminate() == 0);
    REQUIRE(other.server.terminate() == 0);
    sale.check_audit(url);
    other.check_audit(url);
  }
}

}  // namespace
}  // namespace stampede::e2e
