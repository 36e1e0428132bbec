// An older copy of a data directory is refused with 78 when the database has seen what came after it, also when the number
// of shards has changed since: an order id must never be given twice. And not one byte is written.
#include <doctest/doctest.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>

#include "../servers/postgres_server.h"
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

// The first file that is not as it was.
std::string changed(const std::map<std::string, std::string>& before,
                    const std::map<std::string, std::string>& after) {
  for (const auto& [path, bytes] : after)
    if (const auto was = before.find(path); was == before.end() || was->second != bytes)
      return path + (was == before.end() ? " is new" : " has changed");
  for (const auto& [path, bytes] : before)
    if (!after.contains(path)) return path + " is gone";
  return "";
}

// A port of this machine that somebody else listens on.
class TakenPort {
 public:
  std::string address() const { return "127.0.0.1:" + std::to_string(server_.address().port); }

 private:
  Server server_{{.catalog = catalog({{}})}};
};

// A start that must be refused, whatever the number of shards.
struct Refusal {
  std::string name;
  int exit_code;
  std::vector<std::pair<std::string, std::string>> flags;
  std::string catalog;
};

std::vector<Refusal> refusals_by(const Server& server, const TakenPort& taken) {
  const auto with_member = [](const std::string& member) {
    std::string text = catalog({{.stock = 100}});
    return text.replace(text.find("\"code\""), 0, member + ",");
  };
  const std::string links = server.scratch().path("no-links.json");
  return {
      {"another node", 2, {{"--node", "9"}}, ""},
      {"a list that is missing", 2, {}, with_member(R"("enrolled":"nobody.txt")")},
      {"a key that is missing", 2, {{"--key-file", links}}, with_member(R"("hidden_link":true)")},
      {"a product without a key for its code",
       2,
       {},
       R"({"items":[{"product":"p","title":"t",)"
       R"("price":1,"currency":"CNY","stock":1}]})"},
      {"a socket in a folder that is not there", 1, {{"--listen", "unix:/nowhere/x"}}, ""},
      {"the operators' socket in such a folder", 1, {{"--admin", "unix:/nowhere/x"}}, ""},
      {"a port that is taken", 1, {{"--listen", taken.address()}}, ""},
      {"the operators' port is taken", 1, {{"--admin", taken.address()}}, ""},
      {"an address of another machine",
       1,
       {{"--listen", "192.0.2.1:0"}, {"--trust-gateway", ""}},
       ""},
      {"an access log in a folder that is not there", 2, {{"--access-log", "/nowhere/a"}}, ""},
      {"an access log that is a directory", 2, {{"--access-log", "/tmp"}}, ""},
      {"a socket of its own and an access log that cannot be opened",
       2,
       {{"--listen", "unix:" + server.data() + "/s"}, {"--access-log", "/nowhere/a"}},
       ""},
  };
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
      CHECK(older.server.says("generation 2"));
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
    SUBCASE("killed") {
      server.kill9();
    }
    SUBCASE("stopped") {
      REQUIRE(server.terminate() == 0);
    }
    server.options().without = {"--key-file"};
    write_file(server.scratch().path("no-links.json"),
               "{\"payments\":{\"k1\":\"" + std::string(64, '3') + "\"}}\n");
    const TakenPort taken;
    const ServerOptions sound = server.options();
    for (const Refusal& refusal : refusals_by(server, taken)) {
      CAPTURE(refusal.name);
      server.options() = sound;
      for (const auto& flag : refusal.flags) server.options().flags.push_back(flag);
      if (!refusal.catalog.empty()) server.options().catalog = refusal.catalog;
      for (const int shards : {2, 1, 3}) {  // the same, and dealt out anew
        CAPTURE(shards);
        server.options().shards = shards;
        const auto before = contents_of(server.data());
        const int exit_code = server.start_and_fail();
        CAPTURE(server.complaint());
        CHECK(exit_code == refusal.exit_code);
        CHECK(changed(before, contents_of(server.data())) == "");
      }
    }
    server.options() = sound;
    server.options().shards = 3;  // which must not be without the database
    server.options().flags.emplace_back("--db", "postgres://nobody@127.0.0.1:1/none");
    const auto before = contents_of(server.data());
    CHECK(server.start_and_fail() == 1);
    CHECK(changed(before, contents_of(server.data())) == "");
    server.options() = sound;
    server.start();
    server.check_books();
  }

  TEST_CASE("a fresh directory whose start was refused is nobody's yet") {
    Server server({.catalog = catalog({{}}), .starts = false});
    const TakenPort taken;
    const auto refused_as_node_7 = [&](const char* flag, const std::string& value, int exit_code) {
      server.options().flags = {{"--node", "7"}, {flag, value}};
      CHECK(server.start_and_fail() == exit_code);
      CAPTURE(server.complaint());
      CHECK(contents_of(server.data()).empty());
    };
    refused_as_node_7("--listen", taken.address(), 1);
    refused_as_node_7("--admin", taken.address(), 1);
    refused_as_node_7("--access-log", "/nowhere/a", 2);
    server.options().flags = {{"--node", "8"}};
    server.start();
    server.buy({.user = "u1"});
  }

  TEST_CASE("a log that cannot be judged alone is refused with nothing written") {
    Server server({.catalog = catalog({{.stock = 100}}), .shards = 2});
    for (int i = 0; i < 16; ++i) server.buy({.user = "u" + std::to_string(i)});  // on both shards
    REQUIRE(server.wait_drained());
    server.kill9();
    // One ends before what the database has seen, and torn remains lie behind the other.
    const std::string torn = server.data() + "/log/g1/s0/0000000001.log";
    const std::string lost = server.data() + "/log/g1/s1/0000000001.log";
    std::string bytes = read_file(torn);
    const size_t end = bytes.find_last_not_of('\0') / 4096 * 4096 + 4096;
    write_file(torn, bytes.replace(end, 700, std::string(700, 'x')));
    bytes = read_file(lost);
    write_file(lost, bytes.replace(0, bytes.size(), bytes.size(), '\0'));
    const auto before = contents_of(server.data());
    CHECK(server.start_and_fail() == 78);
    CHECK(contents_of(server.data()) == before);
  }

  TEST_CASE("one that started while the database was away ends when the database answers") {
    Server server({.catalog = catalog({{.stock = 100}}), .starts = false});
    std::function<void()> take_away, bring_back;
    std::unique_ptr<servers::PostgresServer> postgres;
    const std::string folder = server.scratch().path("database");
    SUBCASE("SQLite") {
      fs::create_directory(folder);
      server.options().flags = {{"--db", "sqlite:" + folder + "/orders.db"}};
      take_away = [&] { fs::rename(folder, folder + ".away"); };
      bring_back = [&] { fs::rename(folder + ".away", folder); };
    }
    SUBCASE("PostgreSQL") {
      postgres = std::make_unique<servers::PostgresServer>();
      server.options().flags = {{"--db", postgres->url(postgres->create_database())}};
      take_away = [&] { postgres->kill(); };
      bring_back = [&] { postgres->restart(); };
    }
    server.start();
    server.buy({.user = "before"});
    REQUIRE(server.wait_drained());
    REQUIRE(server.terminate() == 0);
    const std::string copy = server.scratch().path("copy");
    fs::copy(server.data(), copy, fs::copy_options::recursive);
    server.start();
    for (int i = 0; i < 3; ++i) server.buy({.user = "after" + std::to_string(i)});
    REQUIRE(server.wait_drained());
    REQUIRE(server.terminate() == 0);
    const auto put_back = [&] {
      fs::remove_all(server.data());
      fs::copy(copy, server.data(), fs::copy_options::recursive);
    };
    put_back();
    REQUIRE(server.start_and_fail() == 78);
    // As many orders as the database has seen of others, fewer, and more.
    for (const int sold : {0, 1, 3, 5}) {
      CAPTURE(sold);
      put_back();
      take_away();
      server.start();
      for (int i = 0; i < sold; ++i) server.buy({.user = "again" + std::to_string(i)});
      CHECK(server.admin().get("/readyz").status == 200);
      bring_back();
      // Where exactly as many records were written again, the next one shows that they are others.
      const auto ended = [&]() -> std::optional<int> {
        const std::optional<int> code = server.process().wait(milliseconds{100});
        if (!code && sold == 3) server.order({.user = "next"});
        return code;
      };
      std::optional<int> code;
      CHECK(wait_until([&] { return (code = ended()).has_value(); }));
      CHECK(code == 78);
      CAPTURE(server.complaint());
      if (sold < 3) CHECK(server.says("missing from the log"));
      CHECK(server.says("the database ends at record"));
      CHECK(server.start_and_fail() == 78);
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
