// With --auth ticket a user is who the signed ticket says, and nobody without one.
#include <doctest/doctest.h>
#include <signal.h>

#include "harness/server.h"

namespace stampede::e2e {
namespace {

Response order_with(Server& server, const std::string& authorization) {
  return server.order_with({{"Authorization", authorization}}, order_body({}));
}

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

TEST_SUITE("e2e/user_tickets") {
  TEST_CASE("a ticket's user buys and reads his order") {
    for (int shards : {1, 5}) {
      Server server({.catalog = catalog({{.stock = 100}}),
                     .shards = shards,
                     .flags = {{"--auth", "ticket"}}});
      for (std::string user :
           {"u1", "first.last@example.com", "123e4567-e89b-12d3-a456-426614174000"}) {
        Response response = order_with(server, "Bearer " + ticket(user));
        REQUIRE(response.status == 201);
        CHECK(response.json()["user"].text() == user);
        std::string path = "/v1/orders/" + response.json()["order_id"].text();
        CHECK(server.http().get(path, {{"Authorization", "Bearer " + ticket(user)}}).status == 200);
        CHECK(server.http().get(path, {{"Authorization", "Bearer " + ticket("mallory")}}).status ==
              404);
      }
    }
  }

  TEST_CASE("tickets are the default when there is a key file") {
    Server server({.catalog = catalog({{}}), .without = {"--auth"}});
    CHECK(server.order({.user = "u1"}).status == 401);
    CHECK(order_with(server, "Bearer " + ticket("u1")).status == 201);
  }

  TEST_CASE("one flipped bit anywhere is no ticket") {
    Server server({.catalog = catalog({{}}), .flags = {{"--auth", "ticket"}}});
    std::string good = ticket("u1");
    for (size_t at = 0; at < good.size(); ++at)
      for (int bit : {0, 1, 5}) {
        std::string bad = good;
        bad[at] ^= static_cast<char>(1 << bit);
        if (bad[at] <= ' ' || bad[at] > '~') continue;
        CAPTURE(bad);
        Response response = order_with(server, "Bearer " + bad);
        CHECK(response.status == 401);
        CHECK(response.code() == "unauthenticated");
      }
    CHECK(server.books().reserved == 0);
    CHECK(order_with(server, "Bearer " + good).status == 201);
  }

  TEST_CASE("expired and foreign and malformed tickets are refused") {
    Server server({.catalog = catalog({{}}), .flags = {{"--auth", "ticket"}}});
    std::string good = ticket("u1");
    for (std::string bad :
         {"Bearer " + ticket("u1", -10), std::string("Bearer "), std::string("Bearer v1"),
          std::string("Basic dTE6cHc="), "Bearer " + good + ".", "Bearer " + good + "A", good,
          "Bearer " + good.substr(0, good.size() - 1), "Bearer v2" + good.substr(2),
          "Bearer " + ticket(std::string(65, 'x')), "Bearer " + ticket("")}) {
      CAPTURE(bad);
      CHECK(order_with(server, bad).status == 401);
    }
    Headers user_only{{"X-User-Id", "u1"}};
    CHECK(server.http().post("/v1/orders", order_body({}), user_only).status == 401);
    CHECK(server.books().reserved == 0);
  }

  TEST_CASE("with a ticket the user header is ignored") {
    Server server({.catalog = catalog({{}}), .flags = {{"--auth", "ticket"}}});
    Headers both{{"Authorization", "Bearer " + ticket("u1")}, {"X-User-Id", "victim"}};
    CHECK(server.order_with(both, order_body({})).json()["user"].text() == "u1");
  }

  TEST_CASE("the sign command mints what the server accepts") {
    Scratch scratch;
    Finished keys = run_stampede({"sign", "keys"});
    REQUIRE(keys.exit_code == 0);
    Json minted = Json::parse(keys.out);
    for (std::string kind : {"tickets", "links", "payments"}) CHECK(minted[kind].is_object());
    CHECK(run_stampede({"sign", "keys"}).out != keys.out);
    std::string path = scratch.path("minted.json");
    write_file(path, keys.out);
    Server server(
        {.catalog = catalog({{}}), .flags = {{"--auth", "ticket"}, {"--key-file", path}}});
    Finished signed_ticket =
        run_stampede({"sign", "ticket", "--key-file", path, "--user", "u1", "--ttl", "600"});
    REQUIRE(signed_ticket.exit_code == 0);
    Response response = order_with(server, "Bearer " + trimmed(signed_ticket.out));
    REQUIRE(response.status == 201);
    write_file(scratch.path("body"), payment_body({}));
    Finished payment =
        run_stampede({"sign", "payment", "--key-file", path, "--body", scratch.path("body")});
    REQUIRE(payment.exit_code == 0);
    Response paid =
        server.http().post("/v1/orders/" + response.json()["order_id"].text() + "/payment",
                           payment_body({}), {{"Stampede-Signature", trimmed(payment.out)}});
    CHECK(paid.status == 200);
    CHECK(order_with(server, "Bearer " + ticket("u1")).status ==
          401);  // signed with another file's key
  }

  TEST_CASE("a key file by which no ticket can be checked is refused at a start and by a reload") {
    Scratch scratch;
    const std::string path = scratch.path("no_tickets.json");
    write_file(path, R"({"payments":{"p1":")" + std::string(64, 'a') + R"("}})");
    for (const bool is_asked_for : {true, false}) {
      ServerOptions options{
          .catalog = catalog({{}}), .flags = {{"--key-file", path}}, .starts = false};
      if (is_asked_for)
        options.flags.emplace_back("--auth", "ticket");
      else
        options.without = {"--auth"};
      Server server(options);
      CHECK(server.start_and_fail() == 2);
      CHECK(server.says("--key-file: " + path + ": no key under tickets"));
    }
    Server server({.catalog = catalog({{.stock = 10}}), .flags = {{"--auth", "ticket"}}});
    write_file(server.scratch().path("keys.json"), read_file(path));
    const Response reload = server.admin().post("/admin/reload", "{}");
    CHECK(reload.code() == "not_reloaded");
    CHECK(reload.body.find("no key under tickets") != std::string::npos);
    CHECK(order_with(server, "Bearer " + ticket("u1")).status == 201);
  }

  TEST_CASE("SIGHUP reads the key file again and a broken one changes nothing") {
    Server server({.catalog = catalog({{.stock = 1'000'000}}), .flags = {{"--auth", "ticket"}}});
    std::string path = server.scratch().path("keys.json"), old_keys = read_file(path);
    CHECK(order_with(server, "Bearer " + ticket("u1")).status == 201);
    write_file(path, "{ broken");
    server.process().signal(SIGHUP);
    CHECK(server.says("keys.json"));
    CHECK(order_with(server, "Bearer " + ticket("u1")).status == 201);
    write_file(path, run_stampede({"sign", "keys"}).out);
    server.process().signal(SIGHUP);
    CHECK(wait_until([&] { return order_with(server, "Bearer " + ticket("u1")).status == 401; }));
    write_file(path, old_keys);
    server.process().signal(SIGHUP);
    CHECK(wait_until([&] { return order_with(server, "Bearer " + ticket("u1")).status == 201; }));
  }
}

}  // namespace
}  // namespace stampede::e2e
