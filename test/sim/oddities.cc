#include "oddities.h"

namespace stampede::sim {
namespace {

constexpr Oddity kPublic[] = {
    // Pages, and what is asked of a server as a whole.
    {"GET /v1/time HTTP/1.1|Host: here||", 200},
    {"GET /v1/time HTTP/1.0||", 200},
    {"GET /v1/time HTTP/1.0|Connection: keep-alive||", 200},
    {"GET /v1/time HTTP/1.1|Host: here|Connection: close, other||", 200},
    {"|GET /v1/time HTTP/1.1|Host: here||", 200},
    {"GET http://here:8080/v1/time?x=1 HTTP/1.1|Host: elsewhere||", 200},
    {"HEAD /v1/items HTTP/1.1|Host: here||", 200},
    {"HEAD /v1/items/item-0 HTTP/1.1|Host: here||", 200},
    {"GET /v1/items HTTP/1.1|Host: here|If-None-Match: *||", 304},
    {"GET /v1/items/item-0 HTTP/1.1|Host: here|If-None-Match: W/\"a\", \"b,c\" , *||", 200},
    {"GET /v1/items/item-0 HTTP/1.1|Host: here|If-None-Match: *||", 304},
    {"GET /v1/items/item%2D0 HTTP/1.1|Host: here|Accept: */*||", 200},
    {"GET /v1/items?after=none HTTP/1.1|Host: here||", 404},
    {"OPTIONS * HTTP/1.1|Host: here||", 200},
    {"OPTIONS /v1/orders HTTP/1.1|Host: here|Origin: "
     "https://shop.example|Access-Control-Request-Method: POST||",
     204},
    {"OPTIONS /v1/none HTTP/1.1|Host: here|Origin: https://shop.example||", 404},
    {"OPTIONS /v1/orders HTTP/1.1|Host: here||", 405},
    {"GET /v1/time HTTP/1.1|Host: here|Origin: https://shop.example||", 200},
    // Lines that are none.
    {"GET /v1/time HTTP/1.1||", 400},
    {"GET /v1/time HTTP/1.1|Host: here|Host: here||", 400},
    {"GET /v1/time HTTP/1.1|Host: he re||", 400},
    {"GET  /v1/time HTTP/1.1|Host: here||", 400},
    {"GET /v1/time HTTP/2.0|Host: here||", 505},
    {"GET /v1/time HTTP/1.1 |Host: here||", 0},
    {"GET /v1/time HTTP/1.1|Host here||", 400},
    {"GET /v1/time HTTP/1.1|Ho st: here||", 400},
    {"GET /v1/time HTTP/1.1|Host: here| folded: yes||", 400},
    {"GET /v1/time HTTP/1.1|Host: here|X: a\x01z||", 400},
    {"GET /v1/t\x7fme HTTP/1.1|Host: here||", 400},
    {"G@T /v1/time HTTP/1.1|Host: here||", 400},
    {"GET v1/time HTTP/1.1|Host: here||", 400},
    {"GET http:/v1/time HTTP/1.1|Host: here||", 400},
    {"GET ftp://here/v1/time HTTP/1.1|Host: here||", 400},
    {"GET http://he@re/v1/time HTTP/1.1|Host: here||", 400},
    {"GET http://here HTTP/1.1|Host: here||", 404},
    {"GET * HTTP/1.1|Host: here||", 400},
    {"CONNECT here:80 HTTP/1.1|Host: here||", 0},
    {"GET /{a} HTTP/1.1|Host: here||", 414},
    {"GET /v1/time HTTP/1.1|Host: here|X: {a}|Y: {a}|Z: {a}||", 431},
    {"GET /v1/time HTTP/1.1|Host: "
     "here|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|"
     "A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|"
     "A:|A:|A:|"
     "A:|A:|A:|A:|A:|A:|A:|A:|A:|A:|A:||",
     431},
    // Paths and queries of nothing.
    {"GET /nowhere HTTP/1.1|Host: here||", 404},
    {"GET /v1/items/%zz HTTP/1.1|Host: here||", 0},
    {"GET /v1/%zz HTTP/1.1|Host: here||", 400},
    {"GET /v1/items/none HTTP/1.1|Host: here||", 404},
    {"GET /v1/items/none/stock HTTP/1.1|Host: here||", 404},
    {"DELETE /v1/orders HTTP/1.1|Host: here||", 405},
    {"PUT /v1/time HTTP/1.1|Host: here|Content-Length: 0||", 405},
    {"BREW /v1/time HTTP/1.1|Host: here||", 0},
    {"GET /v1/orders HTTP/1.1|Host: here|{u}|", 400},
    {"GET /v1/orders?item=item-0&item=item-0 HTTP/1.1|Host: here|{u}|", 400},
    {"GET /v1/orders?item=none HTTP/1.1|Host: here|{u}|", 404},
    {"GET /v1/orders?item=item-0 HTTP/1.1|Host: here||", 401},
    {"GET /v1/orders/123 HTTP/1.1|Host: here|{u}|", 404},
    {"GET /v1/orders/00000000000000aa?wait_ms=30001 HTTP/1.1|Host: here|{u}|", 400},
    {"GET /v1/orders/00000000000000aa?wait_ms=x HTTP/1.1|Host: here|{u}|", 400},
    {"GET /v1/orders/ffff0000000000aa?wait_ms=5 HTTP/1.1|Host: here|{u}|", 421},
    {"POST /v1/orders/ffff0000000000aa/cancel HTTP/1.1|Host: here|{u}Content-Length: 0||", 421},
    {"POST /v1/orders/00000000000000aa/refund HTTP/1.1|Host: here|{u}Content-Length: 0||", 404},
    {"POST /v1/items/none/link HTTP/1.1|Host: here|{u}Content-Length: 0||", 404},
    // Bodies that are framed otherwise.
    {"POST /v1/orders HTTP/1.1|Host: here|{u}|", 411},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Content-Length: 2x||{}", 400},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Content-Length: 2|Content-Length: 3||{}", 400},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Content-Length: 5000||{}", 413},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Content-Length: 2|Transfer-Encoding: chunked||0||",
     400},
    {"POST /v1/orders HTTP/1.0|{u}Transfer-Encoding: chunked||0||", 400},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Transfer-Encoding: gzip||", 400},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Transfer-Encoding: gzip, chunked||0||", 501},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Transfer-Encoding: chunked, chunked||0||", 400},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Transfer-Encoding: chunked;q=1||0||", 400},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Transfer-Encoding: , chunked||0||", 400},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Transfer-Encoding: chunked||"
     "f;name=\"a b\"|{\"item\":\"none\",|8|\"qty\":1}|0|Trailer: yes||",
     404},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Transfer-Encoding: chunked||1;a=b;c=d|", 400},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Transfer-Encoding: chunked||x|", 400},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Transfer-Encoding: chunked||000000001|", 400},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Transfer-Encoding: chunked||1001|", 413},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Transfer-Encoding: chunked||1;=x|", 400},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Transfer-Encoding: chunked||1;a=\"\\\"|", 400},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Transfer-Encoding: chunked||1|aa|", 400},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Transfer-Encoding: chunked||0|Content-Length: 1||",
     400},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Transfer-Encoding: chunked||0|T: {a}||", 431},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Expect: 100-continue|Content-Length: 23||"
     "{\"item\":\"none\",\"qty\":1} ",
     404},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Expect: more|Content-Length: 2||{}", 417},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Content-Encoding: gzip|Content-Length: 2||{}", 415},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Content-Encoding: identity|Content-Length: 2||{}",
     400},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Content-Type: text/plain|Content-Length: 2||{}", 415},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Content-Type: application/x-www-form-urlencoded; q=1|"
     "Content-Length: 2||{}",
     400},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Idempotency-Key: a b|Content-Length: 23||"
     "{\"item\":\"item-0\",\"qty\":1}",
     400},
    {"POST /v1/orders HTTP/1.1|Host: here|Authorization: Basic abc|Content-Length: 25||"
     "{\"item\":\"item-0\",\"qty\":1}",
     401},
    {"POST /v1/orders/00000000000000aa/payment HTTP/1.1|Host: here|Content-Length: 2||{}", 401},
    {"POST /v1/orders/00000000000000aa/payment HTTP/1.1|Host: here|Stampede-Signature: t=1,v1=00|"
     "Content-Length: 2||{}",
     401},
};

