// What the database says of a directory's streams, as a start sees it.
#include "node/witness.h"

#include "sold_directory.h"

namespace stampede::node {
namespace {

namespace fs = std::filesystem;
using namespace orderlog;

struct Fixture : SoldDirectory {
  Findings look(const std::string& url) {
    Findings seen;
    with_data(
        [&](Data& data, Findings& findings) {
          const DatabaseWitness witness(system_machine(), *drain::parse_database_url(url));
          REQUIRE_FALSE(data.restore({.witnesses = witness.of_streams(data), .order_cells = kCells},
                                     findings));
          witness.compare(data, findings);
          seen = findings;
        },
        false);
    return seen;
  }
  Findings look() { return look("sqlite:" + path); }
};

}  // namespace

TEST_SUITE("node/witness") {
  TEST_CASE_FIXTURE(Fixture, "without a database or an answer of one there is no witness") {
    make();
    CHECK(look("none").evidence.database == DatabaseState::none);
    CHECK(look("postgres://nobody@127.0.0.1:1/none").evidence.database == DatabaseState::away);
    CHECK(look().evidence.database == DatabaseState::fresh);
    set_position({.node = 4, .generation = 1}, kBeyond);
    CHECK(look().evidence.database == DatabaseState::fresh);
  }

  TEST_CASE_FIXTURE(Fixture, "a database that follows the log is its own") {
    make();
    sell(5);
    drain();
    CHECK(look().evidence == Evidence{});
    sell(5);
    CHECK(look().evidence == Evidence{});
  }

  TEST_CASE_FIXTURE(Fixture,
                    "a database with more than the log has is ahead and the log too short") {
    make();
    sell(5);
    drain();
    for (const StreamKey& stream : {kFirstStream, kSecondStream}) {
      execute("DELETE FROM drain_position");
      set_position(stream, kBeyond);
      const Evidence found = look().evidence;
      CHECK(found.database == DatabaseState::ahead);
      CHECK(found.log == Log::rolled_back);
    }
  }

  TEST_CASE_FIXTURE(Fixture, "the last record that the database has is no torn end of the log") {
    make();
    sell(5);
    Position end;
    with_data([&](Data& data, Findings&) { end = data.streams()[0].report.end; });
    sell(1);
    drain();
    Damage(dir + "/log/g1/s0/0000000001.log").flip(end.offset + 200, 3);
    const Evidence found = look().evidence;
    CHECK(found.log == Log::rolled_back);
    CHECK(found.database == DatabaseState::ahead);
    execute("UPDATE drain_position SET lsn=lsn-1 WHERE shard=0");
    CHECK(look().evidence.log == Log::torn);
  }

  TEST_CASE_FIXTURE(Fixture, "what is in the place of the database and is none is no database") {
    make();
    sell(5);
    fs::create_directory(path);
    const Findings found = look();
    CHECK(found.evidence.database == DatabaseState::no_file);
    CHECK(found.ending_of(refuse(Reason::database_no_file)).message.find(path) !=
          std::string::npos);
  }

  TEST_CASE_FIXTURE(Fixture, "a database of another history is foreign") {
    make();
    sell(5);
    drain();
    execute("UPDATE drain_position SET chain='0000000000000001' WHERE shard=0");
    CHECK(look().evidence.database == DatabaseState::foreign);
    sell(5);
    CHECK(look().evidence.database == DatabaseState::foreign);
  }

  TEST_CASE_FIXTURE(Fixture, "streams that the directory does not have are noticed") {
    make();
    SUBCASE("of a newer generation") {
      set_position({.node = 3, .generation = 2}, kBeyond);
    }
    SUBCASE("of a shard beyond") {
      set_position({.node = 3, .generation = 1, .shard = 2}, kBeyond);
    }
    CHECK(look().evidence.database == DatabaseState::newer_generation);
  }

  TEST_CASE_FIXTURE(Fixture, "a fresh directory beside a database of its node is too short") {
    fs::create_directory(dir);
    set_position(kFirstStream, kBeyond);
    CHECK(look().evidence.database == DatabaseState::ahead);
  }

  TEST_CASE_FIXTURE(Fixture,
                    "a database older than the log keeps is older if its orders are known") {
    make();
    sell(5);
    drain();
    sell(60);
    lose_segments(3);
    CHECK(look().evidence.database == DatabaseState::older);
    CHECK(judge(look().evidence).course == Course::go_on_and_complete);
    SUBCASE("and not when one is another's") {
      execute("UPDATE orders SET user_id='another'");
    }
    SUBCASE("and not when none is known") {
      execute("UPDATE orders SET order_id='00c0ffff' || substr(order_id, 9)");
    }
    SUBCASE("and not when they cannot be read") {
      execute("DROP TABLE orders");
    }
    SUBCASE("and what nobody can complete decides") {
      execute("UPDATE orders SET user_id='another'");
      execute("DELETE FROM drain_position WHERE shard=1");
      set_position(kSecondStream, kBeyond);
    }
    const Findings found = look();
    CHECK(found.evidence.database == DatabaseState::outdated);
    CHECK(judge({.database = found.evidence.database}) == refuse(Reason::database_outdated));
    CHECK_FALSE(found.ending_of(refuse(Reason::database_outdated)).message.empty());
  }

  TEST_CASE_FIXTURE(Fixture, "a database that is older and ahead has lost something") {
    make();
    sell(5);
    drain();
    sell(60);
    lose_segments(3);
    set_position(kSecondStream, kBeyond);
    CHECK(look().evidence.database == DatabaseState::ahead);
  }
}

}  // namespace stampede::node
