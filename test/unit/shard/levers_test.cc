// The levers as operators write and read them.
#include "shard/levers.h"

#include <doctest/doctest.h>

namespace stampede::shard {
namespace {

const Levers kNow{.lease_max = 256, .drain_lag_max = 1000};

// What the body makes of kNow, or the complaint.
std::string set(std::string_view body) {
  const Result<Levers> levers = changed_levers(kNow, {}, body);
  return levers ? levers_json(*levers) : levers.error().message;
}

TEST_SUITE("shard/levers") {
  TEST_CASE("what is shown can be sent back and changes nothing") {
    Levers levers = kNow;
    levers.door = {.user = {20, 1000},
                   .open_per_user = 3,
                   .address = {100, 60'000},
                   .connections_address = 50,
                   .connections = 9000,
                   .order_rate = {.per_second = 500},
                   .degrade = door::Degrade::no_polls};
    const std::string shown = levers_json(levers);
    CHECK(shown == R"({"lease_max":256,"drain_lag_max":1000,"rate_user":"20/1s","open_per_user":3,)"
                   R"("rate_address":"100/1m","connections_address":50,"connections":9000,)"
                   R"("order_rate":500,"degrade":"no_polls"})");
    CHECK(*changed_levers(kNow, {}, shown) == levers);
    CHECK(lever_changes(levers, *changed_levers(levers, {}, shown)).empty());
  }

  TEST_CASE("what is not named stays as it is") {
    const Result<Levers> levers = changed_levers(kNow, {}, R"({"lease_max":7})");
    REQUIRE(bool(levers));
    CHECK(levers->lease_max == 7);
    CHECK(levers->drain_lag_max == 1000);
    CHECK(levers->door == door::Limits{});
  }

  TEST_CASE("more connections than descriptors permit are refused with the number that fits") {
    const LeverBounds bounds{.connections_max = 162};
    for (const char* const fits :
         {R"({"connections":0})", R"({"connections":1})", R"({"connections":162})"})
      CHECK(bool(changed_levers(kNow, bounds, fits)));
    const auto refused = changed_levers(kNow, bounds, R"({"connections":163})");
    REQUIRE(!refused);
    CHECK(refused.error().message.find("connections: expected at most 162") != std::string::npos);
    // What holds already can be sent back.
    const Levers more{.door = {.connections = 200}};
    CHECK(bool(changed_levers(more, bounds, R"({"connections":200,"lease_max":1})")));
  }

  TEST_CASE("a bad value is refused with its name and what was expected") {
    for (const auto& [body, words] : {
             std::pair{R"({})", "expected one or more levers"},
             {R"({"rate":1})", "rate: unknown key"},
             {R"({"lease_max":1,"lease_max":1})", "lease_max: is given twice"},
             {R"({"lease_max":-1})", "lease_max: expected an integer"},
             {R"({"lease_max":1000001})", "lease_max: expected an integer from 0 to 1000000"},
             {R"({"connections_address":1000001})", "connections_address: expected an integer"},
             {R"({"drain_lag_max":"7"})", "drain_lag_max: expected an integer"},
             {R"({"rate_user":"20"})", "rate_user: expected a rate such as \"20/1s\""},
             {R"({"rate_user":20})", "rate_user: expected a rate"},
             {R"({"rate_address":"0/1s"})", "rate_address: expected a rate"},
             {R"({"open_per_user":1001})", "open_per_user: expected an integer from 0 to 1000"},
             {R"({"open_per_user":1.5})", "open_per_user: expected an integer"},
             {R"({"connections":1000000001})", "connections: expected an integer"},
             {R"({"order_rate":"fast"})", "order_rate: expected a number or \"auto\""},
             {R"({"order_rate":null})", "order_rate: expected an integer"},
             {R"({"degrade":"None"})", "degrade: expected none, no_new_users, no_polls or static"},
         })
      CHECK_MESSAGE(set(body).find(words) != std::string::npos, set(body));
  }

  TEST_CASE("a rate of orders is a number or auto") {
    CHECK(set(R"({"order_rate":"auto"})").find(R"("order_rate":"auto")") != std::string::npos);
    CHECK(set(R"({"order_rate":0})").find(R"("order_rate":0)") != std::string::npos);
  }

  TEST_CASE("the rate of orders is raised to twice what the start was told and no further") {
    const Levers now{.door = {.order_rate = {.per_second = 100}}};
    CHECK(changed_levers(now, {now.door.order_rate}, R"({"order_rate":200})")
              ->door.order_rate.per_second == 200);
    for (const char* body : {R"({"order_rate":201})", R"({"order_rate":0})"}) {
      const Result<Levers> levers = changed_levers(now, {now.door.order_rate}, body);
      REQUIRE(!levers);
      CHECK(levers.error().message.find("order_rate: expected 1 to 200") != std::string::npos);
    }
  }

  TEST_CASE("a change is told by what was and what is") {
    CHECK(lever_changes(kNow,
                        *changed_levers(kNow, {}, R"({"order_rate":"auto","lease_max":256})")) ==
          std::vector<std::string>{"order_rate 0 -> auto"});
  }
}

}  // namespace
}  // namespace stampede::shard
