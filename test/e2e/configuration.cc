// Flags from a file: what stands in it counts until the command line says otherwise, and what is wrong is one line that names
// the place.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

struct Wrong {
  std::string text, complaint;  // behind `FILE:`
};

TEST_SUITE("e2e/configuration") {
  TEST_CASE("a start goes by the file, and the command line wins over it") {
    Scratch scratch;
    const std::string file = scratch.path("stampede.conf");
    write_file(
        file,
        "# limits\n\n rate-user = 7/1s \nopen-per-user=3\r\nlease-max = 100\n"
        "allow-origin = https://a.example\nallow-origin = https://b.example\ncore-dumps = no\n");
    Server server({.catalog = catalog({{}}), .flags = {{"--config", file}, {"--lease-max", "50"}}});
    const Json limits = server.admin().get("/admin/limits").json();
    CHECK(limits["rate_user"].text() == "7/1s");
    CHECK(limits["open_per_user"].number() == 3);
    CHECK(limits["lease_max"].number() == 50);
    for (const char* origin : {"https://a.example", "https://b.example"}) {
      const Response time = server.http().get("/v1/time", {{"Origin", origin}});
      CHECK(time.header("Access-Control-Allow-Origin") == origin);
    }
  }

  TEST_CASE("what is wrong is named with its line, and with the nearest name") {
    Scratch scratch;
    const std::string file = scratch.path("wrong.conf");
    const std::vector<Wrong> wrongs{
        {"demo = sale\nshard = 2\n", "2: shard: expected the name of a flag; did you mean shards?"},
        {"nothing-like-it = 2\n", "1: nothing-like-it: expected the name of a flag"},
        {"shards = two\n", "1: shards: expected a whole number from 1 to 64, not 'two'"},
        {"shards = 2\nshards = 2\n", "2: shards: expected once"},
        {"sandbox = maybe\n", "1: sandbox: expected true or false, not 'maybe'"},
        {"demo = maybe\n", "1: demo: expected sale or bench, not 'maybe'"},
        {"durability = never\n", "1: durability: expected fsync or os, not 'never'"},
        {"\n\nshards\n", "3: expected `name = value`"},
        {"config = other.conf\n", "1: config: expected on the command line alone"},
        {"rate-user = 20\n", "1: rate-user: expected N/T"},
        {"# a\nlisten = nowhere\n", "2: listen: "},
    };
    for (const Wrong& wrong : wrongs) {
      CAPTURE(wrong.text);
      write_file(file, wrong.text);
      const Finished finished = run_stampede(
          {"serve", "--demo", "--data", scratch.path("data"), "--config", file}, kPatience);
      CAPTURE(finished.err);
      CHECK(finished.exit_code == 2);
      CHECK(finished.err.find(file + ':' + wrong.complaint) != std::string::npos);
      CHECK(std::count(finished.err.begin(), finished.err.end(), '\n') == 1);
    }
    const Finished missing =
        run_stampede({"serve", "--demo", "--config", scratch.path("none.conf")}, kPatience);
    CHECK(missing.exit_code == 2);
    CHECK(missing.err.find("--config: " + scratch.path("none.conf")) != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(scratch.path("data")));
  }

  TEST_CASE("who mistypes a flag or a subcommand is told the nearest") {
    const auto complaint = [](const Arguments& arguments) {
      const Finished finished = run_stampede(arguments, kPatience);
      CHECK(finished.exit_code == 2);
      return finished.err;
    };
    CHECK(complaint({"serve", "--shard", "2"}).find("did you mean --shards?") != std::string::npos);
    CHECK(complaint({"serve", "--kye-file=k"}).find("did you mean --key-file?") !=
          std::string::npos);
    CHECK(complaint({"serv"}).find("did you mean serve?") != std::string::npos);
    CHECK(complaint({"ledger", "statsu"}).find("did you mean status?") != std::string::npos);
    CHECK(complaint({"serve", "--zzzzzz"}).find("did you mean") == std::string::npos);
  }
}

}  // namespace
}  // namespace stampede::e2e
