// The public side without a shard: a desk that answers as a test says, and what a turn costs.
#include "shard/public_api.h"

#include <map>

#include "connections_rig.h"
#include "stock/catalog_json.h"

using namespace stampede;
using namespace stampede::shard;
using world::FakeClient;

namespace {

// The desks of all shards: keeps questions, or answers them at once.
struct KeepingOrders : Orders {
  bool submit(const OrderRequest& request) override {
    ++submitted;
    if (!has_credit) return false;
    if (answer)
      answer(request);
    else
      requests.push_back(request);
    return true;
  }
  Glance glance(ItemId item) override {
    ++glances;
    return known[item];
  }

  bool has_credit = true;
  uint64_t submitted = 0, glances = 0;
  std::function<void(const OrderRequest&)> answer;
  std::vector<OrderRequest> requests;
  std::map<ItemId, Glance> known;
};

stock::ItemTerms terms_of(ItemId id, std::string_view code) {
  stock::ItemTerms terms;
  terms.id = id;
  terms.code = code;
  terms.title = code;
  return terms;
}

struct ApiRig : ConnectionsRig {
  explicit ApiRig(bool by_ticket = false)
      : api({.by_ticket = by_ticket, .places_max = 4096}, connections.answers(), catalog, orders,
            clock.now()) {
    catalog.upsert(terms_of(0, "ticket"));
    connections.add_listener(public_listener, {.handler = &api});
    in_turn = [this] {
      api.pass_time(clock.now());
      if (extra) extra();
    };
  }
  // Turns until neither side has anything to do without time passing.
  uint32_t rest_all(uint32_t turns_max = 100'000) {
    uint32_t turns = 0;
    while (turn() || api.has_work() || connections.has_work()) REQUIRE(++turns < turns_max);
    return turns;
  }
  void pass_all(int64_t ns) {
    clock.advance(ns);
    rest_all();
  }
  FakeClient& buyer() {
    FakeClient& client = net.connect(public_listener);
    rest_all();
    return client;
  }
  std::vector<Response> answers(FakeClient& client, std::string_view bytes) {
    client.send(bytes);
    rest_all();
    return responses_in(client.read());
  }
  // Lists of so many orders, given one by one within the call.
  void give_lists_of(uint32_t count) {
    orders.answer = [this, count](const OrderRequest& request) {
      OrderAnswer answer;
      answer.reply_to = request.reply_to;
      answer.kind = request.kind;
      answer.verdict = Verdict::ok;
      answer.has_order = true;
      const uint64_t before = request.order.value == 0 ? count : request.order.sequence() - 1;
      answer.order.id = OrderId::make(0, before, 1);
      answer.order.item = 0;
      answer.order.quantity = 1;
      answer.order.user = request.user;
      answer.order.currency = {'C', 'N', 'Y'};
      answer.has_more = before > 1;
      api.complete(answer);
    };
  }

  stock::Catalog catalog{HashKey{}};
  KeepingOrders orders;
  PublicApi api;
  net::Socket public_listener = net.listen();
  std::function<void()> extra;
};

std::string get_as(std::string_view path, std::string_view more = {}) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\nX-User-Id: u1\r\n" +
         std::string(more) + "\r\n";
}

std::string post(std::string_view path, std::string_view body, std::string_view more = {}) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n" + std::string(more) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

constexpr std::string_view kUser = "X-User-Id: u1\r\n";
constexpr std::string_view kOrder = R"({"item":"ticket","qty":2})";

size_t count_of(std::string_view text, std::string_view part) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size()) ++count;
  return count;
}

}  // namespace