constexpr Oddity kOperators[] = {
    {"GET /healthz HTTP/1.1||", 400},
    {"GET /healthz HTTP/1.0||", 200},
    {"HEAD /readyz HTTP/1.1|Host: here||", 0},
    {"GET /readyz HTTP/1.1|Host: here||", 0},
    {"GET /metrics HTTP/1.1|Host: here|{t}|", 200},
    {"HEAD /metrics HTTP/1.1|Host: here|{t}|", 200},
    {"GET /metrics?item=item-0&item=none HTTP/1.1|Host: here|{t}|", 0},
    {"GET /metrics?item=item-0 HTTP/1.1|Host: here|{t}|", 200},
    {"GET /metrics?item= HTTP/1.1|Host: here|{t}|", 400},
    {"GET /admin/status HTTP/1.1|Host: here|{t}|", 200},
    {"GET /admin/status?after=item-0 HTTP/1.1|Host: here|{t}|", 200},
    {"GET /admin/status?after=none HTTP/1.1|Host: here|{t}|", 404},
    {"GET /admin/status?after= HTTP/1.1|Host: here|{t}|", 400},
    {"GET /admin/audit HTTP/1.1|Host: here|{t}|", 0},
    {"GET /admin/audit?item=none HTTP/1.1|Host: here|{t}|", 404},
    {"GET /admin/audit?after=item-0 HTTP/1.1|Host: here|{t}|", 0},
    {"GET /admin/audit?item=item-0&after=item-0 HTTP/1.1|Host: here|{t}|", 400},
    {"GET /admin/limits HTTP/1.1|Host: here|{t}|", 200},
    {"GET /admin/blocked?after_user=user-0 HTTP/1.1|Host: here|{t}|", 200},
    {"GET /admin/blocked?after_address=10.0.0.0%2F31 HTTP/1.1|Host: here|{t}|", 200},
    {"GET /admin/blocked?after_user=a&after_address=b HTTP/1.1|Host: here|{t}|", 400},
    {"GET /admin/blocked/addresses/2001:db8::%2F32 HTTP/1.1|Host: here|{t}|", 200},
    {"GET /admin/blocked/addresses/10.0.0.2 HTTP/1.1|Host: here|{t}|", 200},
    {"GET /admin/blocked/addresses/10.0.0.1%2F8 HTTP/1.1|Host: here|{t}|", 400},
    {"GET /admin/blocked/addresses/2001:db8::%2F65 HTTP/1.1|Host: here|{t}|", 400},
    {"GET /admin/blocked/addresses/here HTTP/1.1|Host: here|{t}|", 400},
    {"GET /admin/blocked/users/user-0?x HTTP/1.1|Host: here|{t}|", 400},
    {"GET /admin/blocked/users/a%20b HTTP/1.1|Host: here|{t}|", 400},
    {"GET /admin/blocked/others/a HTTP/1.1|Host: here|{t}|", 404},
    {"POST /admin/blocked/users/user-0 HTTP/1.1|Host: here|{t}Content-Length: 0||", 405},
    {"DELETE /metrics HTTP/1.1|Host: here|{t}|", 405},
    {"POST /admin/limits HTTP/1.1|Host: here|{t}Content-Length: 0||", 405},
    {"GET /admin/reload HTTP/1.1|Host: here|{t}|", 405},
    {"GET /admin/items/item-0 HTTP/1.1|Host: here|{t}|", 405},
    {"GET /admin/items/item-0/pause HTTP/1.1|Host: here|{t}|", 405},
    {"POST /admin/items/item-0/none HTTP/1.1|Host: here|{t}Content-Length: 0||", 404},
    {"POST /admin/items/none/pause HTTP/1.1|Host: here|{t}Content-Length: 0||", 404},
    {"POST /admin/items/none/restock HTTP/1.1|Host: here|{t}Content-Length: 0||", 404},
    {"PUT /admin/items/{a} HTTP/1.1|Host: here|{t}Content-Length: 0||", 414},
    {"PUT /admin/items/a%20b HTTP/1.1|Host: here|{t}Content-Type: application/json|Content-Length: "
     "2||{}",
     400},
    {"PUT /admin/items/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1|"
     "Host: here|{t}Content-Length: 0||",
     400},
    {"GET /admin/none HTTP/1.1|Host: here|{t}|", 404},
    {"GET /admin/%zz HTTP/1.1|Host: here|{t}|", 400},
    {"OPTIONS * HTTP/1.1|Host: here|{t}|", 200},
    {"GET /metrics HTTP/1.1|Host: elsewhere|{t}|", 403},
    {"GET /metrics HTTP/1.1|Host: 127.0.0.1|{t}|", 403},
    {"GET /metrics HTTP/1.1|Host: here|Origin: https://here|{t}|", 200},
    {"GET /metrics HTTP/1.1|Host: here|Origin: https://elsewhere|{t}|", 403},
    {"GET /metrics HTTP/1.1|Host: here|Origin: null|{t}|", 403},
    {"PUT /admin/limits HTTP/1.1|{t}|", 400},
    {"PUT /admin/limits HTTP/1.1|Host: here|{t}Content-Type: text/plain|Content-Length: 2||{}",
     403},
    {"PUT /admin/limits HTTP/1.1|Host: here|{t}Content-Type: application/json|Content-Encoding: "
     "gzip|"
     "Content-Length: 2||{}",
     415},
};

