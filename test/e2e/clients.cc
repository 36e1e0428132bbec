// Well-known clients work as they come: curl, wrk, ab with keep-alive, h2load speaking HTTP/1.1. On
// a slow machine some of their orders may be told to try again, which they do not do.
#include <doctest/doctest.h>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

bool can_run(const std::string& tool) {
  if (is_installed(tool)) return true;
  MESSAGE(tool << " is not installed: skipped");
  return false;
}

TEST_SUITE("e2e/clients") {
  TEST_CASE("curl buys and reads and cancels") {
    if (!can_run("curl")) return;
    Server server({.catalog = catalog({{}})});
    Arguments curl{"curl", "-sS", "--retry",       "5",  "--max-time",
                   "20",   "-H",  "X-User-Id: u1", "-H", "Content-Type: application/json"};
    auto with = [&](Arguments more) {
      more.insert(more.begin(), curl.begin(), curl.end());
      return run(more);
    };
    Finished bought = with({"-d", order_body({}), server.url() + "/v1/orders"});
    CAPTURE(bought.err);
    REQUIRE(bought.exit_code == 0);
    std::string id = Json::parse(bought.out)["order_id"].text();
    CHECK(Json::parse(with({server.url() + "/v1/orders/" + id}).out)["state"].text() == "reserved");
    CHECK(with({"-I", server.url() + "/v1/items"}).out.rfind("HTTP/1.1 200", 0) == 0);
    CHECK(Json::parse(with({"-d", "", server.url() + "/v1/orders/" + id + "/cancel"}).out)["state"]
              .text() == "cancelled");
    // A body over 1 MB makes curl ask first (Expect: 100-continue); it must hear the refusal, not a
    // reset.
    write_file(server.scratch().path("large"), std::string(2'000'000, ' '));
    Finished large = with({"-o", "/dev/null", "-w", "%{http_code}", "--data-binary",
                           "@" + server.scratch().path("large"), server.url() + "/v1/orders"});
    CHECK(large.out == "413\n");
  }

  TEST_CASE("the line that the server prints buys one") {
    if (!can_run("curl")) return;
    Server server({.catalog = catalog({{}}), .without = {"--key-file"}});
    std::string said = server.said();
    size_t at = said.find("curl ");
    REQUIRE(at != std::string::npos);
    Finished finished;
    CHECK(wait_until([&] {
      finished = run({"sh", "-c", said.substr(at, said.find('\n', at) - at)});
      return finished.out.find("try_again") == std::string::npos;
    }));
    CAPTURE(finished.out);
    CHECK(finished.exit_code == 0);
    CHECK(Json::parse(finished.out)["state"].text() == "reserved");
    CHECK(server.books().reserved == 1);
  }

  TEST_CASE("wrk runs without errors and its orders are counted") {
    if (!can_run("wrk")) return;
    Server server({.catalog = catalog({{.stock = 100'000'000}}), .shards = 2});
    write_file(
        server.scratch().path("order.lua"),
        "local n = 0\n"
        "local body = '{\"item\":\"ticket\",\"qty\":1}'\n"
        "request = function()\n"
        "  n = n + 1\n"
        "  return wrk.format('POST', '/v1/orders', {['X-User-Id'] = 'u' .. n, ['Content-Type'] = "
        "'application/json'}, body)\n"
        "end\n");
    Finished finished =
        run({"wrk", "-t1", "-c32", "-d1s", "-s", server.scratch().path("order.lua"), server.url()});
    CAPTURE(finished.out);
    CHECK(finished.exit_code == 0);
    CHECK(finished.out.find("Requests/sec") != std::string::npos);
    CHECK(finished.out.find("Socket errors") == std::string::npos);
    CHECK(server.books().reserved > 0);
    server.check_books();
  }

  TEST_CASE("ab with keep-alive runs without failures") {
    if (!can_run("ab")) return;
    Server server({.catalog = catalog({{.stock = 100'000}}), .shards = 2});
    write_file(server.scratch().path("body"), order_body({}));
    Finished finished =
        run({"ab", "-q", "-k", "-l", "-n", "2000", "-c", "16", "-p", server.scratch().path("body"),
             "-T", "application/json", "-H", "X-User-Id: u1", server.url() + "/v1/orders"});
    CAPTURE(finished.out);
    CAPTURE(finished.err);
    CHECK(finished.exit_code == 0);
    CHECK(finished.out.find("Complete requests:      2000") != std::string::npos);
    CHECK(finished.out.find("Failed requests:        0") != std::string::npos);
    CHECK(finished.out.find("Keep-Alive requests:    2000") != std::string::npos);
    CHECK(server.books().reserved > 1'000);
  }

  TEST_CASE("h2load with HTTP/1.1 runs without failures") {
    if (!can_run("h2load")) return;
    Server server({.catalog = catalog({{.stock = 100'000}}), .shards = 2});
    write_file(server.scratch().path("body"), order_body({}));
    Finished finished =
        run({"h2load", "--h1", "-n", "2000", "-c", "16", "-d", server.scratch().path("body"), "-H",
             "Content-Type: application/json", "-H", "X-User-Id: u1", server.url() + "/v1/orders"});
    CAPTURE(finished.out);
    CHECK(finished.exit_code == 0);
    CHECK(finished.out.find("2000 done") != std::string::npos);
    CHECK(finished.out.find("0 errored, 0 timeout") != std::string::npos);
    CHECK(server.books().reserved > 1'000);
  }
}

}  // namespace
}  // namespace stampede::e2e
