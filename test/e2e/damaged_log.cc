// An order log that was damaged after the fact is refused with 78 and left as it is; one that a
// crash cut is repaired.

#include <doctest/doctest.h>
#include <filesystem>

#include "harness/random.h"
#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

constexpr uint64_t kBlock = 4096;

// A server on one shard that acknowledged some orders, each in a batch of its own, and was then
// killed.
struct Killed {
  Server server{{.catalog = catalog({{.stock = 1'000}}), .shards = 1}};
  std::map<std::string, std::string> orders;  // id → user
  std::string segment;
  uint64_t end = 0;  // offset behind the last block that is not all zeros

  explicit Killed(int count = 20, bool is_drained = true) {
    for (int i = 0; i < count; ++i) {
      std::string user = "u" + std::to_string(i);
      orders[server.buy({.user = user})] = user;
    }
    if (is_drained) REQUIRE(server.wait_drained());
    server.kill9();
    auto segments = files_below(server.data(), ".log");
    REQUIRE(!segments.empty());
    segment = segments[0];
    const std::string bytes = read_file(segment), zeros(kBlock, '\0');
    for (uint64_t at = 0; at + kBlock <= bytes.size(); at += kBlock)
      if (bytes.compare(at, kBlock, zeros) != 0) end = at + kBlock;
    REQUIRE(end > 10 * kBlock);
  }

  void check_all_orders_are_there() {
    for (const auto& [id, user] : orders) CHECK(server.state_of(user, id) == "reserved");
    server.check_books();
  }

  // Refused, with the place, and not one byte changed.
  void check_refused() {
    std::string before = read_file(segment);
    CHECK(server.start_and_fail() == 78);
    std::string complaint = server.complaint();
    CAPTURE(complaint);
    CHECK(complaint.find(std::filesystem::path(segment).filename()) != std::string::npos);
    CHECK(complaint.find("offset") != std::string::npos);
    CHECK(complaint.find("seq") != std::string::npos);
    CHECK(read_file(segment) == before);
  }
};

TEST_SUITE("e2e/damaged_log") {
  TEST_CASE("one bit flipped anywhere in acknowledged data is refused with its place") {
    INFO("seed " << seed());
    Killed killed;
    for (int round = 0; round < rounds(8); ++round) {
      uint64_t offset = random_between(0, killed.end - 1);
      unsigned bit = static_cast<unsigned>(random_between(0, 7));
      CAPTURE(offset);
      CAPTURE(bit);
      flip_bit(killed.segment, offset, bit);
      killed.check_refused();
      flip_bit(killed.segment, offset, bit);
    }
    killed.server.start();
    killed.check_all_orders_are_there();
  }

  TEST_CASE("the tools refuse it as well") {
    Killed killed;
    CHECK(run_stampede({"log", "verify", "--data", killed.server.data()}).exit_code == 0);
    flip_bit(killed.segment, killed.end / 2 + 40, 3);
    CHECK(run_stampede({"log", "verify", "--data", killed.server.data()}).exit_code == 78);
    for (std::string what : {"--records", "--batches", "--summary"}) {
      const Finished inspected =
          run_stampede({"log", "inspect", what, "--data", killed.server.data()});
      CHECK(inspected.exit_code == 78);
      CHECK(inspected.err.find(killed.segment) != std::string::npos);
      CHECK(inspected.err.find("offset") != std::string::npos);
    }
    CHECK(run_stampede({"drain", "--data", killed.server.data(), "--db",
                        "sqlite:" + killed.server.scratch().path("x.db")})
              .exit_code == 78);
  }

  TEST_CASE("a torn tail that nobody was told about is cut off and kept aside") {
    INFO("seed " << seed());
    Killed killed;
    std::string bytes = read_file(killed.segment);
    for (uint64_t at = killed.end; at < killed.end + 700; ++at)
      bytes[at] = static_cast<char>(random_between(0, 255));
    write_file(killed.segment, bytes);
    killed.server.start();
    killed.check_all_orders_are_there();
    bool is_kept = false;
    for (const std::string& path : files_below(killed.server.data(), ""))
      is_kept = is_kept || path.find(".torn") != std::string::npos;
    CHECK(is_kept);
    killed.server.buy({.user = "after"});
    killed.server.kill9();
    killed.server.start();
    killed.check_all_orders_are_there();
  }

  TEST_CASE("a last batch that the database has seen cannot vanish") {
    Killed killed;
    std::string bytes = read_file(killed.segment);
    bytes.replace(killed.end - kBlock, kBlock, kBlock, '\0');
    write_file(killed.segment, bytes);
    CHECK(killed.server.start_and_fail() == 78);
  }

  TEST_CASE("a missing segment is refused") {
    Killed killed;
    std::filesystem::rename(killed.segment, killed.server.scratch().path("aside"));
    CHECK(killed.server.start_and_fail() == 78);
    std::filesystem::rename(killed.server.scratch().path("aside"), killed.segment);
    killed.server.start();
    killed.check_all_orders_are_there();
  }

  TEST_CASE("a segment of another length is refused") {
    Killed killed;
    std::string bytes = read_file(killed.segment);
    for (size_t size : {killed.end / 2, bytes.size() / 2 + 100, size_t{0}}) {
      CAPTURE(size);
      write_file(killed.segment, bytes.substr(0, size));
      CHECK(killed.server.start_and_fail() == 78);
      write_file(killed.segment, bytes);
    }
    killed.server.start();
    killed.check_all_orders_are_there();
  }

  TEST_CASE("a segment of another directory is refused") {
    Killed killed, foreign;
    std::string own = read_file(killed.segment);
    write_file(killed.segment, read_file(foreign.segment));
    CHECK(killed.server.start_and_fail() == 78);
    write_file(killed.segment, own);
    killed.server.start();
    killed.check_all_orders_are_there();
  }

  TEST_CASE("half-made files of a crashed preparation are no obstacle") {
    Killed killed;
    std::string directory = std::filesystem::path(killed.segment).parent_path();
    write_file(directory + "/0000000099.log.tmp", "half made");
    write_file(directory + "/0000000003.tmp", std::string(5'000, 'x'));
    killed.server.start();
    killed.check_all_orders_are_there();
  }

  TEST_CASE("the times of the files do not matter") {
    Killed killed;
    for (const std::string& path : files_below(killed.server.data(), ".log"))
      std::filesystem::last_write_time(path,
                                       std::filesystem::file_time_type::clock::now() -
                                           std::chrono::hours{24 * 365 * (path.size() % 3 + 1)});
    killed.server.start();
    killed.check_all_orders_are_there();
  }

  TEST_CASE("an order log put back from an older copy is noticed") {
    Server server({.catalog = catalog({{.stock = 1'000}}), .shards = 1});
    rush_until_decided(server.address(), crowd(10, "early"));
    REQUIRE(server.terminate() == 0);
    std::string older = server.scratch().path("older");
    std::filesystem::copy(server.data(), older, std::filesystem::copy_options::recursive);
    server.start();
    rush_until_decided(server.address(), crowd(10, "late"));
    REQUIRE(server.wait_drained());
    REQUIRE(server.terminate() == 0);
    // The whole directory but the database, which remembers how far the log once was.
    for (std::string ending : {"", "-wal", "-shm"})
      std::filesystem::remove(older + "/orders.db" + ending);
    std::filesystem::copy_file(server.database_path(), older + "/orders.db");
    std::filesystem::remove_all(server.data());
    std::filesystem::rename(older, server.data());
    CHECK(server.start_and_fail() == 78);
  }
}

}  // namespace
}  // namespace stampede::e2e
