// What the process gives up: core dumps, system calls that it does not make, and secrets in anything that it prints.

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <filesystem>
#include <sstream>

#include "harness/cluster.h"
#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

const std::string kToken = "a-token-of-alice-1234";

std::string proc(Server& server, const std::string& name) {
  return read_file("/proc/" + std::to_string(server.serving_pid()) + "/" + name);
}

// Of every thread: 2 is a filter.
bool is_sandboxed(Server& server) {
  const std::string tasks = "/proc/" + std::to_string(server.serving_pid()) + "/task";
  size_t threads = 0;
  for (const auto& task : std::filesystem::directory_iterator(tasks)) {
    ++threads;
    if (read_file(task.path().string() + "/status").find("Seccomp:\t2") == std::string::npos)
      return false;
  }
  return threads >= 2;
}

bool has_snapshot(const Server& server) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(server.data()))
    if (entry.path().filename().string().rfind("snapshot-", 0) == 0 &&
        entry.path().extension() != ".tmp")
      return true;
  return false;
}

TEST_SUITE("e2e/hardening") {
  TEST_CASE("a sandboxed server does everything that a sale needs") {
    Server server({.catalog = catalog({{.stock = 100'000, .pay_window_s = 3600}}),
                   .shards = 2,
                   .flags = {{"--sandbox", ""}}});
    CHECK(is_sandboxed(server));
    const std::string paid = server.buy({.user = "a", .key = "k"});
    CHECK(server.pay(paid).json()["state"].text() == "paid");
    CHECK(server.cancel("b", server.buy({.user = "b"})).status == 200);
    CHECK(server.admin().post("/admin/reload", "{}").status == 200);
    server.process().signal(SIGHUP);
    CHECK(
        server.admin().post("/admin/items/ticket/restock", R"({"op_id":"r1","delta":5})").status ==
        200);
    // Segments of 2 MiB: new ones are made, closed ones become snapshots.
    for (int round = 0; round < 40 && !has_snapshot(server); ++round)
      rush_until_decided(server.address(), crowd(1'000, "r" + std::to_string(round) + "-"));
    CHECK(has_snapshot(server));
    CHECK(server.wait_drained());
    server.check_books();
    server.kill9();
    server.start();
    CHECK(is_sandboxed(server));
    CHECK(server.state_of("a", paid) == "paid");
    CHECK(server.order({.user = "a", .key = "k"}).json()["replayed"].truth());
    server.check_books();
    CHECK(server.terminate() == 0);
  }

  TEST_CASE("a sandboxed node finds PostgreSQL and Redis again") {
    Cluster cluster({.catalog = catalog({{.stock = 2'000}}), .flags = {{"--sandbox", ""}}});
    for (size_t i : cluster.all()) CHECK(is_sandboxed(cluster.node(i)));
    std::vector<Outcome> all = cluster.rush(crowd(100, "a"));
    cluster.redis().kill();
    cluster.redis().restart();
    cluster.await_open();
    append(all, cluster.rush(crowd(100, "b")));
    cluster.postgres().restart();
    append(all, cluster.rush(crowd(100, "c")));
    for (size_t i : cluster.all()) CHECK(cluster.node(i).wait_drained());
    cluster.check(all, 2'000);
    for (size_t i : cluster.all()) CHECK(cluster.node(i).terminate() == 0);
  }

  TEST_CASE("a sandboxed server and its keeper end as one") {
    Server server({.catalog = catalog({{}}), .flags = {{"--sandbox", ""}}});
    SUBCASE("the server is killed") {
      ::kill(server.serving_pid(), SIGKILL);
      CHECK(server.process().wait(kPatience) == 128 + SIGKILL);
    }
    SUBCASE("the keeper is killed") {
      server.kill9();
    }
    server.start();
    server.buy({.user = "alice"});
    CHECK(server.terminate() == 0);
    const Server other({.catalog = catalog({{}})});
    server.options().flags.emplace_back("--listen",
                                        "127.0.0.1:" + std::to_string(other.address().port));
    CHECK(server.start_and_fail() == 1);
  }

  TEST_CASE("no core is written unless the operator asks for it") {
    const auto unlimited = [] {
      const rlimit all{RLIM_INFINITY, RLIM_INFINITY};
      setrlimit(RLIMIT_CORE, &all);
    };
    for (const bool asks : {false, true}) {
      Server server({.catalog = catalog({{}}), .prepare = unlimited, .starts = false});
      if (asks) server.options().flags = {{"--core-dumps", ""}};
      server.start();
      std::istringstream limits(proc(server, "limits"));
      std::string line, core;
      while (std::getline(limits, line))
        if (line.rfind("Max core file size", 0) == 0) core = line;
      CHECK((core.find("unlimited") != std::string::npos) == asks);
    }
  }

  TEST_CASE("a tool that holds keys writes no core either") {
    Server server({.catalog = catalog({{.stock = 100'000}})});
    Process load({stampede_path(), "load", "--url", server.url(), "--item", "ticket", "--users",
                  "100000", "--rate", "10", "--auth", "header", "--pay", "0.1", "--key-file",
                  server.scratch().path("keys.json")},
                 server.scratch().path("load"), [] {
                   const rlimit all{RLIM_INFINITY, RLIM_INFINITY};
                   setrlimit(RLIMIT_CORE, &all);
                 });
    REQUIRE(wait_until([&] { return server.metric("stampede_live_orders") > 0; }));
    const std::string limits = read_file("/proc/" + std::to_string(load.pid()) + "/limits");
    const std::string core = limits.substr(limits.find("Max core file size"), 40);
    CHECK(core.find("unlimited") == std::string::npos);
  }

  TEST_CASE("no output of a run shows a secret") {
    Server server({.catalog = catalog({{.stock = 100}}), .shards = 2, .starts = false});
    const std::string tokens = server.scratch().path("tokens");
    write_file(tokens, "alice " + kToken + "\n");
    ::chmod(tokens.c_str(), 0600);
    server.options().flags = {{"--auth", "ticket"}, {"--admin-token-file", tokens}};
    server.start();
    const Headers bearer{{"Authorization", "Bearer " + kToken}};
    std::string seen;
    const auto note = [&](const Response& response) {
      seen += response.body;
      for (const auto& [name, value] : response.headers) seen += name + value + "\n";
    };
    const std::string by_ticket = ticket("u1");
    note(server.order_with({{"Authorization", "Bearer " + by_ticket}}, order_body({})));
    note(server.order_with({{"Authorization", "Bearer " + by_ticket + "x"}}, order_body({})));
    note(server.admin().get("/admin/status", {{"Authorization", "Bearer " + kToken + "x"}}));
    for (const char* path : {"/admin/status", "/admin/limits", "/admin/blocked", "/metrics"})
      note(server.admin().get(path, bearer));
    note(server.admin().put("/admin/limits", R"({"lease_max":7})", bearer));
    note(server.admin().post("/admin/reload", "{}", bearer));
    // Files with a secret on the line that is wrong.
    write_file(tokens, "alice " + kToken + "\nalice " + kToken + "-two\n");
    note(server.admin().post("/admin/reload", "{}", bearer));
    write_file(tokens, "al.ice " + kToken + "\n");
    server.process().signal(SIGHUP);
    CHECK(wait_until(
        [&] { return server.complaint().find("an operator's name") != std::string::npos; }));
    CHECK(server.terminate() == 0);
    seen += server.said();
    for (const auto& arguments : {Arguments{"log", "inspect", "--data", server.data(), "--records"},
                                  Arguments{"audit", "--data", server.data()}}) {
      const Finished finished = run_stampede(arguments);
      seen += finished.out + finished.err;
    }
    std::vector<std::string> secrets{kToken, by_ticket.substr(by_ticket.rfind('.') + 1)};
    const std::string keys = key_file_json();
    for (size_t at = 0; (at = keys.find("\":\"", at)) != std::string::npos; at += 3)
      secrets.push_back(keys.substr(at + 3, keys.find('"', at + 3) - at - 3));
    REQUIRE(secrets.size() >= 4);
    for (const std::string& secret : secrets) CHECK(seen.find(secret) == std::string::npos);
  }
}

}  // namespace
}  // namespace stampede::e2e