constexpr Oddity kExtras[] = {
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Content-Length: 26||{\"item\":\"members\",\"qty\":1}",
     403},
    {"POST /v1/orders HTTP/1.1|Host: here|{m}Content-Length: 26||{\"item\":\"members\",\"qty\":1}",
     0},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Content-Length: 25||{\"item\":\"proven\",\"qty\":1}",
     403},
    {"POST /v1/items/proven/link HTTP/1.1|Host: here|{u}Content-Length: 0||", 403},
    {"POST /v1/items/proven/link HTTP/1.1|Host: here|{u}Stampede-Proof: "
     "v1.a.b.1.p1.c|Content-Length: 0||",
     403},
    {"POST /v1/items/proven/link HTTP/1.1|Host: here|{m}{p}Content-Length: 0||", 403},
    {"POST /v1/items/proven/link HTTP/1.1|Host: here|{u}{p}Content-Length: 0||", 0},
    {"POST /v1/items/later/link HTTP/1.1|Host: here|{u}Content-Length: 0||", 404},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Content-Length: 24||{\"item\":\"later\",\"qty\":1}",
     403},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Content-Length: 23||{\"item\":\"over\",\"qty\":1}",
     410},
    {"POST /v1/orders HTTP/1.1|Host: here|{u}Content-Length: 23||{\"item\":\"slow\",\"qty\":1}", 0},
    {"POST /v1/orders HTTP/1.1|Host: here|{m}Content-Length: 23||{\"item\":\"slow\",\"qty\":1}", 0},
    {"GET /v1/items/later HTTP/1.1|Host: here||", 200},
    {"GET /v1/items/over/stock HTTP/1.1|Host: here||", 200},
};

