// What the database says of a directory's streams, as a start sees it.
#include "node/witness.h"

#include <doctest/doctest.h>

#include <deque>
#include <filesystem>

#include "../orderlog/rig.h"
#include "drain/drainer.h"
#include "drain/sqlite.h"
#include "drain/sqlite_connection.h"
#include "node/snapshotter.h"

namespace stampede::node {
namespace {

namespace fs = std::filesystem;
using namespace orderlog;

constexpr uint32_t kCells = 1'000;

// A directory of node 3 with two shards, of which the first sells, and a database beside it.
struct Fixture {
  ScratchDir scratch;
  std::string dir = scratch.path() + "/data", path = scratch.path() + "/orders.db";
  FreshData fresh{.node = 3, .shard_count = 2, .segment_bytes = kSmallSegment};
  drain::ItemNames names;
  std::deque<std::string> users;
  SystemClock clock;

  Fixture() {
    names.set(0, "ticket");
    names.set(5, "ticket");
  }
  void make() {
    with_data([](Data& data, Findings&) {
      REQUIRE(bool(data.begin({})));
      REQUIRE(bool(data.repair()));
    });
  }
  void with_data(const std::function<void(Data&, Findings&)>& use, bool restores = true) {
    Data data(dir, Data::Use::serving);
    Findings findings;
    REQUIRE_FALSE(data.open_to_serve(fresh, findings));
    if (restores) REQUIRE_FALSE(data.restore({.order_cells = kCells}, findings));
    use(data, findings);
  }
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

  // `batches` of the first stream, one order each; the first has what they need.
  void sell(int batches) {
    with_data([&](Data& data, Findings&) {
      StreamFiles files = data.files(0);
      files.is_direct = false;
      WritingRig rig(files, data.streams()[0].report.end);
      if (data.streams()[0].report.last_lsn == 0) {
        rig.writer().append(Item{.item = 0, .code = "ticket"});
        rig.writer().append(Supply{.item = 0, .supplied = kCells});
        rig.writer().append(Grant{.item = 0, .accepted = kCells});
      }
      const uint64_t sold = data.sequence_max();
      for (int i = 1; i <= batches; ++i) {
        rig.writer().append(order(data, sold + static_cast<uint64_t>(i)));
        rig.write_batch();
      }
    });
  }
  // By a user of the first shard.
  Reserve order(const Data& data, uint64_t sequence) {
    for (int i = 0;; ++i) {
      const std::string user = "u" + std::to_string(sequence) + "-" + std::to_string(i);
      const uint32_t slot = slot_of(keyed_hash(data.manifest().hash_key, user));
      if (shard_of_slot(slot, 2) != 0) continue;
      Reserve reserve = sample_reserve(sequence, users.emplace_back(user), "");
      reserve.item = 0, reserve.quantity = 1;
      reserve.order = OrderId::make(3, sequence, slot);
      return reserve;
    }
  }
  void drain() {
    with_data([&](Data& data, Findings&) {
      drain::SqliteSink sink(path);
      const DrainStreams streams(data);
      drain::Drainer drainer(sink, names, clock, streams.all());
      REQUIRE(drainer.drain_now(60 * kSecond));
    });
  }
  // The first segments are in snapshots, and gone.
  void lose_segments(uint32_t below) {
    with_data([&](Data& data, Findings&) {
      Snapshotter snapshotter({data.files(0)}, data.manifest().hash_key, kCells, data.boot_id(),
                              [](uint32_t) { return 0; });
      for (uint32_t segment = 1; segment < below; ++segment) {
        snapshotter.on_segment_closed(0, segment);
        if (segment < below - 1) fs::remove(data.files(0).segment_path(segment));
      }
      fs::remove(data.files(0).segment_path(below - 1));
    });
  }
  void set_position(const StreamKey& stream, const Position& position) {
    drain::SqliteSink sink(path);
    REQUIRE(bool(sink.positions()));
    drain::Batch batch(names);
    batch.start(stream, std::nullopt);
    batch.advance(position, 0);
    REQUIRE(sink.write(batch, 0).outcome == drain::Outcome::done);
  }
  void execute(const std::string& sql) const {
    auto other = drain::SqliteConnection::open(path, SQLITE_OPEN_READWRITE, 1'000);
    REQUIRE(bool(other));
    REQUIRE((*other).execute(sql.c_str()) == SQLITE_OK);
  }
};

constexpr StreamKey kFirstStream{.node = 3, .generation = 1, .shard = 0},
    kSecondStream{.node = 3, .generation = 1, .shard = 1};
constexpr Position kBeyond{
    .segment = 1, .offset = 4096, .batch_seq = 9, .next_lsn = 900, .prev_chain = 7};

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
