// The operators' listener of a whole server in one thread: what the handler behind it answers.
#include "shard/admin.h"

#include "../../world/world.h"

// Behind the headers of the server, whose CHECK means the other thing.
#include <doctest/doctest.h>

using namespace stampede;
using namespace stampede::world;

namespace {

struct Rig {
  Answer ask(std::string_view method, std::string_view target, std::string_view body = {}) {
    buyer.request(method, target, {}, body);
    return world.await_answer(buyer);
  }

  World world{{.stock = 10, .admin_host = "here"}};
  Buyer& buyer = world.connect_operator();
};

}  // namespace

TEST_SUITE("shard/admin") {
  TEST_CASE("probes and pages are answered") {
    Rig rig;
    CHECK(rig.ask("GET", "/healthz").body == "{\"ok\":true}");
    CHECK(rig.ask("GET", "/admin/limits").status == 200);
    CHECK(rig.ask("GET", "/admin/status").body.find("\"item\":\"ticket\"") != std::string::npos);
    const Answer metrics = rig.ask("GET", "/metrics");
    CHECK(metrics.status == 200);
    CHECK(metrics.body.size() > 8 * 1024);  // larger than what is copied into a buffer
    CHECK(metrics.body.find("stampede_") != std::string::npos);
  }

  TEST_CASE("what is not there or not allowed is refused") {
    Rig rig;
    CHECK(rig.ask("GET", "/v1/time").status == 404);
    CHECK(rig.ask("POST", "/metrics", "{}").status == 405);
    CHECK(rig.ask("POST", "/admin/items/nothing/pause", "{}").status == 404);
    CHECK(rig.ask("GET", "/admin/status?after=nothing").status == 404);
    CHECK(rig.ask("POST", "/admin/items/ticket/restock", "{\"op_id\":\"r1\"}").status == 400);
  }

  TEST_CASE("answers of several turns leave in the order of the requests") {
    Rig rig;
    rig.buyer.request("GET", "/admin/audit");
    rig.buyer.request("POST", "/admin/items/ticket/restock", {}, "{\"op_id\":\"r1\",\"delta\":5}");
    rig.buyer.request("GET", "/healthz");
    const Answer audit = rig.world.await_answer(rig.buyer);
    CHECK(audit.body.find("\"ok\":true") != std::string::npos);
    const Answer restock = rig.world.await_answer(rig.buyer);
    CHECK(restock.member("applied") == "true");
    CHECK(restock.member("total") == "15");
    CHECK(rig.world.await_answer(rig.buyer).body == "{\"ok\":true}");
    const Answer repeat =
        rig.ask("POST", "/admin/items/ticket/restock", "{\"op_id\":\"r1\",\"delta\":5}");
    CHECK(repeat.member("applied") == "false");
    CHECK(repeat.member("total") == "15");
  }

  TEST_CASE("a paused sale sells nothing and operators are not counted as buyers") {
    Rig rig;
    Buyer& buyer = rig.world.connect(0);
    CHECK(rig.ask("POST", "/admin/items/ticket/pause", "{}").status == 200);
    buyer.order("u1");
    CHECK(rig.world.await_answer(buyer).member("code") == "sale_paused");
    CHECK(rig.ask("POST", "/admin/items/ticket/resume", "{}").status == 200);
    buyer.order("u1");
    CHECK(rig.world.await_answer(buyer).status == 201);
    CHECK(rig.world.process().metrics[0]->requests.get() == 2);
  }
}