constexpr std::string_view kNoOrders[] = {
    "{}",
    "[]",
    "{\"item\":\"item-0\"}",
    "{\"qty\":1}",
    "{\"item\":\"item-0\",\"qty\":0}",
    "{\"item\":\"item-0\",\"qty\":1001}",
    "{\"item\":\"item-0\",\"qty\":-1}",
    "{\"item\":\"item-0\",\"qty\":\"1\"}",
    "{\"item\":\"item-0\",\"qty\":1.5}",
    "{\"item\":\"item-0\",\"qty\":01}",
    "{\"item\":\"item-0\",\"qty\":99999999999999999999}",
    "{\"item\":\"item-0\",\"qty\":1,\"qty\":2}",
    "{\"item\":\"item-0\",\"item\":\"item-0\",\"qty\":1}",
    "{\"item\":5,\"qty\":1}",
    "{\"item\":\"\",\"qty\":1}",
    "{\"item\":\"item-0\",\"qty\":1",
    "{\"item\":\"item-0\",\"qty\":1}}",
    "{\"item\":\"item-0\" \"qty\":1}",
    "{\"item\":\"item-0\",\"qty\":1,}",
    "{item:\"item-0\",\"qty\":1}",
    "{\"item\":\"item-0\\\",\"qty\":1}",
    "{\"item\":\"\\ud800\",\"qty\":1}",
    "{\"item\":\"\\x\",\"qty\":1}",
    "{\"item\":\"a\x01\",\"qty\":1}",
    "{\"item\":\"item-0\",\"qty\":1,\"more\":[[[[{\"a\":tru}]]]]}",
    "{\"item\":\"item-0\",\"qty\":null}",
    "\xff\xfe"};

