// The proof with a real database and listeners of this process: what it reads, how it waits, and
// that it never takes a thing that it could not read for a promise that was kept.
#include "load/proof.h"

#include <sqlite3.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <functional>
#include <utility>

#include "drain/sqlite.h"
#include "fake_server.h"

// Behind the headers of the server, whose CHECK means the other thing.
#include <doctest/doctest.h>

using namespace stampede;
using namespace stampede::load;

namespace {

class ScratchDirectory {
 public:
  ScratchDirectory() { REQUIRE(mkdtemp(path_) != nullptr); }
  ~ScratchDirectory() {
    for (const char* suffix : {"", "-wal", "-shm"}) unlink((database() + suffix).c_str());
    rmdir(path_);
  }
  std::string database() const { return std::string(path_) + "/orders.db"; }

 private:
  char path_[32] = "/tmp/stampede-test.XXXXXX";
};

// A sale of 50 tickets to 80 users that has just ended, and everything to prove it with.
struct Ended {
  explicit Ended(std::vector<int> lags = {0})
      : front([this](const FakeRequest& request) { return FakeReply{{sale.answer(request)}}; }),
        operators([this, lags](const FakeRequest& request) {
          return FakeReply{{report(request, lags)}, true};
        }),
        run(plan(), clock) {
    REQUIRE(bool(drain::SqliteSink(scratch.database()).positions()));  // makes the tables
    run.begin();
    REQUIRE(bool(run.finish()));
    for (const auto& [who, id] : sale.orders()) insert(id, who.substr(0, who.find('/')));
  }

  const Plan& plan() {
    plan_.server = front.address();
    plan_.users = 80;
    plan_.connections = 4;
    return plan_;
  }

  std::string report(const FakeRequest& request, const std::vector<int>& lags) {
    const bool is_audit = request.line.starts_with("GET /admin/audit?item=ticket ");
    if (is_audit && audits++ == 0)
      return http_answer("200 OK",
                         R"({"ok":true,"items":[{"item":"ticket","total":50,"free":50,"leased":0,)"
                         R"("reserved":0,"paid":0,"elsewhere":)" +
                             std::to_string(elsewhere_before) + R"(,"ok":true}]})");
    if (is_audit) {
      const int expired = at_audit();
      return http_answer("200 OK", R"({"ok":true,"items":[{"item":"ticket","total":50,"free":)" +
                                       std::to_string(expired) + R"(,"leased":0,"reserved":)" +
                                       std::to_string(50 - expired) + R"(,"paid":0,"elsewhere":)" +
                                       std::to_string(elsewhere_after) + R"(,"ok":true}]})");
    }
    if (audits > 1) std::exchange(behind_audit, [] {})();
    int lag = lags[std::min<size_t>(asked++, lags.size() - 1)];
    return http_answer("200 OK", R"({"drainer":{"lag_records":)" + std::to_string(lag) + "}}");
  }

  void insert(uint64_t id, const std::string& user) {
    char sql[400];
    std::snprintf(
        sql, sizeof sql,
        "INSERT INTO orders VALUES('%016lx','ticket','%s',1,0,'CNY','reserved','t','t','t',NULL,0)",
        id, user.c_str());
    execute(sql);
  }

