// `stampede drain` replays the order log of a stopped server into a database, as often as one
// likes.
#include <doctest/doctest.h>

#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

Finished drain(const Server& server, const std::string& database_path) {
  return run_stampede({"drain", "--data", server.data(), "--db", "sqlite:" + database_path});
}

TEST_SUITE("e2e/drain_offline") {
  TEST_CASE("everything reaches a new database once") {
    for (bool by_kill : {false, true}) {
      CAPTURE(by_kill);
      Server server(
          {.catalog = catalog({{.stock = 1'000}}), .shards = 2, .flags = {{"--db", "none"}}});
      auto outcomes = rush_until_decided(server.address(), crowd(200));
      REQUIRE(server.pay(outcomes[0].order_id).status == 200);
      REQUIRE(server.cancel(outcomes[1].ask.user, outcomes[1].order_id).status == 200);
      if (by_kill)
        server.kill9();
      else
        REQUIRE(server.terminate() == 0);
      std::string path = server.scratch().path("drained.db");
      for (int time = 0; time < 2; ++time) {
        Finished finished = drain(server, path);
        CAPTURE(finished.err);
        CHECK(finished.exit_code == 0);
        Database database(path);
        CHECK(database.number("select count(*) from orders") == 200);
        CHECK(database.number("select count(distinct order_id) from orders") == 200);
        CHECK(database.number("select count(*) from orders where state='paid'") == 1);
        CHECK(database.number("select count(*) from orders where state='cancelled'") == 1);
        CHECK(database.number("select count(*) from payments") == 1);
      }
    }
  }

  TEST_CASE("what a dead server left over is finished and the server goes on from there") {
    Server server({.catalog = catalog({{.stock = 1'000}}), .shards = 2});
    auto blocker = std::make_unique<Database>(server.database_path(), true);
    REQUIRE(blocker->execute("begin immediate"));
    CHECK(tally(rush_until_decided(server.address(), crowd(100)))["201"] == 100);
    server.kill9();
    blocker.reset();
    Finished finished = drain(server, server.database_path());
    CAPTURE(finished.err);
    CHECK(finished.exit_code == 0);
    CHECK(Database(server.database_path()).number("select count(*) from orders") == 100);
    server.start();
    CHECK(tally(rush_until_decided(server.address(), crowd(50, "more")))["201"] == 50);
    server.check_books();
    CHECK(Database(server.database_path()).number("select count(*) from orders") == 150);
  }

  TEST_CASE(
      "all of the log in a snapshot: rows are written, and without a database nothing is done") {
    Server server({.catalog = catalog({{.stock = 100}}), .shards = 2, .flags = {{"--db", "none"}}});
    for (int i = 0; i < 5; ++i) server.buy({.user = "u" + std::to_string(i)});
    server.options().shards = 3;
    server.restart();
    REQUIRE(server.terminate() == 0);
    const Finished away = run_stampede(
        {"drain", "--data", server.data(), "--db", "postgres://nobody@127.0.0.1:1/none"});
    CHECK(away.exit_code == 1);
    CHECK(away.err.find("127.0.0.1") != std::string::npos);
    const std::string path = server.scratch().path("drained.db");
    CHECK(drain(server, path).exit_code == 0);
    CHECK(Database(path).number("select count(*) from orders") == 5);
  }

  TEST_CASE("a directory that is none is refused") {
    Scratch scratch;
    Finished finished = run_stampede(
        {"drain", "--data", scratch.path("none"), "--db", "sqlite:" + scratch.path("x.db")});
    CHECK(finished.exit_code != 0);
    CHECK(finished.err.find(scratch.path("none")) != std::string::npos);
  }

  TEST_CASE("rows that were refused are put in once their cause is gone, as the log has them now") {
    Server server({.catalog = catalog({{.stock = 100}}), .shards = 2, .flags = {{"--db", "none"}}});
    const std::string paid = server.buy({.user = "alice"});
    const std::string cancelled = server.buy({.user = "bob"});
    server.buy({.user = "carol"});
    REQUIRE(server.pay(paid).status == 200);
    REQUIRE(server.cancel("bob", cancelled).status == 200);
    REQUIRE(server.terminate() == 0);
    const std::string path = server.scratch().path("drained.db");
    REQUIRE(run_stampede({"drain", "--data", server.data(), "--db", "sqlite:" + path}).exit_code ==
            0);
    // As if a trigger had been there from the start.
    Database database(path, true);
    REQUIRE(
        database.execute("delete from orders; delete from payments; delete from drain_position;"
                         "create trigger refuse before insert on orders when new.user_id<>'carol' "
                         "begin select raise(abort, 'not him'); end"));
    const auto put_in = [&] {
      return run_stampede(
          {"drain", "--data", server.data(), "--db", "sqlite:" + path, "--rejected"});
    };
    const Finished refused = put_in();
    CAPTURE(refused.out + refused.err);
    CHECK(refused.exit_code == 1);
    CHECK(database.number("select count(*) from orders") == 1);
    CHECK(database.number("select count(*) from rejected") > 0);
    REQUIRE(database.execute("drop trigger refuse"));
    const Finished taken = put_in();
    CAPTURE(taken.out + taken.err);
    CHECK(taken.exit_code == 0);
    CHECK(taken.out.find("2 orders put in") != std::string::npos);
    CHECK(database.number("select count(*) from rejected") == 0);
    CHECK(database.number("select count(*) from orders where state='paid' and user_id='alice'") ==
          1);
    CHECK(database.number(
              "select count(*) from orders where state='cancelled' and user_id='bob'") == 1);
    CHECK(database.number("select count(*) from payments") == 1);
  }
}

}  // namespace
}  // namespace stampede::e2e