constexpr std::string_view kNoPayments[] = {
    "{}",
    "{\"payment_id\":\"p\",\"amount\":1,\"currency\":\"EUR\"}",
    "{\"payment_id\":\"p\",\"amount\":1,\"status\":\"succeeded\"}",
    "{\"payment_id\":\"p\",\"currency\":\"EUR\",\"status\":\"succeeded\"}",
    "{\"amount\":1,\"currency\":\"EUR\",\"status\":\"succeeded\"}",
    "{\"payment_id\":\"\",\"amount\":1,\"currency\":\"EUR\",\"status\":\"succeeded\"}",
    "{\"payment_id\":\"a b\",\"amount\":1,\"currency\":\"EUR\",\"status\":\"succeeded\"}",
    "{\"payment_id\":\"p\",\"amount\":-1,\"currency\":\"EUR\",\"status\":\"succeeded\"}",
    "{\"payment_id\":\"p\",\"amount\":1,\"currency\":\"EURO\",\"status\":\"succeeded\"}",
    "{\"payment_id\":\"p\",\"amount\":1,\"currency\":\"EUR\",\"status\":\"perhaps\"}",
    "{\"payment_id\":\"p\",\"amount\":1,\"currency\":\"EUR\",\"status\":\"succeeded\",\"status\":"
    "\"failed\"}",
    "{\"payment_id\":\"p\",\"amount\":1e3,\"currency\":\"EUR\",\"status\":\"succeeded\"}"};