  void execute(const std::string& sql) {
    sqlite3* database = nullptr;
    REQUIRE(sqlite3_open(scratch.database().c_str(), &database) == SQLITE_OK);
    INFO(sqlite3_errmsg(database));
    CHECK(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(database);
  }

  Result<Report::Verified> prove(bool is_interrupted = false) {
    OperatorClient client(operators.address());
    Progress progress(false);
    Proof proof(plan_, client, "sqlite:" + scratch.database(), clock, progress);
    if (Status status = proof.prepare(); !status) return status.error();
    return proof.gather(run, [=] { return is_interrupted; });
  }

  ScratchDirectory scratch;
  SystemClock clock;
  FakeSale sale{50};
  std::atomic<int> elsewhere_before{0}, elsewhere_after{0};
  std::atomic<size_t> audits{0};
  // In the server's thread: at the audit of the end, which then has so many units free; once, behind it.
  std::function<int()> at_audit = [] { return 0; };
  std::function<void()> behind_audit = [] {};
  std::atomic<size_t> asked{0};  // for the drainer's lag
  FakeServer front, operators;
  Plan plan_;
  Run run;
};

bool is_kept(const Report::Verified& verified, std::string_view name) {
  for (const Check& check : verified.checks)
    if (check.name == name) return check.is_kept;
  FAIL("there is no such check");
  return false;
}

}  // namespace

TEST_SUITE("load/proof") {
  TEST_CASE("an honest sale is proven from its database") {
    Ended ended;
    auto verified = ended.prove();
    REQUIRE(bool(verified));
    CHECK(verified->rows == 50);
    for (const Check& check : verified->checks) {
      INFO(check.name, ": ", check.numbers);
      CHECK(check.is_kept);
    }
  }

  TEST_CASE("it waits until the database has caught up") {
    Ended ended({7, 3, 0});
    REQUIRE(bool(ended.prove()));
    CHECK(ended.asked == 3);
  }

  TEST_CASE("a reservation that expires meanwhile has come back whenever it does") {
    const std::string expire =
        "UPDATE orders SET state='expired' WHERE order_id<='0000000000000014'";
    Ended at_the_audit;
    at_the_audit.at_audit = [&] {
      at_the_audit.execute(expire);
      return 20;
    };
    Ended behind_the_audit;
    behind_the_audit.behind_audit = [&] { behind_the_audit.execute(expire); };
    for (Ended* ended : {&at_the_audit, &behind_the_audit}) {
      const auto verified = ended->prove();
      REQUIRE(bool(verified));
      for (const Check& check : verified->checks) {
        INFO(check.name, ": ", check.numbers);
        CHECK(check.is_kept);
      }
    }
  }

  TEST_CASE("an interrupted wait proves nothing") {
    Ended ended({7});
    CHECK_FALSE(bool(ended.prove(true)));
  }

  TEST_CASE("of a sale in which other nodes took part nothing is said") {
    for (const bool is_before : {true, false}) {
      Ended ended;
      (is_before ? ended.elsewhere_before : ended.elsewhere_after) = 20;
      const auto verified = ended.prove();
      REQUIRE_FALSE(bool(verified));
      CHECK(verified.error().message.starts_with("--verify knows one node, and others hold 20 "));
      CHECK(ended.audits == (is_before ? 1 : 2));
    }
  }

  TEST_CASE("a row that somebody deleted is missed") {
    Ended ended;
    ended.execute("DELETE FROM orders WHERE order_id='0000000000000007'");
    auto verified = ended.prove();
    REQUIRE(bool(verified));
    CHECK(verified->rows == 49);
    CHECK_FALSE(is_kept(*verified, "in the database"));
  }

  TEST_CASE("a quantity that somebody raised is seen") {
    Ended ended;
    ended.execute("UPDATE orders SET qty=2 WHERE order_id='0000000000000007'");
    auto verified = ended.prove();
    REQUIRE(bool(verified));
    CHECK_FALSE(is_kept(*verified, "in the database"));
    CHECK_FALSE(is_kept(*verified, "oversold"));
    CHECK(verified->oversold == 1);
  }

  TEST_CASE("rows are read to the last one however many there are") {
    Ended ended;
    // More than one page of somebody else's, in front of a row that must not be there.
    ended.execute(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<25000) INSERT INTO "
        "orders "
        "SELECT printf('%016x',1000+i),'cup','alice',1,0,'CNY','paid','t','t','t',NULL,0 FROM n");
    ended.insert(0xffffff, "u1-79");
    auto verified = ended.prove();
    REQUIRE(bool(verified));
    CHECK(verified->rows == 51);
    CHECK_FALSE(is_kept(*verified, "unacknowledged"));
  }

  TEST_CASE("a run that could not be verified afterwards is not begun") {
    Ended ended;
    Progress progress(false);
    OperatorClient client(ended.operators.address());
    for (const char* db : {"none", "sqlite:/nowhere/orders.db", "what"}) {
      INFO(db);
      CHECK_FALSE(bool(Proof(ended.plan_, client, db, ended.clock, progress).prepare()));
    }
    Plan other = ended.plan_;
    other.wishes[0].item = "cup";
    std::string db = "sqlite:" + ended.scratch.database();
    CHECK_FALSE(bool(Proof(other, client, db, ended.clock, progress).prepare()));
    CHECK(bool(Proof(ended.plan_, client, db, ended.clock, progress).prepare()));
  }

  TEST_CASE("a database that is not there is an error and no proof") {
    Ended ended;
    unlink(ended.scratch.database().c_str());
    CHECK_FALSE(bool(ended.prove()));
  }
}
