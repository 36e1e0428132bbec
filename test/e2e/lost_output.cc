// What a command prints is what it was asked for: when that is lost, on a full disk, it has failed, and says so. A server's lines are for
// whoever looks on.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

Finished run_into_full_disk(const std::string& arguments) {
  return run({"sh", "-c", "exec " + stampede_path() + " " + arguments + " >/dev/full"});
}

TEST_SUITE("e2e/lost_output") {
  TEST_CASE("a command whose output could not be written has failed") {
    Server server({.catalog = catalog({{}})});
    server.buy({.user = "u"});
    REQUIRE(server.wait_drained());
    REQUIRE(server.terminate() == 0);
    const std::string data = " --data " + server.data(), key = server.scratch().path("keys");
    write_file(key, key_file_json());
    for (const std::string& arguments :
         {std::string("version"), std::string("--version"), std::string("help"),
          std::string("serve --help"), std::string("man log"), std::string("completion bash"),
          std::string("sign keys"), "sign ticket --user u --ttl 60 --key-file " + key,
          "log inspect" + data, "log inspect --records" + data, "log verify" + data, "audit" + data,
          "drain" + data, "serve --demo --check" + data + "-new"}) {
      CAPTURE(arguments);
      const Finished finished = run_into_full_disk(arguments);
      CAPTURE(finished.err);
      CHECK(finished.exit_code == 1);
      CHECK(finished.err.find("its output could not be written") != std::string::npos);
      CHECK(std::count(finished.err.begin(), finished.err.end(), '\n') == 1);
    }
  }

  TEST_CASE("a server whose lines nobody takes stops as well as any other") {
    const Scratch scratch;
    const std::string admin = scratch.path("admin");
    Process server({"sh", "-c",
                    "exec " + stampede_path() + " serve --demo --data " + scratch.path("data") +
                        " --durability os --segment-bytes 2097152 --listen unix:" +
                        scratch.path("public") + " --admin unix:" + admin + " >/dev/full"},
                   scratch.path("stderr"));
    REQUIRE(wait_until([&] {
      return run({"curl", "-sf", "--unix-socket", admin, "http://localhost/readyz"}).exit_code == 0;
    }));
    server.signal(SIGTERM);
    CHECK(server.wait(kPatience) == 0);
  }
}

}  // namespace
}  // namespace stampede::e2e
