// `stampede log` reads what the server wrote, beside the running server and after it: every order
// and every operator's change stands there, and sound logs verify.
#include <doctest/doctest.h>

#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

TEST_SUITE("e2e/log_tool") {
  TEST_CASE("verify accepts a sound log beside the running server and after it") {
    for (int shards : {1, 2}) {
      Server server({.catalog = catalog({{.stock = 10'000}}), .shards = shards});
      rush_until_decided(server.address(), crowd(1'000));
      Finished beside = run_stampede({"log", "verify", "--data", server.data()});
      CAPTURE(beside.err);
      CHECK(beside.exit_code == 0);
      REQUIRE(server.terminate() == 0);
      CHECK(run_stampede({"log", "verify", "--data", server.data()}).exit_code == 0);
    }
  }

  TEST_CASE("inspect prints every order and every change of an operator") {
    Server server({.catalog = catalog({{.stock = 100}}), .shards = 2});
    std::string paid = server.buy({.user = "alice"}), cancelled = server.buy({.user = "bob"});
    REQUIRE(server.pay(paid, {.id = "pay-42"}).status == 200);
    REQUIRE(server.cancel("bob", cancelled).status == 200);
    REQUIRE(server.admin()
                .post("/admin/items/ticket/restock", R"({"op_id":"more-7","delta":3})")
                .status == 200);
    REQUIRE(server.admin().post("/admin/items/ticket/pause").status == 200);
    Finished finished = run_stampede({"log", "inspect", "--records", "--data", server.data()});
    CAPTURE(finished.err);
    CHECK(finished.exit_code == 0);
    for (const std::string& trace : {paid, cancelled, std::string("alice"), std::string("pay-42"),
                                     std::string("more-7"), std::string("pause")})
      CHECK_MESSAGE(finished.out.find(trace) != std::string::npos, trace);
  }

  TEST_CASE("inspect prints the watermarks of every stream") {
    Server server({.catalog = catalog({{}}), .shards = 2});
    server.buy({.user = "u1"});
    REQUIRE(server.wait_drained());
    Json shards = server.status()["shards"];
    REQUIRE(server.terminate() == 0);
    Finished finished = run_stampede({"log", "inspect", "--data", server.data()});
    CHECK(finished.exit_code == 0);
    CHECK(finished.out.find("durable") != std::string::npos);
    CHECK(finished.out.find("drained") != std::string::npos);
    const Finished wrong =
        run_stampede({"log", "inspect", "--data", server.data(), "--db", "oracle://x"});
    CHECK(wrong.exit_code == 2);
    CHECK(wrong.err.find("--db: ") != std::string::npos);
    CHECK(wrong.out.empty());
  }

  TEST_CASE("inspect says that a snapshot is damaged and ends as verify does") {
    Server server({.catalog = catalog({{.stock = 100}}), .shards = 2});
    server.buy({.user = "alice"});
    REQUIRE(server.wait_drained());
    REQUIRE(server.terminate() == 0);
    server.options().shards = 1;  // which begins with a snapshot
    server.start();
    server.buy({.user = "bob"});
    REQUIRE(server.terminate() == 0);
    const std::string snapshot = server.data() + "/log/g2/s0/snapshot-0000000001";
    flip_bit(snapshot, 4096 + 70, 2);
    const Finished verified = run_stampede({"log", "verify", "--data", server.data()});
    CHECK(verified.exit_code == 78);
    CHECK(verified.err.find(snapshot) != std::string::npos);
    for (const char* what : {"--summary", "--batches", "--records"}) {
      const Finished finished = run_stampede({"log", "inspect", what, "--data", server.data()});
      CHECK(finished.exit_code == 78);
      CHECK(finished.err.find(snapshot) != std::string::npos);
    }
    const Finished some =
        run_stampede({"log", "inspect", "--records", "--limit", "1", "--data", server.data()});
    CHECK(some.exit_code == 0);  // which looks no further
  }

  TEST_CASE("a directory without a log is refused") {
    Scratch scratch;
    for (std::string what : {"verify", "inspect"})
      CHECK(run_stampede({"log", what, "--data", scratch.path()}).exit_code == 2);
    CHECK(run_stampede({"log", "verify", "--data", scratch.path("none")}).exit_code != 0);
    CHECK(run_stampede({"log"}).exit_code == 2);
  }
}

}  // namespace
}  // namespace stampede::e2e
