// What a server writes down: lines for the operator as text and as JSON, one a request in the access log, and how far a start is.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <sstream>

#include "../servers/await.h"
#include "../servers/free_port.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

bool has_line(const std::string& path, const std::string& words) {
  return wait_until([&] { return read_file(path).find(words) != std::string::npos; });
}

TEST_SUITE("e2e/logs") {
  TEST_CASE("what an operator does leaves a line with his name") {
    Server server({.catalog = catalog({{}})});
    server.admin().post("/admin/items/ticket/restock", R"({"op_id":"r1","delta":5})");
    CHECK(server.says("stampede: local: restock 5 (item ticket)\n"));
    server.admin().put("/admin/limits", R"({"rate_user":"20/1s"})");
    CHECK(server.says("stampede: local: "));
    server.admin().post("/admin/reload", "{}");
    CHECK(server.says("stampede: reload by local: read again: "));
    server.process().signal(SIGHUP);
    CHECK(server.says("stampede: SIGHUP: read again: "));
    CHECK(server.terminate() == 0);
    CHECK(server.says("stampede: stopped\n"));
  }

  TEST_CASE("a reload that failed names the operator who asked for it") {
    Server server({.catalog = catalog({{}})});
    write_file(server.scratch().path("catalog.json"), "{");
    CHECK(server.admin().post("/admin/reload", "{}").status != 200);
    CHECK(server.says("stampede: error: reload by local: "));
    CHECK(server.complaint().find("SIGHUP: ") == std::string::npos);
  }

  TEST_CASE("a rate of new orders that refuses leaves a line and not one for each refusal") {
    Server server({.catalog = catalog({{.stock = 1'000}}), .flags = {{"--order-rate", "1"}}});
    int refused = 0;
    for (int i = 0; i < 20; ++i)
      refused += server.order({.user = "u" + std::to_string(i)}).status == 429;
    CHECK(refused > 0);
    CHECK(server.says("refused for the rate of new orders (--order-rate)\n"));
    const std::string said = server.complaint();
    const size_t first = said.find("refused for the rate of new orders");
    CHECK(said.find("refused for the rate of new orders", first + 1) == said.npos);
  }

  TEST_CASE("a level leaves out what is below it") {
    Server server({.catalog = catalog({{}}), .flags = {{"--log-level", "error"}}});
    server.admin().post("/admin/items/ticket/restock", R"({"op_id":"r1","delta":5})");
    CHECK(server.terminate() == 0);
    CHECK(server.complaint().empty());
  }

  TEST_CASE("as JSON each line is an object also those of a start and of its refusal") {
    Server server({.catalog = catalog({{}})});
    REQUIRE(server.terminate() == 0);
    server.options().flags = {{"--log-format", "json"}};
    const std::string complaints = server.scratch().path("complaints");
    Process process(server.command(), complaints);
    std::set<std::string> messages;
    while (!messages.contains("ready")) {
      const auto line = process.read_line(kPatience);
      REQUIRE(line);
      const Json json = Json::parse(*line);
      CHECK(json["level"].text() == "info");
      CHECK(json["time"].text().ends_with("Z"));
      messages.insert(json["message"].text());
    }
    CHECK(messages.size() > 3);
    const Finished second = run(server.command());
    CHECK(second.exit_code == 73);
    const Json refusal = Json::parse(second.err.substr(0, second.err.find('\n')));
    CHECK(refusal["level"].text() == "error");
    process.signal(SIGTERM);
    CHECK(process.wait(kPatience) == 0);
    std::istringstream lines(read_file(complaints));
    size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count)
      CHECK(Json::parse(line)["level"].text() == "info");
    CHECK(count > 0);
  }

  TEST_CASE("each request has a line in the access log and a moved file is opened again") {
    Scratch scratch;
    const std::string path = scratch.path("access");
    Server server(
        {.catalog = catalog({{.stock = 1}}), .shards = 2, .flags = {{"--access-log", path}}});
    const std::string order = server.buy({.user = "alice"});
    CHECK(has_line(path, " public POST /v1/orders 201 "));
    CHECK(has_line(path, " alice " + order + " "));
    server.order({.user = "bob"});
    CHECK(has_line(path, " public POST /v1/orders 409 "));
    CHECK(has_line(path, " bob - "));
    server.admin().get("/healthz");
    CHECK(has_line(path, " admin GET /healthz 200 "));
    server.http().post("/v1/orders", std::string(5'000, ' '));
    CHECK(has_line(path, " public POST /v1/orders 413 "));
    server.http().request("BREW", "/v1/tea");
    CHECK(has_line(path, " public - /v1/tea 501 "));

    std::filesystem::rename(path, path + ".1");
    server.process().signal(SIGUSR1);
    CHECK(server.says("is opened again"));
    server.read("alice", order);
    CHECK(has_line(path, " public GET /v1/orders/" + order + " 200 "));
    CHECK(server.metric("stampede_access_log_dropped_lines_total") == 0);
    CHECK(server.terminate() == 0);
  }

  TEST_CASE("an access log that cannot be written is named when the server starts") {
    Server server({.catalog = catalog({{}}),
                   .flags = {{"--access-log", "/nowhere/access"}},
                   .starts = false});
    CHECK(server.start_and_fail() == 2);
    CHECK(server.says("--access-log: /nowhere/access: "));
  }

  TEST_CASE("while a server starts its operators hear that it does") {
    Server server({.catalog = catalog({{.stock = 10}})});
    server.buy({.user = "u1"});
    REQUIRE(server.wait_drained());
    REQUIRE(server.terminate() == 0);
    // A database that says nothing: the start waits for its greeting.
    const uint16_t silent = servers::free_port(), admin = servers::free_port();
    const int listener = servers::listen_on(silent);
    REQUIRE(listener >= 0);
    server.options().flags = {
        {"--db", "postgres://nobody@127.0.0.1:" + std::to_string(silent) + "/none"},
        {"--admin", "127.0.0.1:" + std::to_string(admin)}};
    Process starting(server.command(), server.stderr_path());
    int connection = -1;
    REQUIRE(
        servers::await([&] { return (connection = ::accept(listener, nullptr, nullptr)) >= 0; }));
    const Response health = Http(Address{.port = admin}).get("/healthz");
    CHECK(health.status == 200);
    CHECK(health.body.starts_with(R"({"ok":true,"starting":)"));
    const Response readiness = Http(Address{.port = admin}).get("/readyz");
    CHECK(readiness.status == 503);
    CHECK_FALSE(readiness.json()["ready"].truth());
    ::close(connection);
    ::close(listener);
    starting.signal(SIGTERM);
    CHECK(starting.wait(kPatience) == 0);
  }
}

}  // namespace
}  // namespace stampede::e2e