TEST_SUITE("shard/public_api") {
  TEST_CASE("an order becomes a request to the desk and its answer the response") {
    ApiRig rig;
    FakeClient& client = rig.buyer();
    client.send(post("/v1/orders", kOrder, std::string(kUser) + "Idempotency-Key: k\r\n"));
    rig.rest_all();
    REQUIRE(rig.orders.requests.size() == 1);
    const OrderRequest& request = rig.orders.requests[0];
    CHECK(request.kind == RequestKind::create);
    CHECK(request.item == 0);
    CHECK(request.quantity == 2);
    CHECK(std::string_view(request.user) == "u1");
    CHECK(std::string_view(request.key) == "k");
    OrderAnswer answer;
    answer.reply_to = request.reply_to;
    answer.verdict = Verdict::created;
    answer.has_order = true;
    answer.order.id = OrderId::make(0, 1, 1);
    answer.order.item = 0;
    answer.order.user = request.user;
    rig.api.complete(answer);
    rig.rest_all();
    const Response response = responses_in(client.read()).at(0);
    CHECK(response.status == 201);
    CHECK(response.body.find("\"item\":\"ticket\"") != std::string::npos);
    CHECK(rig.metrics.answers[static_cast<unsigned>(Verdict::created)].get() == 1);
  }

  // Each request fails at one check and at every later one: the first one answers.
  TEST_CASE("the checks of the door stand in their order") {
    ApiRig rig;
    FakeClient& client = rig.buyer();
    const std::string bad_key = "Idempotency-Key: a b\r\n";
    const std::string unknown = R"({"item":"nothing","qty":1})";
    const std::vector<Response> answers = rig.answers(
        client, post("/v1/orders", "{", bad_key) + post("/v1/orders", unknown, bad_key) +
                    post("/v1/orders", kOrder, bad_key) +
                    post("/v1/orders", kOrder, std::string(kUser) + bad_key));
    REQUIRE(answers.size() == 4);
    CHECK(answers[0].status == 400);
    CHECK(answers[1].status == 404);
    CHECK(answers[2].status == 401);
    CHECK(answers[3].status == 400);
    CHECK(answers[3].body.find("Idempotency-Key") != std::string::npos);
    CHECK(rig.orders.submitted == 0);
  }

  TEST_CASE("without tickets nobody is known and without a credit the answer is overloaded") {
    ApiRig by_ticket(true);
    CHECK(by_ticket
              .answers(by_ticket.buyer(), post("/v1/orders", kOrder, "Authorization: Bearer x\r\n"))
              .at(0)
              .status == 401);
    ApiRig rig;
    rig.orders.has_credit = false;
    const Response response = rig.answers(rig.buyer(), post("/v1/orders", kOrder, kUser)).at(0);
    CHECK(response.status == 503);
    CHECK(response.body.find("\"overloaded\"") != std::string::npos);
  }

  TEST_CASE("a request without a length ends the connection") {
    ApiRig rig;
    FakeClient& client = rig.buyer();
    const std::vector<Response> answers =
        rig.answers(client, "POST /v1/orders HTTP/1.1\r\nHost: a\r\nX-User-Id: u1\r\n\r\n" +
                                get_as("/v1/time"));
    REQUIRE(answers.size() == 1);
    CHECK(answers[0].status == 411);
    CHECK(client.sees_end());
  }

  TEST_CASE("an order of another node is misdirected and asks nobody") {
    ApiRig rig;
    const std::vector<Response> answers =
        rig.answers(rig.buyer(), get_as("/v1/orders/0040000000004001?wait_ms=1000") +
                                     get_as("/v1/orders/0040000000004001"));
    REQUIRE(answers.size() == 2);
    CHECK(answers[0].status == 421);
    CHECK(answers[1].body.find("\"node\":1") != std::string::npos);
    CHECK(rig.orders.submitted == 0);
  }

  TEST_CASE("a key that a gateway has blanked is none") {
    ApiRig rig;
    FakeClient& client = rig.buyer();
    for (const char* line : {"Idempotency-Key:\r\n", "Idempotency-Key: \t \r\n"}) {
      client.send(post("/v1/orders", kOrder, std::string(kUser) + line));
      rig.rest_all();
    }
    REQUIRE(rig.orders.requests.size() == 2);
    for (const OrderRequest& request : rig.orders.requests) CHECK(request.key.empty());
  }

  // ---- refusals by item ----

  using Reason = std::pair<Verdict, Limit>;
  std::map<Reason, uint64_t> refusals_of(const ApiRig& rig, ItemId item) {
    std::vector<stock::ItemRefusals> all;
    rig.metrics.refusals.add_to(all);
    std::map<Reason, uint64_t> counts;
    for (const stock::ItemRefusals& one : all)
      for (unsigned verdict = 0; verdict < kVerdictCount; ++verdict)
        for (unsigned limit = 0; limit < kLimitCount; ++limit) {
          const Reason reason{static_cast<Verdict>(verdict), static_cast<Limit>(limit)};
          const uint64_t count = one.by_reason[stock::reason_of(reason.first, reason.second)];
          const bool is_its_own = (reason.first == Verdict::rate_limited) == (limit != 0);
          if (one.item == item && is_its_own && count != 0) counts[reason] = count;
        }
    return counts;
  }

  TEST_CASE("every refusal of an order or a link counts once for its item whoever refuses it") {
    ApiRig rig;
    stock::ItemTerms hidden = terms_of(1, "hidden");
    hidden.has_hidden_link = true;
    rig.catalog.upsert(hidden);
    door::AddressTable addresses(1, 16, 16);
    rig.api.count_addresses_in(addresses);
    FakeClient& client = rig.buyer();
    const std::string user(kUser), link = "/v1/items/hidden/link";
    rig.answers(client, post("/v1/orders", kOrder) +
                            post("/v1/orders", R"({"item":"nothing","qty":1})", user) +
                            post(link, "") + post("/v1/items/ticket/link", "", user));
    CHECK(refusals_of(rig, 0) ==
          std::map<Reason, uint64_t>{{{Verdict::unauthenticated, Limit::none}, 1},
                                     {{Verdict::not_found, Limit::none}, 1}});
    // The desk's.
    rig.orders.answer = [&](const OrderRequest& request) {
      OrderAnswer answer;
      answer.reply_to = request.reply_to;
      answer.kind = request.kind;
      answer.order.item = request.item;
      answer.verdict = request.quantity == 2 ? Verdict::sold_out : Verdict::rate_limited;
      if (answer.verdict == Verdict::rate_limited) answer.limit = Limit::user;
      rig.api.complete(answer);
    };
    rig.answers(client, post("/v1/orders", kOrder, user) + post(link, "", user));
    // No credit, then no more requests of this address.
    rig.orders.has_credit = false;
    rig.answers(client, post("/v1/orders", kOrder, user) + post(link, "", user) +
                            get_as("/v1/orders/0000000000004001"));
    door::Rules rules;
    rules.limits.address = {.requests = 1, .window_ms = 3'600'000};
    rig.api.set_rules(std::make_shared<const door::Rules>(rules));
    rig.answers(client, get("/v1/time") + post("/v1/orders", kOrder, user) +
                            post("/v1/orders", kOrder) + post(link, "", user));
    CHECK(refusals_of(rig, 0) ==
          std::map<Reason, uint64_t>{{{Verdict::unauthenticated, Limit::none}, 1},
                                     {{Verdict::not_found, Limit::none}, 1},
                                     {{Verdict::sold_out, Limit::none}, 1},
                                     {{Verdict::overloaded, Limit::none}, 1},
                                     {{Verdict::rate_limited, Limit::address}, 2}});
    CHECK(refusals_of(rig, 1) ==
          std::map<Reason, uint64_t>{{{Verdict::unauthenticated, Limit::none}, 1},
                                     {{Verdict::overloaded, Limit::none}, 1},
                                     {{Verdict::rate_limited, Limit::user}, 1},
                                     {{Verdict::rate_limited, Limit::address}, 1}});
  }

  // Those who have an order come in beyond all places; whoever wants one does not.
  TEST_CASE("a guest may pay cancel and read and hears overloaded of everything else") {
    ApiRig rig;
    rig.net.set_places_max(1);
    rig.buyer().send(post("/v1/orders", kOrder, kUser));
    rig.rest_all();
    REQUIRE(rig.orders.requests.size() == 1);
    rig.orders.answer = [&](const OrderRequest& request) {
      OrderAnswer answer;
      answer.reply_to = request.reply_to;
      answer.kind = request.kind;
      answer.verdict = Verdict::unknown_order;
      rig.api.complete(answer);
    };
    const std::string id = "/v1/orders/0000000000004001";
    const auto status_of = [&](const std::string& request) {
      FakeClient& guest = rig.buyer();
      const std::vector<Response> answers = rig.answers(guest, request);
      REQUIRE(answers.size() == 1);
      CHECK(answers[0].head.find("Connection: close") != std::string::npos);
      guest.close();
      rig.rest_all();
      return answers[0].status;
    };
    CHECK(status_of(post(id + "/payment", "{}")) == 401);
    CHECK(status_of(post(id + "/cancel", "", kUser)) == 404);
    CHECK(status_of(get_as(id)) == 404);
    CHECK(status_of(get_as(id + "?wait_ms=30000")) == 404);
    for (const std::string& request :
         {post("/v1/orders", kOrder, kUser), get_as("/v1/items"), get_as("/v1/time"),
          get_as("/v1/items/ticket/stock"), post("/v1/items/ticket/link", "", kUser)})
      CHECK(status_of(request) == 503);
    CHECK(rig.orders.submitted == 4);
  }

  // ---- lists ----

  TEST_CASE("a list has every order once and the newest first") {
    ApiRig rig;
    rig.give_lists_of(1'000);
    const Response response = rig.answers(rig.buyer(), get_as("/v1/orders?item=ticket")).at(0);
    CHECK(response.status == 200);
    CHECK(count_of(response.body, "\"order_id\"") == 1'000);
    CHECK(response.body.find("\"order_id\":\"0000000000fa0001\"") < 20);
  }

  TEST_CASE(
      "long lists ask a bounded number of questions a turn and one is under way a connection") {
    ApiRig rig;
    rig.give_lists_of(1'000);
    std::vector<FakeClient*> clients;
    for (int i = 0; i < 16; ++i) clients.push_back(&rig.buyer());
    for (FakeClient* client : clients) client->send(repeated(get_as("/v1/orders?item=ticket"), 4));
    uint32_t turns = 0;
    for (bool goes_on = true; goes_on;) {
      const uint64_t before = rig.orders.submitted;
      goes_on = rig.turn() || rig.api.has_work() || rig.connections.has_work();
      CHECK(rig.orders.submitted - before <= OrderLists::kQuestionsPerTurn);
      // One finished or growing list a connection.
      CHECK(rig.connections.answers().text_bytes() <= 16 * 220'000);
      REQUIRE(++turns < 100'000);
    }
    for (FakeClient* client : clients) {
      const std::vector<Response> responses = responses_in(client->read());
      REQUIRE(responses.size() == 4);
      for (const Response& one : responses) CHECK(count_of(one.body, "\"order_id\"") == 1'000);
    }
  }

  TEST_CASE("a second list waits until the client has taken the first") {
    ApiRig rig;
    rig.give_lists_of(1'000);
    FakeClient& client = rig.buyer();
    client.set_window(1'000);
    client.send(repeated(get_as("/v1/orders?item=ticket"), 64));
    rig.rest_all();
    CHECK(rig.orders.submitted == 1'000);
    client.set_window(SIZE_MAX);
    client.read();
    rig.rest_all();
    CHECK(rig.orders.submitted == 64'000);
  }

  TEST_CASE("an order between two lists is answered between them") {
    ApiRig rig;
    rig.give_lists_of(50);
    FakeClient& client = rig.buyer();
    const std::vector<Response> responses =
        rig.answers(client, get_as("/v1/orders?item=ticket") + get_as("/v1/time") +
                                get_as("/v1/orders?item=ticket"));
    REQUIRE(responses.size() == 3);
    CHECK(count_of(responses[0].body, "\"order_id\"") == 50);
    CHECK(responses[1].body.find("unix_ms") != std::string::npos);
    CHECK(count_of(responses[2].body, "\"order_id\"") == 50);
  }

  TEST_CASE("a list whose client has gone asks nothing more") {
    ApiRig rig;
    FakeClient& client = rig.buyer();
    client.send(get_as("/v1/orders?item=ticket"));
    rig.rest_all();
    REQUIRE(rig.orders.requests.size() == 1);
    client.reset();
    rig.rest_all();
    OrderAnswer answer;
    answer.reply_to = rig.orders.requests[0].reply_to;
    answer.kind = RequestKind::list;
    answer.verdict = Verdict::ok;
    rig.api.complete(answer);
    rig.rest_all();
    CHECK(rig.orders.submitted == 1);
    CHECK(!rig.api.has_work());
  }

  TEST_CASE("more lists than are made at a time wait for their turn") {
    ApiRig rig;
    std::vector<FakeClient*> clients;
    for (uint32_t i = 0; i < OrderLists::kUnderWayMax + 10; ++i) {
      clients.push_back(&rig.buyer());
      clients.back()->send(get_as("/v1/orders?item=ticket"));
    }
    rig.rest_all();
    CHECK(rig.orders.requests.size() == OrderLists::kUnderWayMax);
    for (size_t i = 0; i < rig.orders.requests.size(); ++i) {
      OrderAnswer answer;
      answer.reply_to = rig.orders.requests[i].reply_to;
      answer.kind = RequestKind::list;
      answer.verdict = Verdict::ok;
      rig.api.complete(answer);
      rig.rest_all();
    }
    for (FakeClient* client : clients)
      CHECK(responses_in(client->read()).at(0).body == "{\"orders\":[]}");
  }

  // ---- long polls ----

  TEST_CASE("a long poll is answered by the change or when its time is over") {
    ApiRig rig;
    const auto answer_to = [&](size_t request, bool is_watching) {
      OrderAnswer answer;
      answer.reply_to = rig.orders.requests.at(request).reply_to;
      answer.kind = rig.orders.requests.at(request).kind;
      answer.verdict = Verdict::ok;
      answer.is_watching = is_watching;
      answer.has_order = !is_watching;
      answer.order.id = OrderId{0x4001};
      answer.order.item = 0;
      rig.api.complete(answer);
      rig.rest_all();
    };
    FakeClient& changed = rig.buyer();
    FakeClient& unchanged = rig.buyer();
    changed.send(get_as("/v1/orders/0000000000004001?wait_ms=1000"));
    rig.rest_all();
    unchanged.send(get_as("/v1/orders/0000000000004001?wait_ms=1000"));
    rig.rest_all();
    REQUIRE(rig.orders.requests.size() == 2);
    CHECK(rig.orders.requests[0].kind == RequestKind::watch);
    CHECK(rig.orders.requests[0].wait_ms > 0);
    answer_to(0, true);
    answer_to(1, true);
    CHECK(!rig.api.has_work());
    answer_to(0, false);
    CHECK(responses_in(changed.read()).size() == 1);
    rig.pass_all(kSecond + 20 * kMillisecond);
    REQUIRE(rig.orders.requests.size() == 3);
    CHECK(rig.orders.requests[2].kind == RequestKind::read);
    answer_to(2, false);
    CHECK(responses_in(unchanged.read()).size() == 1);
    answer_to(1, false);  // a notice that crosses it
    CHECK(unchanged.read().empty());
  }

  TEST_CASE("a long poll ends when another request waits behind it or the server stops") {
    for (const bool stops : {false, true}) {
      CAPTURE(stops);
      ApiRig rig;
      FakeClient& client = rig.buyer();
      client.send(get_as("/v1/orders/0000000000004001?wait_ms=30000"));
      rig.rest_all();
      OrderAnswer watching;
      watching.reply_to = rig.orders.requests.at(0).reply_to;
      watching.kind = RequestKind::watch;
      watching.verdict = Verdict::ok;
      watching.is_watching = true;
      rig.api.complete(watching);
      rig.rest_all();
      CHECK(rig.orders.requests.size() == 1);
      if (stops)
        rig.connections.begin_stop(rig.clock.now());
      else
        client.send(get_as("/v1/time"));
      rig.rest_all();
      REQUIRE(rig.orders.requests.size() == 2);
      CHECK(rig.orders.requests[1].kind == RequestKind::read);
      rig.connections.answers().refuse(rig.orders.requests[1].reply_to,
                                       {.verdict = Verdict::unknown_order});
      rig.rest_all();
      CHECK(responses_in(client.read()).size() == (stops ? 1 : 2));
      CHECK(rig.connections.is_drained() == stops);
    }
  }

  // ---- stock ----

  TEST_CASE("stock is the last news and its age only when it is old") {
    ApiRig rig;
    FakeClient& client = rig.buyer();
    rig.orders.known[0] = {.available = 5, .age_ns = 300 * kMillisecond, .is_known = true};
    const std::string fresh = rig.answers(client, get("/v1/items/ticket/stock")).at(0).body;
    CHECK(fresh.starts_with("{\"state\":\"open\",\"available\":5,\"server_time\":\"2027-"));
    CHECK(fresh.find("age_ms") == std::string::npos);
    // The ledger is away.
    rig.orders.known[0].age_ns = 90 * kSecond;
    const Response old = rig.answers(client, get("/v1/items/ticket/stock")).at(0);
    CHECK(old.status == 200);
    CHECK(old.body.ends_with(",\"age_ms\":90000}"));
    rig.orders.known[0].available = 0;
    CHECK(rig.answers(client, get("/v1/items/ticket/stock"))
              .at(0)
              .body.starts_with("{\"state\":\"sold_out\",\"available\":0,"));
  }

  TEST_CASE("a question about stock that nothing is known of waits without a turn") {
    ApiRig rig;
    rig.orders.known[0] = {.is_news_coming = true};
    FakeClient& client = rig.buyer();
    client.send(repeated(get("/v1/items/ticket/stock"), 64));
    CHECK(rig.rest_all() < 64 / kRequestsPerRead + 4);
    const uint64_t glances = rig.orders.glances;
    for (int i = 0; i < 100; ++i) CHECK(!rig.turn());
    CHECK(rig.orders.glances == glances);
    CHECK(!rig.api.has_work());
    CHECK(rig.api.quiet_until_ns() > rig.clock.now().boot_ns);
    rig.orders.known[0] = {.available = 7, .is_known = true};
    rig.api.on_news(0);
    rig.rest_all();
    const std::vector<Response> responses = responses_in(client.read());
    REQUIRE(responses.size() == 64);
    for (const Response& one : responses)
      CHECK(one.body.find("\"available\":7") != std::string::npos);
  }

  TEST_CASE("old news is answered when fresh news does not come in time") {
    ApiRig rig;
    rig.orders.known[0] = {
        .available = 3, .age_ns = 2 * kSecond, .is_known = true, .is_news_coming = true};
    FakeClient& client = rig.buyer();
    client.send(get("/v1/items/ticket/stock"));
    rig.rest_all();
    CHECK(client.read().empty());
    rig.pass_all(501 * kMillisecond);
    CHECK(responses_in(client.read()).at(0).body.find("\"age_ms\":2000") != std::string::npos);
  }

  TEST_CASE("without any news ever the answer is try_again when its time is over") {
    ApiRig rig;
    FakeClient& client = rig.buyer();
    client.send(get("/v1/items/ticket/stock"));
    rig.rest_all();
    rig.pass_all(400 * kMillisecond);
    client.send(get("/v1/items/ticket/stock"));
    rig.rest_all();
    rig.pass_all(101 * kMillisecond);
    CHECK(responses_in(client.read()).at(0).status == 503);
    CHECK(client.read().empty());  // the second has its own time
    rig.pass_all(400 * kMillisecond);
    CHECK(responses_in(client.read()).size() == 1);
  }

  // ---- items ----

  TEST_CASE("a page of the catalog is made once and in bounded pieces") {
    ApiRig rig;
    for (ItemId id = 1; id < 1'500; ++id)
      rig.catalog.upsert(terms_of(id, "item-" + std::to_string(id)));
    FakeClient& first = rig.buyer();
    FakeClient& second = rig.buyer();
    first.send(get("/v1/items"));
    second.send(get("/v1/items"));
    const uint32_t turns = rig.rest_all();
    CHECK(turns >= 1'000 / CatalogPages::kItemsPerTurn);
    CHECK(rig.api.pages_rendered() == 1);
    const std::string page = responses_in(first.read()).at(0).body;
    CHECK(count_of(page, "\"code\"") == 1'000);
    CHECK(page.ends_with("],\"next\":\"item-999\"}"));
    CHECK(responses_in(second.read()).at(0).body == page);
    for (int i = 0; i < 100; ++i)
      CHECK(rig.answers(first, get("/v1/items")).at(0).body.size() == page.size());
    CHECK(rig.api.pages_rendered() == 1);
    const Response rest = rig.answers(first, get("/v1/items?after=item-999")).at(0);
    CHECK(count_of(rest.body, "\"code\"") == 500);
    CHECK(rest.body.ends_with("]}"));
    CHECK(rig.api.pages_rendered() == 2);
  }

  TEST_CASE("a page is made anew when the catalog changes and not sent to a client that has it") {
    ApiRig rig;
    FakeClient& client = rig.buyer();
    const Response before = rig.answers(client, get("/v1/items")).at(0);
    const size_t at = before.head.find("ETag: ") + 6;
    const std::string tag = before.head.substr(at, before.head.find("\r\n", at) - at);
    CHECK(rig.answers(client, get_as("/v1/items", "If-None-Match: " + tag + "\r\n")).at(0).status ==
          304);
    rig.catalog.upsert(terms_of(1, "another"));
    const Response after =
        rig.answers(client, get_as("/v1/items", "If-None-Match: " + tag + "\r\n")).at(0);
    CHECK(after.status == 200);
    CHECK(count_of(after.body, "\"code\"") == 2);
    CHECK(rig.api.pages_rendered() == 2);
    CHECK(rig.answers(client, get("/v1/items?after=nothing")).at(0).status == 404);
  }

  TEST_CASE("a page that a change overtakes is answered and not kept") {
    ApiRig rig;
    for (ItemId id = 1; id < 900; ++id)
      rig.catalog.upsert(terms_of(id, "item-" + std::to_string(id)));
    FakeClient& client = rig.buyer();
    client.send(get("/v1/items"));
    rig.turn();
    rig.catalog.upsert(terms_of(900, "late"));
    rig.rest_all();
    CHECK(count_of(responses_in(client.read()).at(0).body, "\"code\"") == 901);
    rig.answers(client, get("/v1/items"));
    CHECK(rig.api.pages_rendered() == 2);
  }

  // Says what clients that read through a catalog get, from behind `after` on.
  TEST_CASE("whoever asks for pages that begin anywhere holds nobody up") {
    ApiRig rig;
    constexpr ItemId kItems = 20'000;
    for (ItemId id = 1; id < kItems; ++id)
      rig.catalog.upsert(terms_of(id, "item-" + std::to_string(id)));
    // All are there before the first asks: a new client would wait until the others are answered.
    FakeClient& honest = rig.buyer();
    std::vector<FakeClient*> bots;
    while (bots.size() < 60) bots.push_back(&rig.buyer());
    for (ItemId bot = 0; bot < 60; ++bot) {
      bots[bot]->set_window(1);
      std::string requests;
      for (ItemId i = 0; i < 60; ++i)
        requests += get("/v1/items?after=item-" + std::to_string(1 + (bot * 60 + i) * 4 % 19'000));
      bots[bot]->send(requests);
    }
    rig.turn();
    honest.send(get("/v1/items"));
    const uint32_t turns = rig.rest_all();
    CHECK(turns <= kItems / CatalogPages::kItemsPerTurn + 100);
    CHECK(responses_in(honest.read()).at(0).status == 200);
    CHECK(rig.api.pages_rendered() <= kItems / bounds::items_per_page);
  }

  TEST_CASE("behind any item the rest of its page comes with the next one") {
    ApiRig rig;
    for (ItemId id = 1; id < 2'500; ++id)
      rig.catalog.upsert(terms_of(id, "item-" + std::to_string(id)));
    FakeClient& client = rig.buyer();
    for (const ItemId after : {1u, 500u, 997u, 998u, 999u, 1'000u, 1'998u, 2'498u, 2'499u}) {
      CAPTURE(after);
      const std::string target = "/v1/items?after=item-" + std::to_string(after);
      const Response rest = rig.answers(client, get(target)).at(0);
      const ItemId end = std::min<ItemId>(2'500, (after + 1) / 1'000 * 1'000 + 1'000);
      CHECK(rest.status == 200);
      CHECK(count_of(rest.body, "\"code\"") == end - after - 1);
      const std::string first = "{\"items\":[{\"code\":\"item-" + std::to_string(after + 1) + "\"";
      const std::string last = "],\"next\":\"item-" + std::to_string(end - 1) + "\"}";
      CHECK(rest.body.starts_with(after + 1 < end ? first : "{\"items\":[]"));
      CHECK(rest.body.ends_with(end < 2'500 ? last : "]}"));
      const size_t at = rest.head.find("ETag: ") + 6;
      const std::string tag = rest.head.substr(at, rest.head.find("\r\n", at) - at);
      const std::string with_tag = "If-None-Match: " + tag + "\r\n";
      CHECK(rig.answers(client, get_as(target, with_tag)).at(0).status == 304);
      const std::string neighbour = "/v1/items?after=item-" + std::to_string(after - (after > 1));
      if (after > 1) CHECK(rig.answers(client, get_as(neighbour, with_tag)).at(0).status == 200);
      client.send("HEAD " + target + " HTTP/1.1\r\nHost: a\r\n\r\n");
      rig.rest_all();
      const std::string head = client.read();
      CHECK(head.find("Content-Length: " + std::to_string(rest.body.size()) + "\r\n") != head.npos);
      CHECK(head.ends_with("\r\n\r\n"));
    }
    CHECK(rig.api.pages_rendered() == 3);
  }

  TEST_CASE("the first page is made before all others and stays however many are read") {
    ApiRig rig;
    const Text<bounds::item_title_bytes_max> title(std::string(200, 'x'));
    for (ItemId id = 1; id < 80'000; ++id) {
      stock::ItemTerms terms = terms_of(id, "item-" + std::to_string(id));
      terms.title = title;
      rig.catalog.upsert(terms);
    }
    FakeClient& walker = rig.buyer();
    FakeClient& honest = rig.buyer();
    for (ItemId id = 999; id < 6'000; id += 1'000)
      walker.send(get("/v1/items?after=item-" + std::to_string(id)));
    rig.turn();
    honest.send(get("/v1/items"));
    uint32_t turns = 0;
    while (honest.unread_bytes() == 0) {
      rig.turn();
      REQUIRE(++turns < 100);
    }
    CHECK(turns <= 2 + bounds::items_per_page / CatalogPages::kItemsPerTurn);
    rig.rest_all();
    walker.read();
    honest.read();
    for (ItemId id = 999; id < 79'000; id += 1'000)
      CHECK(rig.answers(walker, get("/v1/items?after=item-" + std::to_string(id))).at(0).status ==
            200);
    CHECK(rig.api.page_bytes() <= CatalogPages::kKeptBytesMax);
    const uint64_t rendered = rig.api.pages_rendered();
    rig.answers(honest, get("/v1/items"));
    CHECK(rig.api.pages_rendered() == rendered);
  }

  TEST_CASE("pages that nobody takes have a bound and the first page is given all the same") {
    ApiRig rig;
    const Text<bounds::item_title_bytes_max> title(std::string(200, 'x'));
    for (ItemId id = 1; id < 400'000; ++id) {
      stock::ItemTerms terms = terms_of(id, "item-" + std::to_string(id));
      terms.title = title;
      rig.catalog.upsert(terms);
    }
    std::vector<FakeClient*> readers;
    for (ItemId id = 999; id < 399'000; id += 1'000) {
      FakeClient& reader = rig.buyer();
      reader.set_window(1);
      reader.send(get("/v1/items?after=item-" + std::to_string(id)));
      rig.rest_all();
      readers.push_back(&reader);
    }
    CHECK(rig.api.page_bytes() <= CatalogPages::kHeldBytesMax + 1024 * 1024);
    FakeClient& late = rig.buyer();
    const Response refused = rig.answers(late, get("/v1/items?after=item-398999")).at(0);
    CHECK(refused.status == 503);
    CHECK(refused.body.find("\"overloaded\"") != std::string::npos);
    CHECK(refused.head.find("Retry-After: ") != std::string::npos);
    CHECK(rig.answers(late, get("/v1/items")).at(0).status == 200);
    for (FakeClient* reader : readers) reader->close();
    rig.rest_all();
    CHECK(rig.api.page_bytes() <= CatalogPages::kKeptBytesMax);
    CHECK(rig.answers(late, get("/v1/items?after=item-398999")).at(0).status == 200);
  }

  TEST_CASE("a page too many is refused while others are made and no client gets half of one") {
    ApiRig rig;
    for (ItemId id = 1; id < 60'000; ++id)
      rig.catalog.upsert(terms_of(id, "item-" + std::to_string(id)));
    std::string requests;
    for (ItemId id = 999; id < 59'000; id += 1'000)
      requests += get("/v1/items?after=item-" + std::to_string(id));
    size_t given = 0, refused = 0;
    for (const Response& response : rig.answers(rig.buyer(), requests)) {
      given += response.status == 200 && count_of(response.body, "\"code\"") == 1'000;
      refused += response.status == 503;
    }
    CHECK(given >= CatalogPages::kUnderWayMax);
    CHECK(given + refused == 59);
    CHECK(refused > 0);
  }

  TEST_CASE("one item has its tag and its age") {
    ApiRig rig;
    const Response response = rig.answers(rig.buyer(), get("/v1/items/ticket")).at(0);
    CHECK(response.status == 200);
    CHECK(response.head.find("Cache-Control: public, max-age=3600\r\n") != std::string::npos);
    CHECK(response.head.find("ETag: \"") != std::string::npos);
  }
}
