// Paths, methods, parameters and bodies of the operators' listener.
#include "shard/admin_routes.h"

#include <doctest/doctest.h>

#include <string>
#include <utility>

namespace stampede::shard {
namespace {

using http::Method;

AdminRoute ask(Method method, std::string_view path, std::string_view query = {}) {
  return route_admin({.method = method, .path = path, .query = query});
}

TEST_SUITE("shard/admin_routes") {
  TEST_CASE("every path of the contract is known by its method") {
    CHECK(ask(Method::get, "/healthz").kind == AdminKind::health);
    CHECK(ask(Method::get, "/readyz").kind == AdminKind::readiness);
    CHECK(ask(Method::get, "/metrics").kind == AdminKind::metrics);
    CHECK(ask(Method::head, "/metrics").kind == AdminKind::metrics);
    CHECK(ask(Method::get, "/admin/status").kind == AdminKind::status);
    CHECK(ask(Method::get, "/admin/audit").kind == AdminKind::audit);
    CHECK(ask(Method::get, "/admin/limits").kind == AdminKind::read_limits);
    CHECK(ask(Method::put, "/admin/limits").kind == AdminKind::set_limits);
    for (const auto& [action, kind] :
         {std::pair{"pause", AdminKind::pause}, std::pair{"resume", AdminKind::resume},
          std::pair{"end", AdminKind::end}, std::pair{"restock", AdminKind::restock}}) {
      const std::string path = std::string("/admin/items/ticket/") + action;
      const AdminRoute route = ask(Method::post, path);
      CHECK(route.refusal == Verdict::ok);
      CHECK(route.kind == kind);
      CHECK(route.item.view() == "ticket");
    }
    const AdminRoute put = ask(Method::put, "/admin/items/a.b-c_d");
    CHECK(put.kind == AdminKind::put_item);
    CHECK(put.item.view() == "a.b-c_d");
  }

  TEST_CASE("another method is refused and the answer names those that are allowed") {
    CHECK(ask(Method::post, "/healthz").refusal == Verdict::method_not_allowed);
    CHECK(ask(Method::post, "/healthz").allow == "GET, HEAD");
    CHECK(ask(Method::post, "/admin/limits").allow == "GET, HEAD, PUT");
    CHECK(ask(Method::get, "/admin/items/ticket").allow == "PUT");
    CHECK(ask(Method::get, "/admin/items/ticket/pause").allow == "POST");
    CHECK(ask(Method::del, "/admin/audit").refusal == Verdict::method_not_allowed);
  }

  TEST_CASE("any other path is not found") {
    for (const char* path :
         {"/", "*", "/health", "/healthz/", "/admin", "/admin/", "/admin/items", "/v1/orders",
          "/admin/items/ticket/sell", "/admin/items/ticket/pause/", "/admin/status/0"}) {
      CAPTURE(path);
      CHECK(ask(Method::get, path).refusal == Verdict::not_found);
    }
  }

  TEST_CASE("a path is percent-decoded segment by segment") {
    CHECK(ask(Method::post, "/admin/items/tick%65t/%70ause").item.view() == "ticket");
    CHECK(ask(Method::post, "/admin/items/tick%65t/%70ause").kind == AdminKind::pause);
    CHECK(ask(Method::put, "/admin/items/a%2Fpause").item.view() == "a/pause");
    CHECK(ask(Method::get, "/admin%2Fstatus").refusal == Verdict::not_found);
    CHECK(ask(Method::get, "/admin/%zz").refusal == Verdict::bad_request);
    const std::string longest(64, 'c');
    CHECK(ask(Method::put, "/admin/items/" + longest).item.view() == longest);
    CHECK(ask(Method::put, "/admin/items/" + longest + "c").refusal == Verdict::bad_request);
    CHECK(ask(Method::post, "/admin/items/" + longest + "c/end").refusal == Verdict::unknown_item);
  }

  TEST_CASE("a question mark within an id does not name another user") {
    for (const Method method : {Method::get, Method::put, Method::del}) {
      CHECK(ask(method, "/admin/blocked/users/a%3Fb").subject.text == "a?b");
      CHECK(ask(method, "/admin/blocked/users/a", "b").refusal == Verdict::bad_request);
      CHECK(ask(method, "/admin/blocked/users/a", "").refusal == Verdict::bad_request);
      CHECK(ask(method, "/admin/blocked/addresses/10.0.0.1", "/8").refusal == Verdict::bad_request);
      CHECK(ask(method, "/admin/blocked/users/a").refusal == Verdict::ok);
    }
  }

  TEST_CASE("OPTIONS of the server is answered") {
    CHECK(ask(Method::options, "*").kind == AdminKind::describe_server);
    CHECK(ask(Method::options, "*").refusal == Verdict::ok);
  }

  TEST_CASE("a change in a content coding is refused") {
    http::Request request{
        .method = Method::put, .has_content_coding = true, .path = "/admin/limits"};
    CHECK(route_admin(request).refusal == Verdict::unsupported_media_type);
    request.method = Method::get;
    CHECK(route_admin(request).refusal == Verdict::ok);
  }

  TEST_CASE("what needs no body takes none but an empty object") {
    for (const auto& [method, path] : {std::pair{Method::post, "/admin/reload"},
                                       {Method::put, "/admin/blocked/users/bot"},
                                       {Method::del, "/admin/blocked/users/bot"},
                                       {Method::put, "/admin/blocked/addresses/10.0.0.0%2F8"},
                                       {Method::post, "/admin/items/ticket/pause"},
                                       {Method::post, "/admin/items/ticket/resume"},
                                       {Method::post, "/admin/items/ticket/end"}}) {
      CAPTURE(path);
      const auto with_body = [&](std::string_view body) {
        return route_admin({.method = method, .path = path, .body = body}).refusal;
      };
      for (const char* nothing : {"", "{}", " { } "}) CHECK(with_body(nothing) == Verdict::ok);
      for (const char* something : {R"({"x":1})", "garbage", "{", "[]", "null", "{}{}", "{} x"}) {
        CAPTURE(something);
        CHECK(with_body(something) == Verdict::bad_request);
      }
    }
    CHECK(route_admin({.method = Method::post, .path = "/admin/items/a/restock", .body = "x"})
              .refusal == Verdict::ok);  // is read by another
  }

  TEST_CASE("a page begins behind an item and an audit may be of one item") {
    CHECK(ask(Method::get, "/admin/audit", "after=i999").after.view() == "i999");
    CHECK(ask(Method::get, "/admin/audit", "x=1&item=tick%65t&y=[]").item.view() == "ticket");
    CHECK(ask(Method::get, "/admin/status", "after=i999").after.view() == "i999");
    CHECK(ask(Method::get, "/admin/audit", "").after.empty());
    for (const char* query : {"after=", "after", "item=a&item=b", "item=a&after=b"}) {
      CAPTURE(query);
      CHECK(ask(Method::get, "/admin/audit", query).refusal == Verdict::bad_request);
    }
  }

  TEST_CASE("turns are those of one shard") {
    CHECK(ask(Method::get, "/admin/turns").kind == AdminKind::turns);
    CHECK(ask(Method::get, "/admin/turns").shard == 0);
    CHECK(ask(Method::get, "/admin/turns", "shard=12").shard == 12);
    CHECK(ask(Method::post, "/admin/turns").allow == "GET, HEAD");
    for (const char* query :
         {"shard=", "shard=-1", "shard=1x", "shard=9999999999", "shard=1&shard=1"}) {
      CAPTURE(query);
      CHECK(ask(Method::get, "/admin/turns", query).refusal == Verdict::bad_request);
    }
  }

  TEST_CASE("a restock names its operation and its units") {
    const Result<Restock> restock = parse_restock(R"({"op_id":"r1","delta":-100})");
    REQUIRE(bool(restock));
    CHECK(restock->op_id.view() == "r1");
    CHECK(restock->delta == -100);
    CHECK(parse_restock(R"({"op_id":"r1","delta":1099511627776})")->delta ==
          int64_t{bounds::stock_max});
  }

  TEST_CASE("a restock that is no restock is refused with the field's name") {
    const std::pair<std::string, const char*> bodies[] = {
        {"", "empty"},
        {"{}", "op_id"},
        {R"({"op_id":"r1"})", "delta"},
        {R"({"delta":1})", "op_id"},
        {R"({"op_id":"","delta":1})", "op_id"},
        {R"({"op_id":"a b","delta":1})", "op_id"},
        {"{\"op_id\":\"" + std::string(65, 'r') + "\",\"delta\":1}", "op_id"},
        {R"({"op_id":1,"delta":1})", "op_id"},
        {R"({"op_id":"r1","delta":0})", "delta"},
        {R"({"op_id":"r1","delta":"1"})", "delta"},
        {R"({"op_id":"r1","delta":1.5})", "delta"},
        {R"({"op_id":"r1","delta":1099511627777})", "delta"},
        {R"({"op_id":"r1","delta":-1099511627777})", "delta"},
        {R"({"op_id":"r1","delta":9223372036854775808})", "delta"},
        {R"({"op_id":"r1","delta":18446744073709551615})", "delta"},
        {R"({"op_id":"r1","delta":-9223372036854775808})", "delta"},
        {R"({"op_id":"r1","delta":1,"delta":2})", "twice"},
        {R"({"op_id":"r1","delta":1,"dleta":2})", "dleta"},
        {R"({"op_id":"r1","delta":1} x)", "body:1"},
    };
    for (const auto& [body, word] : bodies) {
      CAPTURE(body);
      const Result<Restock> restock = parse_restock(body);
      REQUIRE(!restock);
      CHECK(restock.error().message.find(word) != std::string::npos);
    }
  }

  TEST_CASE("restocks add to what was ever supplied or withdrawn and stay within the bounds") {
    CHECK(restocked({10, 3}, 5)->supplied == 15);
    CHECK(restocked({10, 3}, 5)->withdrawn == 3);
    CHECK(restocked({10, 3}, -7)->withdrawn == 10);
    CHECK(restocked({10, 3}, -7)->supplied == 10);
    CHECK(!restocked({10, 3}, -8));
    CHECK(bool(restocked({bounds::stock_max + 5, 6}, 1)));
    CHECK(!restocked({bounds::stock_max + 5, 6}, 2));
    CHECK(!restocked({0, 0}, INT64_MIN));
    CHECK(!restocked({0, 0}, INT64_MAX));
  }
}

}  // namespace
}  // namespace stampede::shard
