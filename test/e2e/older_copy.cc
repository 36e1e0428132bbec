// An older copy of a data directory is refused with 78 when the database has seen what came after it, also when the number
// of shards has changed since: an order id must never be given twice. And not one byte is written.
#include <doctest/doctest.h>

#include <filesystem>
#include <map>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

namespace fs = std::filesystem;

// Every file below with its bytes. Not the lock, which holds the pid, nor SQLite's index of its log, which is rebuilt.
std::map<std::string, std::string> contents_of(const std::string& directory) {
  std::map<std::string, std::string> contents;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory)) {
    const std::string name = entry.path().filename();
    if (name == "lock" || name.ends_with("-shm")) continue;
    contents[entry.path()] = entry.is_regular_file() ? read_file(entry.path()) : "";
  }
  return contents;
}

// A copy from a time when there was one shard stands in the place of a directory that has had two since.
struct OlderCopy {
  Server server{{.catalog = catalog({{.stock = 100}}), .shards = 1}};

  OlderCopy() {
    server.buy({.user = "before"});
    REQUIRE(server.wait_drained());
    REQUIRE(server.terminate() == 0);
    const std::string copy = server.scratch().path("copy");
    fs::copy(server.data(), copy, fs::copy_options::recursive);
    server.options().shards = 2;
    server.start();
    server.buy({.user = "after"});
    REQUIRE(server.wait_drained());
    REQUIRE(server.terminate() == 0);
    for (const char* ending : {"", "-wal", "-shm"}) {
      fs::remove(copy + "/orders.db" + ending);
      if (fs::exists(server.database_path() + ending))
        fs::copy_file(server.database_path() + ending, copy + "/orders.db" + ending);
    }
    fs::remove_all(server.data());
    fs::rename(copy, server.data());
  }
};

TEST_SUITE("e2e/older_copy") {
  TEST_CASE("a copy from before a change of the number of shards is refused") {
    OlderCopy older;
    for (const int shards : {1, 2, 3}) {
      CAPTURE(shards);
      older.server.options().shards = shards;
      const auto before = contents_of(older.server.data());
      CHECK(older.server.start_and_fail() == 78);
      CHECK(contents_of(older.server.data()) == before);
      CHECK(older.server.complaint().find("generation 2") != std::string::npos);
    }
  }

  TEST_CASE("accepting a loss does not make it the newest copy") {
    OlderCopy older;
    older.server.options().shards = 1;
    older.server.options().flags = {{"--accept-loss", ""}};
    CHECK(older.server.start_and_fail() == 78);
  }

  TEST_CASE("whatever a start refuses it has written nothing") {
    Server server({.catalog = catalog({{.stock = 100}}), .shards = 2});
    for (int i = 0; i < 16; ++i) server.buy({.user = "u" + std::to_string(i)});  // on both shards
    REQUIRE(server.wait_drained());
    server.kill9();
    const auto flags = server.options().flags;
    const auto check_refused = [&](int exit_code) {
      const auto before = contents_of(server.data());
      CHECK(server.start_and_fail() == exit_code);
      CAPTURE(server.complaint());
      CHECK(contents_of(server.data()) == before);
      server.options().flags = flags;
    };
    SUBCASE("another node") {
      server.options().flags.emplace_back("--node", "9");
      check_refused(2);
    }
    SUBCASE("the number of shards cannot change without the database") {
      server.options().shards = 3;
      server.options().flags.emplace_back("--db", "postgres://nobody@127.0.0.1:1/none");
      check_refused(1);
    }
    SUBCASE("a log that ends before the database with torn remains behind another") {
      const std::string torn = server.data() + "/log/g1/s0/0000000001.log";
      const std::string lost = server.data() + "/log/g1/s1/0000000001.log";
      std::string bytes = read_file(torn);
      const size_t end = bytes.find_last_not_of('\0') / 4096 * 4096 + 4096;
      write_file(torn, bytes.replace(end, 700, std::string(700, 'x')));
      bytes = read_file(lost);
      write_file(lost, bytes.replace(0, bytes.size(), bytes.size(), '\0'));
      check_refused(78);
    }
  }

  TEST_CASE("drain refuses it too") {
    OlderCopy older;
    const Finished finished = run_stampede(
        {"drain", "--data", older.server.data(), "--db", "sqlite:" + older.server.database_path()});
    CHECK(finished.exit_code == 78);
  }
}

}  // namespace
}  // namespace stampede::e2e
