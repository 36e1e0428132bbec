// The operators' side of the door: levers, block lists, names of operators, files that are read again.

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

const std::string kToken = "a-token-of-alice-1234", kOther = "a-token-of-deploy-5678";

Headers bearer(const std::string& token) {
  return {{"Authorization", "Bearer " + token}};
}

std::string private_file(Server& server, const std::string& name, const std::string& text) {
  const std::string path = server.scratch().path(name);
  write_file(path, text);
  ::chmod(path.c_str(), 0600);
  return path;
}

std::string records(const Server& server) {
  return run_stampede({"log", "inspect", "--data", server.data(), "--records"}).out;
}

TEST_SUITE("e2e/levers") {
  TEST_CASE("a lever is shown and set and recorded and gone at the next start") {
    for (int shards : {1, 2}) {
      Server server({.catalog = catalog({{}}), .shards = shards});
      CHECK(server.admin().get("/admin/limits").json()["rate_user"].text() == "0");
      const Response set =
          server.admin().put("/admin/limits", R"({"rate_user":"20/1s","open_per_user":3})");
      CHECK(set.status == 200);
      CHECK(server.admin().get("/admin/limits").body == set.body);
      CHECK(set.json()["open_per_user"].number() == 3);
      const Response bad =
          server.admin().put("/admin/limits", R"({"open_per_user":4,"degrade":"half"})");
      CHECK(bad.status == 400);
      CHECK(bad.body.find("degrade: expected none, no_new_users") != std::string::npos);
      CHECK(server.admin().get("/admin/limits").body == set.body);
      CHECK(records(server).find(
                "who=\"local\" what=\"limits rate_user 0 -> 20/1s, open_per_user 0 -> 3\"") !=
            std::string::npos);
      server.restart();
      CHECK(server.admin().get("/admin/limits").json()["open_per_user"].number() == 0);
    }
  }

  TEST_CASE("each change has the name of its operator and SIGHUP replaces the tokens") {
    Server server({.catalog = catalog({{}}), .starts = false});
    const std::string path =
        private_file(server, "tokens", "alice " + kToken + "\ndeploy " + kOther + "\n");
    server.options().flags = {{"--admin-token-file", path}};
    server.start();
    Http& admin = server.admin();
    CHECK(admin.put("/admin/limits", R"({"lease_max":7})").status == 401);
    Headers by_deploy = bearer(kOther);
    CHECK(admin.put("/admin/limits", R"({"lease_max":7})", by_deploy).status == 200);
    CHECK(records(server).find("who=\"deploy\" what=\"limits lease_max") != std::string::npos);
    private_file(server, "tokens", "alice " + kToken + "\nalice " + kOther + "\n");
    server.process().signal(SIGHUP);
    CHECK(server.says("tokens:2: the name alice is given twice; everything stays as it was"));
    CHECK(admin.get("/admin/limits", by_deploy).status == 200);
    private_file(server, "tokens", "alice " + kToken + "\n");
    server.process().signal(SIGHUP);
    CHECK(wait_until([&] { return admin.get("/admin/limits", by_deploy).status == 401; }));
    CHECK(admin.get("/admin/limits", bearer(kToken)).status == 200);
    for (const std::string& text : {records(server), server.said()})
      for (const std::string& token : {kToken, kOther})
        CHECK(text.find(token) == std::string::npos);
  }

  TEST_CASE("a blocked user buys nothing and keeps what he holds") {
    Server server({.catalog = catalog({{.stock = 100, .per_user_limit = 5}}), .shards = 2});
    const std::string order = server.buy({.user = "bot", .key = "k1"});
    const std::string other = server.buy({.user = "bot", .key = "k2"});
    CHECK(server.admin().put("/admin/blocked/users/bot", "{}").status == 200);
    for (int connections = 0; connections < 8; ++connections) {  // of either shard
      Http client = server.client();
      const Response refused = client.post("/v1/orders", order_body({}), {{"X-User-Id", "bot"}});
      CHECK(refused.status == 403);
      CHECK(refused.code() == "blocked");
    }
    CHECK(server.order({.user = "bot", .key = "k3"}).code() == "blocked");
    CHECK(server.order({.user = "Bot"}).status == 201);
    CHECK(server.order({.user = "bot", .key = "k1"}).json()["replayed"].truth());
    CHECK(server.state_of("bot", order) == "reserved");
    CHECK(server.list("bot").status == 200);
    CHECK(server.cancel("bot", other).status == 200);
    CHECK(server.pay(order).json()["state"].text() == "paid");
    CHECK(server.admin().request("DELETE", "/admin/blocked/users/bot").status == 200);
    CHECK(server.order({.user = "bot", .key = "k3"}).status == 201);
    server.check_books();
  }

  TEST_CASE("a blocked address gets nothing but payments whoever names it") {
    Server server({.catalog = catalog({{.stock = 100}}),
                   .shards = 2,
                   .flags = {{"--trust-gateway", ""}, {"--address-header", "X-Real-IP"}}});
    const auto ask = [&](const std::string& from, const std::string& method,
                         const std::string& path, const std::string& body = "") {
      Headers headers{{"X-User-Id", "u1"}};
      if (!from.empty()) headers.emplace_back("x-real-ip", from);
      return server.client().request(method, path, headers, body);
    };
    const std::string order =
        ask("198.51.100.7", "POST", "/v1/orders", order_body({})).json()["order_id"].text();
    CHECK(server.admin().put("/admin/blocked/addresses/198.51.100.0%2F24", "{}").status == 200);
    CHECK(server.admin().put("/admin/blocked/addresses/2001:db8::1", "{}").status == 200);
    for (const char* from :
         {"198.51.100.7", "198.51.100.255", "::ffff:198.51.100.7", "2001:db8::2"}) {
      CAPTURE(from);
      CHECK(ask(from, "POST", "/v1/orders", order_body({})).code() == "blocked");
      CHECK(ask(from, "GET", "/v1/items").status == 403);
      CHECK(ask(from, "GET", "/v1/orders/" + order).status == 403);
    }
    for (const char* from : {"198.51.101.7", "2001:db8:0:1::1", ""})
      CHECK(ask(from, "GET", "/v1/items").status == 200);
    const std::string payment = payment_body({});
    CHECK(server.http()
              .post("/v1/orders/" + order + "/payment", payment,
                    {{"Stampede-Signature", signature(payment)}, {"X-Real-IP", "198.51.100.7"}})
              .json()["state"]
              .text() == "paid");
    // One address is let out of its network.
    CHECK(server.admin()
              .request("DELETE", "/admin/blocked/addresses/198.51.100.7")
              .json()["word"]
              .text() == "exempt");
    CHECK(ask("198.51.100.7", "GET", "/v1/items").status == 200);
    CHECK(ask("198.51.100.8", "GET", "/v1/items").status == 403);
  }

  TEST_CASE("what operators have blocked outlives a crash and another number of shards") {
    Server server({.catalog = catalog({{}}), .shards = 1});
    CHECK(server.admin().put("/admin/blocked/users/bot", "{}").status == 200);
    CHECK(server.admin().put("/admin/blocked/addresses/198.51.100.0%2F24", "{}").status == 200);
    CHECK(records(server).find("who=\"local\" what=\"blocked user bot none -> blocked\"") !=
          std::string::npos);
    for (int shards : {1, 2, 2, 1}) {
      server.kill9();
      server.options().shards = shards;
      server.start();
      CHECK(server.says("operators' words hold on: 2 blocked, 0 exempt"));
      CHECK(server.order({.user = "bot"}).code() == "blocked");
      const Json list = server.admin().get("/admin/blocked").json();
      CHECK(list["words"].size() == 2);
      CHECK(list["words"].at(1)["address"].text() == "198.51.100.0/24");
    }
    CHECK(run_stampede({"audit", "--data", server.data()}).exit_code == 0);
  }

  TEST_CASE("the file of blocked users is read again and of a wrong one nothing is taken") {
    Server server({.catalog = catalog({{.stock = 1000}}), .shards = 2, .starts = false});
    const std::string path = private_file(server, "blocked", "user a\nuser\n");
    server.options().flags = {{"--blocked", path}};
    CHECK(server.start_and_fail() == 2);
    CHECK(server.says("--blocked: " + path + ":2: expected user"));
    private_file(server, "blocked", "# bots\nuser a\n");
    server.start();
    CHECK(server.order({.user = "a"}).code() == "blocked");
    CHECK(server.order({.user = "b"}).status == 201);

    private_file(server, "blocked", "user b\naddress nowhere\n");
    const Response wrong = server.admin().post("/admin/reload", "{}");
    CHECK(wrong.status == 409);
    CHECK(wrong.code() == "not_reloaded");
    CHECK(wrong.body.find("blocked:2: expected address") != std::string::npos);
    CHECK(server.order({.user = "a"}).code() == "blocked");

    private_file(server, "blocked", "user b\n");
    const Response read = server.admin().post("/admin/reload", "{}");
    CHECK(read.status == 200);
    CHECK(read.body.find("1 user and 0 networks from") != std::string::npos);
    CHECK(server.order({.user = "a"}).status == 201);
    CHECK(server.order({.user = "b", .key = "new"}).code() == "blocked");
    CHECK(records(server).find("who=\"local\" what=\"reload ") != std::string::npos);

    // An operator's word stands over the file, also behind a restart.
    CHECK(server.admin().request("DELETE", "/admin/blocked/users/b").json()["word"].text() ==
          "exempt");
    CHECK(server.order({.user = "b", .key = "new"}).status == 201);
    server.restart();
    CHECK(server.admin().get("/admin/blocked/users/b").body ==
          R"({"user":"b","word":"exempt","file":true,"blocked":false})");
    ::chmod(path.c_str(), 0644);
    CHECK(server.admin().post("/admin/reload", "{}").body.find("chmod 600") != std::string::npos);
  }

  TEST_CASE("what is named wrongly is refused") {
    Server server({.catalog = catalog({{}})});
    for (const char* path :
         {"/admin/blocked/users/", "/admin/blocked/users/a%20b", "/admin/blocked/addresses/nowhere",
          "/admin/blocked/addresses/10.0.0.1%2F8", "/admin/blocked/addresses/2001:db8::%2F65"})
      CHECK_MESSAGE(server.admin().put(path, "{}").status == 400, path);
    CHECK(server.admin().put("/admin/blocked/nobody/x", "{}").status == 404);
    CHECK(server.admin().post("/admin/blocked/users/x", "{}").status == 405);
    CHECK(server.admin().get("/admin/reload").status == 405);
    CHECK(server.admin().get("/admin/blocked").body ==
          R"({"file":{"users":0,"addresses":0},"words":[]})");
  }
}

}  // namespace
}  // namespace stampede::e2e
