// A data directory opened to serve, offline and to read; what a start looks at it writes nothing of.
#include "node/data.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "../orderlog/rig.h"
#include "node/reshard.h"

namespace stampede::node {
namespace {

namespace fs = std::filesystem;
using orderlog::read_file;
using orderlog::ScratchDir;

constexpr FreshData kFresh = {
    .node = 3, .shard_count = 2, .segment_bytes = orderlog::kSmallSegment};

// Everything but the lock, which holds the pid.
std::map<std::string, std::string> contents_of(const std::string& dir) {
  std::map<std::string, std::string> contents;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(dir))
    if (entry.path().filename() != "lock")
      contents[entry.path()] = entry.is_regular_file() ? read_file(entry.path()) : "";
  return contents;
}

struct Fixture {
  ScratchDir scratch;
  std::string dir = scratch.path() + "/data";

  // The directory of node 3, as a first start leaves it.
  void make() {
    Data data(dir, Data::Use::serving);
    Findings findings;
    REQUIRE_FALSE(data.open_to_serve(kFresh, findings));
    REQUIRE_FALSE(data.restore({.order_cells = 100}, findings));
    REQUIRE(judge(findings.evidence).course == Course::go_on);
    REQUIRE(bool(data.begin({})));
    REQUIRE(bool(data.repair()));
  }
  Findings look(const FreshData& fresh = kFresh) {
    Data data(dir, Data::Use::serving);
    Findings findings;
    const auto before = contents_of(dir);
    REQUIRE_FALSE(data.open_to_serve(fresh, findings));
    if (judge_identity(findings.evidence).course != Course::refuse)
      REQUIRE_FALSE(data.restore({.order_cells = 100}, findings));
    CHECK(contents_of(dir) == before);
    return findings;
  }
};

}  // namespace

