// The operators' listener: health, metrics, status, and changes of items while they are sold.

#include <doctest/doctest.h>

#include <filesystem>
#include <sstream>
#include <tuple>

#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

TEST_SUITE("e2e/operators") {
  TEST_CASE("a ready server is healthy and ready") {
    Server server({.catalog = catalog({{}})});
    CHECK(server.admin().get("/healthz").status == 200);
    CHECK(server.admin().get("/readyz").status == 200);
  }

  TEST_CASE("operators' paths are not on the public listener and users' paths are not here") {
    Server server({.catalog = catalog({{}})});
    for (std::string path : {"/healthz", "/readyz", "/metrics", "/admin/status", "/admin/audit"})
      CHECK(server.http().get(path).status == 404);
    CHECK(server.http().post("/admin/items/ticket/end").status == 404);
    CHECK(server.admin().get("/nowhere").status == 404);
    CHECK(server.admin().request("DELETE", "/admin/audit").status == 405);
    server.buy({.user = "u1"});
  }

  TEST_CASE("status holds the watermarks of every shard") {
    for (int shards : {1, 2, 5}) {
      Server server({.catalog = catalog({{.stock = 1'000}}), .shards = shards});
      rush_until_decided(server.address(), crowd(300));
      Json status = server.status();
      CHECK(status["ready"].truth());
      CHECK(status["node"].number() == 0);
      CHECK(status["ledger"].is_object());
      CHECK(status["items"].size() == 1);
      REQUIRE(status["shards"].size() == static_cast<size_t>(shards));
      for (int i = 0; i < shards; ++i) {
        const Json& shard = status["shards"].at(i);
        CHECK(shard["shard"].number() == i);
        CHECK(shard["appended"].number() >= shard["durable"].number());
        CHECK(shard["durable"].number() >= shard["acked"].number());
        CHECK(shard["durable"].number() >= shard["drained"].number());
      }
      CHECK(server.wait_drained());
      CHECK(server.status()["drainer"]["lag_ms"].number() >= 0);
    }
  }

  TEST_CASE("metrics are Prometheus text with the project's names") {
    Server server({.catalog = catalog({{.stock = 1}}), .shards = 2});
    server.buy({.user = "u1"});
    server.order({.user = "u2"});
    Response response = server.admin().get("/metrics");
    REQUIRE(response.status == 200);
    CHECK(response.header("Content-Type").rfind("text/plain", 0) == 0);
    std::istringstream lines(response.body);
    size_t samples = 0;
    for (std::string line; std::getline(lines, line);) {
      CAPTURE(line);
      if (line.empty() || line.rfind("# HELP ", 0) == 0 || line.rfind("# TYPE ", 0) == 0) continue;
      CHECK((line.starts_with("stampede_") || line.starts_with("process_")));
      size_t space = line.rfind(' ');
      REQUIRE(space != std::string::npos);
      char* end = nullptr;
      std::strtod(line.c_str() + space + 1, &end);
      CHECK(*end == '\0');
      ++samples;
    }
    CHECK(samples > 20);
    CHECK(response.body.find("sold_out") != std::string::npos);
    CHECK(response.body.back() == '\n');
  }

  TEST_CASE("an item can be added while others are sold") {
    for (int shards : {1, 5}) {
      Server server({.catalog = catalog({{}}), .shards = shards});
      CHECK(server.order({.user = "u1", .item = "new"}).code() == "unknown_item");
      ItemSpec spec{.code = "new", .stock = 3, .price = 77};
      CHECK(server.admin().put("/admin/items/new", item_json(spec)).status < 300);
      Response response;
      CHECK(wait_until(
          [&] { return (response = server.order({.user = "u1", .item = "new"})).status == 201; }));
      CHECK(response.json()["amount"].number() == 77);
      CHECK(server.books("new").total == 3);
      server.kill9();
      server.start();
      CHECK(server.books("new").total == 3);
      CHECK(server.books("new").reserved == 1);
      server.check_books("new");
    }
  }

  TEST_CASE("a new price is for new orders and the stock of a known item does not change") {
    Server server({.catalog = catalog({{.stock = 10, .price = 100}}), .shards = 2});
    std::string old_order = server.buy({.user = "u1"});
    CHECK(
        server.admin().put("/admin/items/ticket", item_json({.stock = 10, .price = 250})).status ==
        200);
    CHECK(
        wait_until([&] { return server.order({.user = "u2"}).json()["amount"].number() == 250; }));
    CHECK(server.read("u1", old_order).json()["amount"].number() == 100);
    CHECK(server.pay(old_order, {.amount = 100}).json()["state"].text() == "paid");
    server.admin().put("/admin/items/ticket", item_json({.stock = 9'999, .price = 250}));
    CHECK(server.books().total == 10);
  }

  TEST_CASE("a wrong item is refused and the sale goes on as before") {
    Server server({.catalog = catalog({{}})});
    for (std::string body :
         {std::string("{"), std::string("{}"), std::string("{\"code\":\"other\",\"stock\":1}"),
          std::string("{\"code\":\"ticket\",\"stock\":10,\"price\":-1}"),
          std::string("{\"code\":\"ticket\",\"stock\":-1}")}) {
      CAPTURE(body);
      Response response = server.admin().put("/admin/items/ticket", body);
      CHECK(response.status == 400);
      CHECK(response.code() == "bad_request");
    }
    CHECK(server.books().total == 10);
    CHECK(server.order({.user = "u1"}).json()["amount"].number() == 55350);
  }

  TEST_CASE("an unknown item cannot be paused or ended or restocked") {
    Server server({.catalog = catalog({{}})});
    for (std::string action : {"pause", "resume", "end"}) {
      Response response = server.admin().post(std::string("/admin/items/nothing/") + action);
      CHECK(response.status == 404);
      CHECK(response.code() == "unknown_item");
    }
    CHECK(
        server.admin().post("/admin/items/nothing/restock", R"({"op_id":"r1","delta":1})").status ==
        404);
  }

  TEST_CASE("the listener may be a Unix socket") {
    Scratch scratch;
    std::string path = scratch.path("admin.sock");
    Server server({.catalog = catalog({{}}), .flags = {{"--admin", "unix:" + path}}});
    Http http({.unix_path = path});
    CHECK(http.get("/healthz").status == 200);
    CHECK(http.get("/admin/audit").json()["ok"].truth());
    server.kill9();
    server.start();  // the socket that the dead server left is no obstacle
    CHECK(Http({.unix_path = path}).get("/healthz").status == 200);
  }

  TEST_CASE("with a token file only its bearer may operate") {
    Scratch scratch;
    write_file(scratch.path("token"), "s3cret-token-of-the-operators\n");
    Server server(
        {.catalog = catalog({{}}),
         .flags = {{"--admin", "0.0.0.0:0"}, {"--admin-token-file", scratch.path("token")}}});
    CHECK(server.admin().post("/admin/items/ticket/end").status == 401);
    CHECK(server.admin().get("/admin/audit").status == 401);
    Headers wrong{{"Authorization", "Bearer s3cret-token-of-the-operatorz"}};
    CHECK(server.admin().get("/admin/audit", wrong).status == 401);
    Headers right{{"Authorization", "Bearer s3cret-token-of-the-operators"}};
    CHECK(server.admin().get("/admin/audit", right).status == 200);
    right[0].second = "bearer   s3cret-token-of-the-operators";
    CHECK(server.admin().get("/admin/audit", right).status == 200);
    CHECK(server.order({.user = "u1"}).status == 201);
  }

  TEST_CASE("a web page that an operator looks at can change nothing and read nothing") {
    Server server({.catalog = catalog({{}})});
    // As a browser sends it. The client's own Host is "localhost".
    const auto ask = [&](const std::string& line, const std::string& host, const Headers& headers,
                         const std::string& body) {
      std::string request = request_text(line.substr(0, line.find(' ')),
                                         line.substr(line.find(' ') + 1), headers, body);
      request.replace(request.find("Host: localhost"), 15, "Host: " + host);
      Http http(server.admin_address());
      REQUIRE(http.connect());
      REQUIRE(http.send(request));
      return http.receive();
    };
    const std::string own = "127.0.0.1:" + std::to_string(server.admin_address().port);
    const std::string end = "POST /admin/items/ticket/end";
    const Headers page{{"Origin", "http://evil.example"}}, form{{"Content-Type", "text/plain"}};
    for (const auto& [line, host, headers, body] :
         std::vector<std::tuple<std::string, std::string, Headers, std::string>>{
             {end, "evil.example", {}, ""},
             {end, "evil.example:" + own.substr(10), {}, "{}"},
             {"GET /admin/audit", "evil.example", {}, ""},
             {"GET /metrics", "evil.example", {}, ""},
             {end, own, page, ""},
             {end, own, {{"Origin", "null"}}, ""},
             {"GET /admin/status", own, page, ""},
             {end, own, form, ""},
             {end, own, form, "{}"},
             {"PUT /admin/limits",
              own,
              {{"Content-Type", "application/x-www-form-urlencoded"}},
              "{\"lease_max\":1}"}}) {
      CAPTURE(line);
      CAPTURE(host);
      const Response response = ask(line, host, headers, body);
      CHECK(response.status == 403);
      CHECK(response.code() == "forbidden");
    }
    CHECK(server.order({.user = "u1"}).status == 201);
    CHECK(ask("GET /admin/audit", own, {}, "").status == 200);
    CHECK(ask("GET /healthz", "", {}, "").status == 200);
    CHECK(ask(end, own, {{"Origin", "http://" + own}}, "").status == 200);
    CHECK(server.order({.user = "u2"}).code() == "sale_ended");
  }

  TEST_CASE("an operators' listener answers to the names that it was given") {
    Server server({.catalog = catalog({{}}), .flags = {{"--admin-host", "admin.example"}}});
    for (const char* host : {"admin.example", "ADMIN.example:443"}) {
      Http http(server.admin_address());
      REQUIRE(http.connect());
      REQUIRE(
          http.send("GET http://" + std::string(host) +
                    "/admin/audit HTTP/1.1\r\nHost: a\r\nOrigin: https://admin.example\r\n\r\n"));
      CHECK(http.receive().status == 200);
    }
  }
}

}  // namespace
}  // namespace stampede::e2e
