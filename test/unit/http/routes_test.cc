#include "http/routes.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace stampede::http {
namespace {

constexpr const char* kKinds[] = {"create", "list",  "read", "cancel", "pay",   "items",
                                  "item",   "stock", "link", "time",   "server"};

// "read 0a… wait 5" or "code reason [Allow]".
std::string describe(const Route& route) {
  if (route.is_refused) {
    std::string text(info_of(route.refusal.verdict).code);
    if (route.refusal.reason) text.append(": ").append(route.refusal.reason);
    if (!route.refusal.allow.empty()) text.append(" [").append(route.refusal.allow).append("]");
    return text;
  }
  std::string text = kKinds[static_cast<unsigned>(route.kind)];
  if (route.is_head) text += " head";
  if (route.order_id.value != 0) text += " " + std::to_string(route.order_id.value);
  if (!route.item_code.empty()) text.append(" ").append(route.item_code.view());
  if (route.wait_ms != 0) text += " wait " + std::to_string(route.wait_ms);
  return text;
}

std::string go(Method method, std::string_view target, std::string_view content_type = {}) {
  Request request;
  request.method = method;
  const size_t path_end = std::min(target.find('?'), target.size());
  request.path = target.substr(0, path_end);
  if (path_end < target.size()) request.query = target.substr(path_end + 1);
  request.has_body = method == Method::post;
  request.content_type = content_type;
  return describe(route(request));
}

std::string get(std::string_view target) {
  return go(Method::get, target);
}
std::string post(std::string_view target) {
  return go(Method::post, target);
}

const std::string kBadWait = "bad_request: wait_ms is not an integer from 0 to 30000";

TEST_SUITE_BEGIN("http/routes");

TEST_CASE("each path of the contract leads to its resource") {
  CHECK(post("/v1/orders") == "create");
  CHECK(get("/v1/orders?item=ticket") == "list ticket");
  CHECK(get("/v1/orders/00000000000000ff") == "read 255");
  CHECK(get("/v1/orders/00000000000000ff?wait_ms=30000") == "read 255 wait 30000");
  CHECK(post("/v1/orders/00000000000000ff/cancel") == "cancel 255");
  CHECK(post("/v1/orders/00000000000000ff/payment") == "pay 255");
  CHECK(get("/v1/items") == "items");
  CHECK(get("/v1/items/ticket") == "item ticket");
  CHECK(get("/v1/items/A.b_c-9/stock") == "stock A.b_c-9");
  CHECK(post("/v1/items/ticket/link") == "link ticket");
  CHECK(get("/v1/time") == "time");
}

TEST_CASE("HEAD is allowed wherever GET is") {
  CHECK(go(Method::head, "/v1/time") == "time head");
  CHECK(go(Method::head, "/v1/orders/00000000000000ff") == "read head 255");
  CHECK(go(Method::head, "/v1/orders/00000000000000ff/cancel") == "method_not_allowed [POST]");
}

TEST_CASE("a path that nobody knows is not found") {
  for (const char* path : {"/",
                           "*",
                           "",
                           "/v1",
                           "/v1/",
                           "/v2/orders",
                           "/v1/order",
                           "/v1/orders/",
                           "/V1/orders",
                           "//v1/orders",
                           "/v1//orders",
                           "/v1/orders/00000000000000ff/",
                           "/v1/orders/00000000000000ff/refund",
                           "/v1/orders/00000000000000ff/cancel/",
                           "/v1/orders/00000000000000ff/cancel/x",
                           "/v1/items/a/b",
                           "/v1/time/now",
                           "/v1/./orders",
                           "/v1/x/../orders",
                           "/admin/status"}) {
    CAPTURE(path);
    const std::string result = get(path);
    // An empty name is no name.
    CHECK((result == "not_found" ||
           (std::string(path) == "/v1/orders/" && result == "unknown_order")));
  }
}

TEST_CASE("a method that a path does not take is told which it takes") {
  CHECK(go(Method::put, "/v1/orders") == "method_not_allowed [GET, HEAD, POST]");
  CHECK(go(Method::del, "/v1/orders/00000000000000ff") == "method_not_allowed [GET, HEAD]");
  CHECK(go(Method::options, "/v1/time") == "method_not_allowed [GET, HEAD]");
  CHECK(go(Method::other, "/v1/items/a/link") == "method_not_allowed [POST]");
  CHECK(get("/v1/orders/xyz/payment") == "method_not_allowed [POST]");
  CHECK(post("/v1/items/a/stock") == "method_not_allowed [GET, HEAD]");
}

TEST_CASE("an order id is 16 lower-case hex digits") {
  CHECK(get("/v1/orders/ffffffffffffffff") == "read 18446744073709551615");
  for (const char* id :
       {"f", "00000000000000fF", "0000000000000000f", "000000000000000", "0x000000000000ff",
        "+00000000000000f", "00000000-000000f", "%30000000000000ff"}) {
    CAPTURE(id);
    CHECK(get("/v1/orders/" + std::string(id)) == "unknown_order");
    CHECK(post("/v1/orders/" + std::string(id) + "/cancel") == "unknown_order");
  }
}

TEST_CASE("a code that no item can have is an unknown item") {
  CHECK(get("/v1/items/" + std::string(64, 'c')) == "item " + std::string(64, 'c'));
  CHECK(get("/v1/items/" + std::string(65, 'c')) == "unknown_item");
  CHECK(get("/v1/items//stock") == "unknown_item");
  CHECK(get("/v1/orders?item=") == "unknown_item");
}

TEST_CASE("a wait is an integer within its bound") {
  const std::string read = "/v1/orders/00000000000000ff?";
  CHECK(get(read + "wait_ms=0") == "read 255");
  CHECK(get(read + "wait_ms=00001") == "read 255 wait 1");
  CHECK(get(read + "a=b&wait_ms=7&c") == "read 255 wait 7");
  CHECK(get(read + "wait_ms=%31%30") == "read 255 wait 10");
  for (const char* value :
       {"30001", "99999", "100000", "-1", "+1", "", "1.5", "1e3", "0x1", "a", "%"}) {
    CAPTURE(value);
    const std::string result = get(read + "wait_ms=" + value);
    CHECK((result == kBadWait || result == "bad_request: a parameter is malformed or too long"));
  }
  CHECK(get(read + "wait_ms") == kBadWait);
  CHECK(get(read + "wait_ms=1&wait_ms=1") == "bad_request: a parameter came twice");
  CHECK(get(read + "Wait_ms=x") == "read 255");
}

TEST_CASE("the item of a list is percent-decoded") {
  CHECK(get("/v1/orders?item=a%2eb%2Dc") == "list a.b-c");
  CHECK(get("/v1/orders?item=a+b") == "list a b");
  CHECK(get("/v1/orders?x&&item=t&=y") == "list t");
  CHECK(get("/v1/orders") == "bad_request: the parameter item is missing");
  CHECK(get("/v1/orders?items=t") == "bad_request: the parameter item is missing");
  CHECK(get("/v1/orders?item=a&item=a") == "bad_request: a parameter came twice");
  for (const char* value : {"%", "%4", "%4g", "%g4", "a%"}) {
    CHECK(get(std::string("/v1/orders?item=") + value) ==
          "bad_request: a parameter is malformed or too long");
  }
  CHECK(get("/v1/orders?item=" + std::string(65, 'a')) ==
        "bad_request: a parameter is malformed or too long");
}

TEST_CASE("an order or a payment needs a body with a length") {
  Request request;
  request.method = Method::post;
  for (const char* path : {"/v1/orders", "/v1/orders/00000000000000ff/payment"}) {
    request.path = path;
    CHECK(describe(route(request)) == "length_required");
  }
  request.path = "/v1/orders/00000000000000ff/cancel";
  CHECK(describe(route(request)) == "cancel 255");
}

TEST_CASE("a body is application/json if it says what it is") {
  for (const char* type : {"application/json", "Application/JSON", "application/json;charset=utf-8",
                           "application/json ; a=b"}) {
    CHECK(go(Method::post, "/v1/orders", type) == "create");
  }
  for (const char* type : {"text/plain", "multipart/form-data", "application/jsonx",
                           "application/json, text/plain", "json", ";"}) {
    CHECK(go(Method::post, "/v1/orders", type) == "unsupported_media_type");
  }
  CHECK(go(Method::post, "/v1/orders/00000000000000ff/cancel", "text/plain") == "cancel 255");
}

TEST_CASE("a path is percent-decoded segment by segment") {
  CHECK(get("/v1/items/tick%65t") == "item ticket");
  CHECK(get("/v1/items/%74icket/s%74ock") == "stock ticket");
  CHECK(get("/%76%31/%6frders/000000000000000%30") == "read");
  CHECK(get("/v1/items/a%2Fstock") == "item a/stock");  // a slash in a code, which no item has
  CHECK(get("/v1%2Fitems") == "not_found");
  CHECK(get("/v1/items/%2e%2E") == "item ..");
  CHECK(get("/v1/items/" + std::string(63, 'c') + "%63") == "item " + std::string(64, 'c'));
  CHECK(get("/v1/items/" + std::string(64, 'c') + "%63") == "unknown_item");
  for (const char* path :
       {"/v1/items/%", "/v1/items/%6", "/v1/items/%6g", "/%zz", "/v1/items/a%"}) {
    CAPTURE(path);
    CHECK(get(path) == "bad_request: a % in the path is not followed by two hexadecimal digits");
  }
}

TEST_CASE("OPTIONS of the server is answered and of a path refused with what it takes") {
  CHECK(go(Method::options, "*") == "server");
  CHECK(get("*") == "not_found");
  CHECK(go(Method::options, "/v1/time") == "method_not_allowed [GET, HEAD]");
}

TEST_CASE("a page of items begins behind an item whose code is percent-decoded") {
  CHECK(get("/v1/items?after=tick%65t") == "items ticket");
  CHECK(get("/v1/items?from=[app]&after=a&\xe7\xa5\xa8={}") == "items a");
  CHECK(get("/v1/items?after=a&after=b") == "bad_request: a parameter came twice");
  CHECK(get("/v1/items?after=") == "unknown_item");
  CHECK(get("/v1/orders?i%74em=t") == "list t");
  CHECK(get("/v1/orders?%zz=1&item=t&%=%") == "list t");
}

TEST_CASE("a body in a content coding is no JSON") {
  Request request{.method = Method::post, .has_body = true, .has_content_coding = true};
  for (const char* path : {"/v1/orders", "/v1/orders/00000000000000ff/payment"}) {
    request.path = path;
    CHECK(describe(route(request)) ==
          "unsupported_media_type: a body comes without content coding");
  }
  request.path = "/v1/orders/00000000000000ff/cancel";
  CHECK(describe(route(request)) == "cancel 255");
}

TEST_SUITE_END();

}  // namespace
}  // namespace stampede::http