TEST_SUITE("node/data") {
  TEST_CASE_FIXTURE(Fixture, "a fresh directory is nothing but its lock before it begins") {
    fs::create_directory(dir);
    CHECK(look().evidence.directory == Directory::fresh);
    CHECK(contents_of(dir).empty());
    make();
    CHECK(fs::exists(dir + "/manifest"));
    CHECK(look().evidence == Evidence{});
  }

  TEST_CASE_FIXTURE(Fixture, "one process has it to serve or offline and any may read beside it") {
    make();
    Data serving(dir, Data::Use::serving);
    Findings findings;
    REQUIRE_FALSE(serving.open_to_serve(kFresh, findings));
    Data offline(dir, Data::Use::offline);
    const MayEnd end = offline.open();
    REQUIRE(end);
    CHECK(end->exit_code == kExitDirInUse);
    Data reading(dir, Data::Use::reading);
    CHECK_FALSE(reading.open());
    CHECK_FALSE(reading.restore());
    CHECK(reading.stream_count() == 2);
    CHECK(reading.key(1) == StreamKey{.node = 3, .generation = 1, .shard = 1});
  }

  TEST_CASE_FIXTURE(Fixture, "a command makes no directory and begins no log") {
    for (const Data::Use use : {Data::Use::offline, Data::Use::reading}) {
      MayEnd end = Data(dir, use).open();
      REQUIRE(end);
      CHECK(end->exit_code == kExitUsage);
      CHECK_FALSE(fs::exists(dir));
    }
    fs::create_directory(dir);
    const MayEnd end = Data(dir, Data::Use::reading).open();
    REQUIRE(end);
    CHECK(end->exit_code == kExitUsage);
    CHECK(contents_of(dir).empty());
  }

  TEST_CASE_FIXTURE(Fixture, "another node's directory says whose it is") {
    make();
    const Findings findings = look({.node = 4, .shard_count = 2});
    const Verdict verdict = judge(findings.evidence);
    CHECK(verdict == refuse(Reason::another_node, kExitUsage));
    CHECK(findings.ending_of(verdict).message.find("--node 3") != std::string::npos);
  }

  TEST_CASE_FIXTURE(Fixture, "a manifest that is damaged or gone is refused with its name") {
    make();
    const std::string manifest = dir + "/manifest";
    SUBCASE("damaged") {
      std::string text = read_file(manifest);
      text[text.find("hash_key = ") + 12] ^= 1;
      std::ofstream(manifest) << text;
      CHECK(judge(look().evidence) == refuse(Reason::manifest_damaged));
      const MayEnd end = Data(dir, Data::Use::offline).open();
      REQUIRE(end);
      CHECK(end->exit_code == kExitLogDamaged);
    }
    SUBCASE("gone, and there is a log") {
      fs::remove(manifest);
      std::ofstream(dir + "/log/g1/s0/0000000001.log") << "orders";
      CHECK(judge(look().evidence) == refuse(Reason::manifest_missing));
    }
    SUBCASE("a stream that it names is gone") {
      fs::remove_all(dir + "/log/g1/s1");
      CHECK(judge(look().evidence) == refuse(Reason::streams_unnamed));
    }
  }

  TEST_CASE_FIXTURE(Fixture, "no command writes to streams that the manifest does not name") {
    make();
    fs::create_directories(dir + "/log/g2/s0");
    CHECK_FALSE(Data(dir, Data::Use::offline).open());
    std::ofstream(dir + "/log/g2/s0/0000000001.log") << "orders of a later generation";
    const MayEnd end = Data(dir, Data::Use::offline).open();
    REQUIRE(end);
    CHECK(end->exit_code == kExitLogDamaged);
    CHECK_FALSE(Data(dir, Data::Use::reading).open());
  }

  TEST_CASE_FIXTURE(Fixture, "a change of shards that did not get to its end is no obstacle") {
    make();
    fs::create_directories(dir + "/log/g2/s0");
    const Evidence evidence = look().evidence;
    CHECK(evidence.directory == Directory::half_reshard);
    CHECK(judge(evidence).course == Course::go_on);
  }

  TEST_CASE_FIXTURE(Fixture, "a loss is pending until the start that accepted it is done") {
    make();
    {
      Data data(dir, Data::Use::serving);
      Findings findings;
      REQUIRE_FALSE(data.open_to_serve(kFresh, findings));
      REQUIRE_FALSE(data.restore({.order_cells = 100}, findings));
      REQUIRE(bool(data.begin({.has_lost = true, .sequence_floor = 700})));
      CHECK(data.manifest().streams[1].cut_floor == 700);
    }
    CHECK(judge(look().evidence).course == Course::go_on_after_loss);
    {
      Data data(dir, Data::Use::serving);
      Findings findings;
      REQUIRE_FALSE(data.open_to_serve(kFresh, findings));
      REQUIRE(bool(data.end_loss()));
    }
    CHECK(judge(look().evidence).course == Course::go_on);
  }

  TEST_CASE_FIXTURE(Fixture,
                    "a log is at rest from an orderly stop until somebody may write again") {
    make();
    const auto is_at_rest = [&] { return (*orderlog::read_manifest(dir))->is_at_rest; };
    orderlog::Manifest at_rest = **orderlog::read_manifest(dir);
    CHECK_FALSE(at_rest.is_at_rest);
    at_rest.is_at_rest = true;
    REQUIRE(bool(orderlog::write_manifest(dir, at_rest)));
    look();
    CHECK(is_at_rest());
    // A server may begin beside whoever reads, but not beside whoever has the lock.
    for (const Data::Use use : {Data::Use::reading, Data::Use::offline}) {
      Data data(dir, use);
      REQUIRE_FALSE(data.open());
      CHECK(data.files(0).known.is_at_rest == (use == Data::Use::offline));
    }
    make();  // a start, up to what it repairs
    CHECK_FALSE(is_at_rest());
    for (const bool is_stopped : {true, false}) {
      Data data(dir, Data::Use::serving);
      Findings findings;
      REQUIRE_FALSE(data.open_to_serve(kFresh, findings));
      REQUIRE(bool(data.note_log_ends({{}, {}}, is_stopped)));
      CHECK(is_at_rest() == is_stopped);
    }
  }

  TEST_CASE_FIXTURE(Fixture, "the boot counter rises durably and only when it is asked to") {
    make();
    for (const uint64_t boot : {1, 2}) {
      Data data(dir, Data::Use::serving);
      Findings findings;
      REQUIRE_FALSE(data.open_to_serve(kFresh, findings));
      REQUIRE(bool(data.begin({.raises_boot = true})));
      CHECK(data.manifest().boot == boot);
    }
    Data reading(dir, Data::Use::reading);
    REQUIRE_FALSE(reading.open());
    CHECK(reading.manifest().boot == 2);
  }
}

}  // namespace stampede::node