constexpr std::string_view kNoItems[] = {"",
                                         "{}",
                                         "[]",
                                         "{",
                                         "{\"price\":1}",
                                         "{\"price\":1,}",
                                         "{\"price\" 1}",
                                         "{\"title\":\"a\x01z\"}",
                                         "{\"title\":\"\xff\"}",
                                         "{\"price\":-1,\"stock\":1}",
                                         "{\"price\":\"a\",\"stock\":1}",
                                         "{\"price\":1,\"price\":2,\"stock\":1}",
                                         "{\"title\":\"\",\"stock\":1}",
                                         "{\"title\":5,\"stock\":1}",
                                         "{\"currency\":\"eur\",\"stock\":1}",
                                         "{\"stock\":-1}",
                                         "{\"stock\":1.5}",
                                         "{\"stock\":1,\"per_user_limit\":-1}",
                                         "{\"stock\":1,\"starts_at\":\"never\"}",
                                         "{\"stock\":1,\"starts_at\":5}",
                                         "{\"stock\":1,\"starts_at\":\"2026-12-31T23:59:60Z\"}",
                                         "{\"stock\":1,\"starts_at\":\"1970-01-01T00:00:00Z\"}",
                                         "{\"stock\":1,\"starts_at\":\"1969-01-01T00:00:00Z\"}",
                                         "{\"stock\":1,\"starts_at\":\"2026-02-29T00:00:00Z\"}",
                                         "{\"stock\":1,\"starts_at\":\"2026-12-01T10:00:00+08:00\","
                                         "\"ends_at\":\"2026-12-01T01:59:59.999Z\"}",
                                         "{\"stock\":1,\"pay_window_s\":0}",
                                         "{\"stock\":1,\"hidden_link\":1}",
                                         "{\"stock\":1,\"order_rate\":-1}",
                                         "{\"stock\":1,\"proof\":true}",
                                         "{\"stock\":1,\"product\":\" \"}",
                                         "{\"stock\":1,\"product\":\"4711\"}",
                                         "{\"stock\":1,\"enrolled\":\"\"}",
                                         "{\"stock\":1,\"enrolled\":\"members.txt\"}",
                                         "{\"stock\":1,\"code\":\"other\"}",
                                         "{\"stock\":1,\"code\":\"..\"}",
                                         "{\"stock\":1,\"code\":5}",
                                         "{\"stock\":1,\"what\":1}"};

constexpr std::string_view kNoRestocks[] = {"{}",
                                            "{\"op_id\":\"x\"}",
                                            "{\"delta\":1}",
                                            "{\"op_id\":\"x\",\"delta\":0}",
                                            "{\"op_id\":\"x\",\"delta\":\"1\"}",
                                            "{\"op_id\":\"\",\"delta\":1}",
                                            "{\"op_id\":\"a b\",\"delta\":1}",
                                            "{\"op_id\":5,\"delta\":1}",
                                            "{\"op_id\":\"x\",\"delta\":1,\"delta\":2}",
                                            "{\"op_id\":\"x\",\"delta\":1,\"more\":2}",
                                            "{\"op_id\":\"x\",\"delta\":9007199254740993}"};

constexpr std::string_view kNoLevers[] = {"{}",
                                          "{\"nothing\":1}",
                                          "{\"rate_user\":\"x\"}",
                                          "{\"rate_user\":\"5/0s\"}",
                                          "{\"rate_user\":\"5/s\"}",
                                          "{\"rate_user\":\"5/25h\"}",
                                          "{\"rate_user\":5}",
                                          "{\"degrade\":\"all\"}",
                                          "{\"degrade\":1}",
                                          "{\"order_rate\":\"often\"}",
                                          "{\"order_rate\":-1}",
                                          "{\"lease_max\":-1}",
                                          "{\"lease_max\":1,\"lease_max\":2}",
                                          "{\"connections\":2000000}",
                                          "{\"open_per_user\":99999999999}"};

}  // namespace

std::span<const Oddity> public_oddities() {
  return kPublic;
}
std::span<const Oddity> operator_oddities() {
  return kOperators;
}
std::span<const Oddity> extra_oddities() {
  return kExtras;
}
std::span<const std::string_view> no_orders() {
  return kNoOrders;
}
std::span<const std::string_view> no_payments() {
  return kNoPayments;
}
std::span<const std::string_view> no_items() {
  return kNoItems;
}
std::span<const std::string_view> no_restocks() {
  return kNoRestocks;
}
std::span<const std::string_view> no_levers() {
  return kNoLevers;
}

}  // namespace stampede::sim
