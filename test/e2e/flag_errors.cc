// A wrong flag is one line on standard error that names it, and exit code 2; nothing has been
// touched.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

void check_refused(const Arguments& arguments, const std::string& names) {
  std::string line;
  for (const std::string& argument : arguments) line += argument + " ";
  CAPTURE(line);
  Finished finished = run_stampede(arguments, kPatience);
  CAPTURE(finished.err);
  CHECK(finished.exit_code == 2);
  CHECK(finished.err.find(names) != std::string::npos);
  CHECK(std::count(finished.err.begin(), finished.err.end(), '\n') == 1);
  CHECK(finished.out.empty());
}

TEST_SUITE("e2e/flag_errors") {
  TEST_CASE("a wrong flag of serve is named") {
    Scratch scratch;
    std::string data = scratch.path("data");
    const std::vector<std::vector<std::string>> wrong{
        {"--no-such-flag"},
        {"--shards", "0"},
        {"--shards", "65"},
        {"--shards", "two"},
        {"--shards", "-1"},
        {"--shards", "1.5"},
        {"--node", "1024"},
        {"--node", "-1"},
        {"--listen", "nowhere"},
        {"--listen", "127.0.0.1:65536"},
        {"--listen", "1.2.3:80"},
        {"--admin", "127.0.0.1"},
        {"--durability", "maybe"},
        {"--auth", "trust"},
        {"--retain", "-1"},
        {"--lease-max", "x"},
        {"--ledger", "oracle://x"},
        {"--db", "oracle://x"},
        {"--cpus", "a-b"},
        {"--cpus", "4294967296"},
        {"--cpus", "0,"},
        {"--cpus", ",0"},
        {"--cpus", "0-"},
        {"--cpus", " 0"},
        {"--cpus", "0-0-0"},
        {"--cpus", "1-0"},
        {"--cpus", "1023"},
        {"--segment-bytes", "1"},
        {"--orders-max", "x"},
        {"--drain-lag-max", "x"},
        {"--rate-address", "100"},
        {"--rate-address", "100/1d"},
        {"--connections-address", "-1"},
        {"--address-header", "X-Real-IP"},
        {"--address-header", "Host", "--trust-gateway"},
        {"--address-header", "x-user-id", "--trust-gateway"},
        {"--address-header", "X Real", "--trust-gateway"},
        {"--address-header", "X-Real-IP", "--trust-gateway", "--connections-address", "9"},
        {"--rate-user", "20"},
        {"--rate-user", "20/1d"},
        {"--rate-user", "-1/1s"},
        {"--open-per-user", "-1"},
        {"--open-per-user", "1001"},
        {"--order-rate", "fast"},
        {"--order-rate", "-1"},
        {"--order-rate", "1000000001"},
    };
    for (auto flags : wrong) {
      std::string name = flags[0];
      flags.insert(flags.begin(), {"serve", "--demo", "--data", data});
      check_refused(flags, name);
    }
    CHECK(!std::filesystem::exists(data));
  }

  TEST_CASE("a flag without its value and a file that is not there are named") {
    Scratch scratch;
    check_refused({"serve", "--data"}, "--data");
    check_refused({"serve", "--data", scratch.path("data")}, "--catalog");
    check_refused({"serve", "--data", scratch.path("data"), "--catalog", scratch.path("none.json")},
                  "none.json");
    check_refused({"serve", "--demo", "--data", scratch.path("data"), "--key-file",
                   scratch.path("none.keys")},
                  "none.keys");
    check_refused(
        {"serve", "--demo", "--catalog", scratch.path("c.json"), "--data", scratch.path("data")},
        "--demo");
  }

  TEST_CASE("what a start would refuse is refused by its check") {
    const Scratch scratch;
    const Arguments check{"serve", "--demo", "--check", "--data", scratch.path("data"), "--listen"};
    const auto check_pair = [&](const std::string& listen, const std::string& admin) {
      Arguments arguments = check;
      arguments.insert(arguments.end(), {listen, "--admin", admin, "--trust-gateway"});
      check_refused(arguments, "--admin " + admin + ": is taken by --listen " + listen);
    };
    check_pair("127.0.0.1:8080", "127.0.0.1:8080");
    check_pair("0.0.0.0:8080", "127.0.0.1:8080");
    check_pair("unix:" + scratch.path("socket"), "unix:" + scratch.path("socket"));
  }

  TEST_CASE("a wrong flag of the ledger's commands is named before anybody is asked") {
    const Scratch scratch;
    const std::string catalog_path = scratch.path("catalog.json"), none = scratch.path("none");
    write_file(catalog_path, catalog({{}}));
    const auto check_wrong = [](const std::string& command, const Arguments& more,
                                const std::string& names) {
      Arguments arguments{"ledger", command, "--ledger", "redis://127.0.0.1:1"};
      arguments.insert(arguments.end(), more.begin(), more.end());
      check_refused(arguments, names);
    };
    check_wrong("rebuild", {"--wait", "9300000000"}, "--wait: expected");
    check_wrong("rebuild", {"--wait", "-1"}, "--wait: expected");
    const Arguments node{"--db", "postgres://127.0.0.1:1/x", "--node", "3", "--pay-window"};
    for (const char* wrong : {"-5", "0", "9300000000"}) {
      Arguments arguments = node;
      arguments.emplace_back(wrong);
      check_wrong("reclaim", arguments, "--pay-window: expected");
    }
    check_wrong("preheat",
                {"--db", "postgres://127.0.0.1:1/x", "--catalog", catalog_path, "--key-file", none},
                "--key-file: " + none);
  }

  TEST_CASE("an empty value switches no check and no secret off") {
    const Scratch scratch;
    const std::string data = scratch.path("data"), config = scratch.path("stampede.conf");
    check_refused({"restore", "--from", data, "--data", data, "--db", ""}, "--db: expected");
    check_refused({"audit", "--data", data, "--ledger", ""}, "--ledger: expected");
    check_refused({"audit", "--data", ""}, "--data: expected");
    check_refused({"ledger", "reclaim", "--ledger", "redis://127.0.0.1:1", "--db", "postgres://x",
                   "--node", "3", "--data", ""},
                  "--data: expected");
    for (const std::string key : {"key-file", "admin-token-file", "blocked", "db", "access-log"}) {
      write_file(config, key + " =\n");
      check_refused({"serve", "--demo", "--check", "--data", data, "--config", config},
                    ":1: " + key + ": expected");
    }
    check_refused({"serve", "--demo", "--check", "--data", data, "--access-log=", "--sandbox"},
                  "--access-log: expected");
  }

  TEST_CASE("a value may follow an equals sign") {
    Server server(
        {.catalog = catalog({{}}), .flags = {{"--shards=2", ""}}, .without = {"--shards"}});
    CHECK(server.status()["shards"].size() == 2);
  }

  TEST_CASE("a key file that others may read or that is malformed is refused") {
    Scratch scratch;
    std::string keys = scratch.path("keys.json");
    Arguments serve{"serve",       "--demo",  "--data",      scratch.path("data"), "--listen",
                    "127.0.0.1:0", "--admin", "127.0.0.1:0", "--key-file",         keys};
    for (unsigned mode : {0644u, 0604u}) {
      write_file(keys, key_file_json(), mode);
      check_refused(serve, keys);
    }
    for (std::string text : {"", "{", "[]", R"({"tickets":{"k1":"00"}})",
                             R"({"tickets":{"k1":"zz"}})", R"({"tickets":5})"}) {
      write_file(keys, text);
      check_refused(serve, keys);
    }
  }

  TEST_CASE("users from a header are refused beyond loopback unless the gateway is trusted") {
    Scratch scratch;
    Arguments serve{"serve",    "--demo",    "--data", scratch.path("data"),
                    "--listen", "0.0.0.0:0", "--auth", "header"};
    check_refused(serve, "--trust-gateway");
    serve.resize(serve.size() - 2);
    check_refused(serve, "--auth");
    Server server(
        {.catalog = catalog({{}}), .flags = {{"--listen", "0.0.0.0:0"}, {"--trust-gateway", ""}}});
    server.buy({.user = "u1"});
  }

  TEST_CASE("operators beyond loopback need a token file") {
    Scratch scratch;
    check_refused({"serve", "--demo", "--data", scratch.path("data"), "--listen", "127.0.0.1:0",
                   "--admin", "0.0.0.0:0"},
                  "--admin-token-file");
  }

  TEST_CASE("a token file that others may read is refused") {
    Scratch scratch;
    const std::string token = scratch.path("token");
    for (unsigned mode : {0644u, 0604u, 0602u}) {
      write_file(token, "s3cret-token-of-the-operators", mode);
      check_refused({"serve", "--demo", "--data", scratch.path("data"), "--listen", "127.0.0.1:0",
                     "--admin", "127.0.0.1:0", "--admin-token-file", token},
                    "--admin-token-file");
    }
  }

  TEST_CASE("a name of the operators' listener is a host's name") {
    Scratch scratch;
    for (const char* name : {"", "http://a", "a b", "a/b", ":80", "a,b"})
      check_refused({"serve", "--demo", "--data", scratch.path("data"), "--listen", "127.0.0.1:0",
                     "--admin", "127.0.0.1:0", "--admin-host", name},
                    "--admin-host");
  }

  TEST_CASE("a port that is taken is a failure that names it") {
    Server server({.catalog = catalog({{}})});
    Scratch scratch;
    std::string taken = "127.0.0.1:" + std::to_string(server.address().port);
    Finished finished =
        run_stampede({"serve", "--demo", "--data", scratch.path("data"), "--listen", taken,
                      "--admin", "127.0.0.1:0", "--segment-bytes", "2097152"},
                     kPatience);
    CHECK(finished.exit_code == 1);
    CHECK(finished.err.find(taken) != std::string::npos);
  }

  TEST_CASE("every subcommand lists its flags and unknown ones are refused") {
    for (std::string name : {"serve", "load", "drain", "audit", "sign"}) {
      CAPTURE(name);
      Finished help = run_stampede({name, "--help"});
      CHECK(help.exit_code == 0);
      CHECK(help.out.find("--") != std::string::npos);
    }
    std::string serve_help = run_stampede({"serve", "--help"}).out;
    for (std::string flag :
         {"--catalog", "--demo", "--data", "--listen", "--admin", "--shards", "--cpus", "--ledger",
          "--node", "--db", "--durability", "--auth", "--key-file", "--retain", "--lease-max"})
      CHECK_MESSAGE(serve_help.find(flag) != std::string::npos, flag);
    check_refused({"fly"}, "fly");
    CHECK(run_stampede({"--help"}).exit_code == 0);
    CHECK(run_stampede({}).exit_code == 2);
    CHECK(run_stampede({"version"}).exit_code == 0);
  }
}

}  // namespace
}  // namespace stampede::e2e
