// Behind the nginx that scripts/nginx-cluster writes, a buyer stays with his node whatever happens to it, and an order is
// found by its id wherever one asks. A real nginx, nodes with embedded ledgers: here only the way to them counts.
#include <doctest/doctest.h>
#include <signal.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include "../servers/free_port.h"
#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

Finished configure(Arguments arguments) {
  arguments.insert(arguments.begin(), source_path("scripts/nginx-cluster"));
  return run(arguments);
}

bool can_run_nginx() {
  if (is_installed("nginx")) return true;
  MESSAGE("nginx is not installed: skipped");
  return false;
}

// A real nginx on a port of its own. One process: it leaves no workers behind when it is killed. (It would leave the
// listeners of further workers unattended.)
class Nginx {
 public:
  explicit Nginx(const std::string& configuration, uint16_t port) : port_(port) {
    write_file(scratch_.path("nginx.conf"), configuration);
    process_ = std::make_unique<Process>(
        Arguments{"nginx", "-e", "stderr", "-c", scratch_.path("nginx.conf"), "-g",
                  "daemon off; master_process off;"},
        scratch_.path("stderr"));
    wait_until([&] { return !process_->is_running() || http().connect(); });
    INFO(read_file(scratch_.path("stderr")));
    REQUIRE(process_->is_running());
  }

  Http http() const { return Http(address()); }
  Address address() const { return {.port = port_}; }

 private:
  Scratch scratch_;
  uint16_t port_;
  std::unique_ptr<Process> process_;
};

// What the script prints for these nodes, served.
class Gateway {
 public:
  explicit Gateway(const Arguments& nodes, Arguments options = {"--trust-header"})
      : port_(servers::free_port()) {
    Arguments arguments = std::move(options);
    arguments.insert(arguments.end(),
                     {"--run-dir", run_dir_.path(), "--workers", "1", "--connections", "512",
                      "127.0.0.1:" + std::to_string(port_)});
    arguments.insert(arguments.end(), nodes.begin(), nodes.end());
    const Finished finished = configure(arguments);
    INFO(finished.err);
    REQUIRE(finished.exit_code == 0);
    nginx_ = std::make_unique<Nginx>(finished.out, port_);
    http_ = std::make_unique<Http>(nginx_->http());
  }

  Address address() const { return nginx_->address(); }
  Http& http() { return *http_; }
  Response order(const Ask& ask) {
    return http().post("/v1/orders", order_body(ask),
                       {{"X-User-Id", ask.user}, {"Idempotency-Key", ask.key}});
  }
  Response get(const std::string& user, const std::string& target) {
    return http().get(target, {{"X-User-Id", user}});
  }
  Response read(const std::string& user, const std::string& id) {
    return get(user, "/v1/orders/" + id);
  }
  Response cancel(const std::string& user, const std::string& id) {
    return http().post("/v1/orders/" + id + "/cancel", {}, {{"X-User-Id", user}});
  }
  Response pay(const std::string& id) {
    const std::string body = payment_body({.id = "pay-" + id});
    return http().post("/v1/orders/" + id + "/payment", body,
                       {{"Stampede-Signature", signature(body)}});
  }

 private:
  Scratch run_dir_;
  uint16_t port_;
  std::unique_ptr<Nginx> nginx_;
  std::unique_ptr<Http> http_;
};

// A node that comes back on its port after a kill.
ServerOptions node_options(uint32_t number) {
  return {.catalog = catalog({{.stock = 100'000}}),
          .flags = {{"--node", std::to_string(number)},
                    {"--listen", "127.0.0.1:" + std::to_string(servers::free_port())}}};
}

std::string name_of(const Server& node, const std::string& weight = "") {
  return "127.0.0.1:" + std::to_string(node.address().port) + weight;
}

// The answer to bytes that no client of today sends.
Response raw(const Address& address, const std::string& bytes) {
  Http http(address);
  REQUIRE(http.connect());
  REQUIRE(http.send(bytes));
  return http.receive();
}

uint64_t node_of(const std::string& order_id) {
  return std::stoull(order_id, nullptr, 16) >> 54;
}

// Three nodes with the numbers 0, 1 and 2, and nginx in front of them.
struct Cluster {
  explicit Cluster(const Arguments& weights = {"", "", ""}) {
    for (uint32_t number = 0; number < 3; ++number) nodes.emplace_back(node_options(number));
    gateway = std::make_unique<Gateway>(names(weights));
  }
  Arguments names(const Arguments& weights) const {
    Arguments all;
    for (size_t i = 0; i < nodes.size(); ++i) all.push_back(name_of(nodes[i], weights[i]));
    return all;
  }

  std::deque<Server> nodes;
  std::unique_ptr<Gateway> gateway;
};

struct Holder {
  std::string user, key, order_id;
  uint64_t node() const { return node_of(order_id); }
};

// `count` users with an order each, bought through the gateway.
std::vector<Holder> buyers(const Gateway& gateway, size_t count) {
  std::vector<Ask> asks = crowd(count);
  std::vector<Holder> holders;
  for (const Outcome& outcome : rush_until_decided(gateway.address(), asks)) {
    REQUIRE(outcome.status == 201);
    holders.push_back({outcome.ask.user, outcome.ask.key, outcome.order_id});
  }
  return holders;
}

std::map<uint64_t, size_t> count_by_node(const std::vector<Holder>& holders) {
  std::map<uint64_t, size_t> counts;
  for (const Holder& holder : holders) ++counts[holder.node()];
  return counts;
}

TEST_SUITE("e2e/nginx_cluster") {
  TEST_CASE("a buyer always comes to the same node and all nodes have some") {
    if (!can_run_nginx()) return;
    Cluster cluster;
    const std::vector<Holder> holders = buyers(*cluster.gateway, 300);
    CHECK(count_by_node(holders).size() == 3);
    for (const Holder& holder : holders) {
      CAPTURE(holder.user);
      // Only the node that sold knows the key, and only there does he have a list.
      const Response again = cluster.gateway->order({.user = holder.user, .key = holder.key});
      CHECK(again.status == 200);
      CHECK(again.json()["order_id"].text() == holder.order_id);
      const Json list = cluster.gateway->get(holder.user, "/v1/orders?item=ticket").json();
      REQUIRE(list["orders"].size() == 1);
      CHECK(list["orders"].at(0)["order_id"].text() == holder.order_id);
      const Response second = cluster.gateway->order({.user = holder.user, .key = "second"});
      CHECK(node_of(second.json()["order_id"].text()) == holder.node());
    }
  }

  TEST_CASE("every path of an order reaches its node whoever asks") {
    if (!can_run_nginx()) return;
    Cluster cluster;
    Gateway& gateway = *cluster.gateway;
    for (const Holder& holder : buyers(gateway, 40)) {
      CAPTURE(holder.order_id);
      CHECK(gateway.read(holder.user, holder.order_id).json()["state"].text() == "reserved");
      CHECK(gateway.get(holder.user, "/v1/orders/" + holder.order_id + "?wait_ms=1").status == 200);
      // By a stranger, whose own node is another for two of three: that node would have said 421.
      const Response stranger = gateway.read("stranger", holder.order_id);
      CHECK(stranger.status == 404);
      CHECK(stranger.code() == "unknown_order");
      if (node_of(holder.order_id) == 0) {
        CHECK(gateway.cancel(holder.user, holder.order_id).json()["state"].text() == "cancelled");
        continue;
      }
      // The payment provider says no name at all.
      CHECK(gateway.pay(holder.order_id).json()["state"].text() == "paid");
      CHECK(gateway.cancel(holder.user, holder.order_id).code() == "already_paid");
    }
  }

  TEST_CASE("a node that is asked for the order of another names its owner") {
    if (!can_run_nginx()) return;
    Cluster cluster;
    for (const Holder& holder : buyers(*cluster.gateway, 30))
      for (uint64_t number = 0; number < 3; ++number) {
        CAPTURE(number);
        Server& node = cluster.nodes[number];
        if (number == holder.node()) {
          CHECK(node.state_of(holder.user, holder.order_id) == "reserved");
          continue;
        }
        for (const Response& response :
             {node.read(holder.user, holder.order_id), node.cancel(holder.user, holder.order_id),
              node.pay(holder.order_id)}) {
          CHECK(response.status == 421);
          CHECK(response.code() == "misdirected");
          CHECK(response.json()["node"].number() == static_cast<int64_t>(holder.node()));
        }
      }
  }

  TEST_CASE("an id of no node or of none there is refused by a node") {
    if (!can_run_nginx()) return;
    Cluster cluster;
    Gateway& gateway = *cluster.gateway;
    const Response foreign = gateway.read("u1", "ffc0000000000001");
    CHECK(foreign.code() == "misdirected");
    CHECK(foreign.json()["node"].number() == 1023);
    CHECK(gateway.pay("ffc0000000000001").code() == "misdirected");
    for (const char* id : {"12", "zzz", "ABC0000000000001", "0000000000000000"})
      CHECK(gateway.read("u1", id).code() == "unknown_order");
    CHECK(gateway.http().get("/elsewhere").status == 404);
  }

  TEST_CASE("items and stock are read with and without a name") {
    if (!can_run_nginx()) return;
    Cluster cluster;
    for (const char* target :
         {"/v1/items", "/v1/items/ticket", "/v1/items/ticket/stock", "/v1/time"})
      for (const Headers& headers : {Headers{}, Headers{{"X-User-Id", "u1"}}}) {
        CAPTURE(target);
        CHECK(cluster.gateway->http().get(target, headers).status == 200);
      }
  }

  TEST_CASE("weights say how many buyers a node gets") {
    if (!can_run_nginx()) return;
    Cluster cluster({"", "*2", "*5"});
    const size_t count = 2'400;
    std::map<uint64_t, size_t> counts = count_by_node(buyers(*cluster.gateway, count));
    // A hash deals roughly; without weights the first would have 2.7 times its part.
    const size_t parts[] = {1, 2, 5};
    for (uint64_t number = 0; number < 3; ++number) {
      CAPTURE(number);
      const size_t expected = count * parts[number] / 8;
      CHECK(counts[number] > expected * 55 / 100);
      CHECK(counts[number] < expected * 170 / 100);
    }
  }

  TEST_CASE("a node of weight 0 keeps its orders and gets no buyers and no others move") {
    if (!can_run_nginx()) return;
    Cluster cluster;
    const std::vector<Holder> holders = buyers(*cluster.gateway, 120);
    Gateway changed(cluster.names({"", "*0", ""}));
    for (const Holder& holder : holders) {
      CAPTURE(holder.order_id);
      CHECK(changed.read(holder.user, holder.order_id).status == 200);
      const Response again = changed.order({.user = holder.user, .key = holder.key});
      if (holder.node() != 1) {
        CHECK(again.json()["order_id"].text() == holder.order_id);
        continue;
      }
      // Moved: he may buy again, which is what the operator accepted.
      CHECK(again.status == 201);
      CHECK(node_of(again.json()["order_id"].text()) != 1);
    }
  }

  TEST_CASE(
      "buyers of a dead node are told so and not moved and have their orders when it is back") {
    if (!can_run_nginx()) return;
    Cluster cluster;
    Gateway& gateway = *cluster.gateway;
    const std::vector<Holder> holders = buyers(gateway, 90);
    cluster.nodes[1].kill9();
    size_t hit = 0;
    for (int round = 0; round < 2; ++round)
      for (const Holder& holder : holders) {
        CAPTURE(holder.order_id);
        const bool is_dead = holder.node() == 1;
        hit += is_dead;
        const Response order = gateway.order({.user = holder.user, .key = holder.key});
        const Response read = gateway.read(holder.user, holder.order_id);
        CHECK(order.status == (is_dead ? 502 : 200));
        CHECK(read.status == (is_dead ? 502 : 200));
      }
    CHECK(hit > 0);
    // New buyers too: whoever the hash sends there is turned away, none is sold to by another.
    size_t turned_away = 0;
    for (int i = 0; i < 60; ++i) {
      const Response response = gateway.order({.user = "new" + std::to_string(i), .key = "k"});
      turned_away += response.status == 502;
      CHECK((response.status == 201 || response.status == 502));
    }
    CHECK(turned_away > 0);
    cluster.nodes[1].start();
    for (const Holder& holder : holders) {
      const Response again = gateway.order({.user = holder.user, .key = holder.key});
      CHECK(again.status == 200);
      CHECK(again.json()["order_id"].text() == holder.order_id);
    }
  }

  TEST_CASE("a request without a Host is served") {
    if (!can_run_nginx()) return;
    Server node(node_options(0));
    Gateway gateway({name_of(node)});
    for (const char* host : {"", "Host: shop.example:443\r\n"}) {
      CAPTURE(host);
      const Response time =
          raw(gateway.address(), "GET /v1/time HTTP/1.0\r\n" + std::string(host) + "\r\n");
      CHECK(time.status == 200);
    }
  }

  TEST_CASE("what a shop sends along for itself does not reach a node") {
    if (!can_run_nginx()) return;
    Server node(node_options(0));
    Gateway gateway({name_of(node)});
    const std::string long_value(7'500, 'c');
    for (const char* name : {"Cookie", "Referer", "X-Of-Somebody"}) {
      CAPTURE(name);
      const Response bought =
          gateway.http().post("/v1/orders", order_body({}),
                              {{"X-User-Id", "u1"}, {"Idempotency-Key", name}, {name, long_value}});
      CHECK(bought.status == 201);
      const std::string order = "/v1/orders/" + bought.json()["order_id"].text();
      CHECK(gateway.http().get(order, {{"X-User-Id", "u1"}, {name, long_value}}).status == 200);
    }
    // What a node reads still arrives.
    const Response encoded = gateway.http().post(
        "/v1/orders", order_body({}), {{"X-User-Id", "u1"}, {"Content-Type", "text/plain"}});
    CHECK(encoded.status == 415);
    const Response items = gateway.http().get("/v1/items");
    const std::string etag = items.header("ETag");
    CHECK(gateway.http().get("/v1/items", {{"If-None-Match", etag}}).status == 304);
  }

  TEST_CASE("pages of an allowed origin may order and those of another may not") {
    if (!can_run_nginx()) return;
    Server node(node_options(0));
    // The login service is away: a browser's question has no name that it could ask for.
    Gateway gateway({name_of(node)},
                    {"--login", "127.0.0.1:1", "--allow-origin", "https://shop.example",
                     "--allow-origin", "http://127.0.0.1:3000"});
    for (const char* origin : {"https://shop.example", "http://127.0.0.1:3000",
                               "https://evil.example", "https://shop.example.evil"}) {
      CAPTURE(origin);
      const bool is_allowed = std::string_view(origin).find("evil") == std::string_view::npos;
      const Response asked = gateway.http().request(
          "OPTIONS", "/v1/orders",
          {{"Origin", origin},
           {"Access-Control-Request-Method", "POST"},
           {"Access-Control-Request-Headers", "content-type, idempotency-key"}});
      CHECK(asked.status == 200);
      CHECK(asked.header("Access-Control-Allow-Origin") == (is_allowed ? origin : ""));
      CHECK(asked.header("Access-Control-Allow-Credentials") == (is_allowed ? "true" : ""));
      // Refusals too can be read by the page.
      const Response refused = gateway.http().get("/v1/items/none", {{"Origin", origin}});
      CHECK(refused.code() == "unknown_item");
      CHECK(refused.header("Access-Control-Allow-Origin") == (is_allowed ? origin : ""));
      const Response lost = gateway.http().get("/v1/orders/0000000000000001", {{"Origin", origin}});
      CHECK(lost.code() == "try_again");
      CHECK(lost.header("Access-Control-Allow-Origin") == (is_allowed ? origin : ""));
    }
  }

  TEST_CASE("what nginx refuses has the form of a refusal") {
    if (!can_run_nginx()) return;
    Server node(node_options(0));
    Gateway gateway({name_of(node)}, {"--login", "127.0.0.1:1"});
    Http& http = gateway.http();
    const auto check = [](const Response& response, int status, const char* code) {
      CAPTURE(code);
      CHECK(response.status == status);
      CHECK(response.header("Content-Type") == "application/json");
      CHECK(response.code() == code);
      CHECK(response.json()["message"].text() != "");
      const bool is_retryable = status >= 500 && status != 501;
      CHECK(response.json()["retryable"].truth() == is_retryable);
      CHECK(response.header("Retry-After") == (is_retryable ? "1" : ""));
    };
    check(http.get("/elsewhere"), 404, "not_found");
    check(http.get("/login"), 404, "not_found");
    check(http.get("/v1/orders?item=ticket"), 503, "try_again");
    check(http.post("/v1/orders", std::string(5'000, ' '), {}), 413, "body_too_large");
    check(http.request("TRACE", "/v1/time"), 405, "method_not_allowed");
    check(http.get("/v1/time", {{"X-Long", std::string(9'000, 'x')}}), 431, "headers_too_large");
    check(raw(gateway.address(), "GET /v1/time HTTP/1.1\r\n\r\n"), 400, "bad_request");
    check(raw(gateway.address(),
              "POST /v1/orders HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"),
          501, "not_implemented");
    node.kill9();
    check(http.get("/v1/time"), 502, "try_again");
  }

  TEST_CASE("numbers up to 1023 find their nodes among a thousand") {
    if (!can_run_nginx()) return;
    const std::vector<uint32_t> numbers = {5, 300, 1023};
    std::deque<Server> nodes;
    Arguments names;
    // Nobody listens at the others, and they get no buyers.
    for (uint32_t i = 0; i < 1024; ++i)
      names.push_back("127.0.0.2:" + std::to_string(1 + i) + "*0");
    for (const uint32_t number : numbers)
      names[number] = name_of(nodes.emplace_back(node_options(number)));
    Gateway gateway(names);
    const std::vector<Holder> holders = buyers(gateway, 60);
    CHECK(count_by_node(holders).size() == 3);
    for (const Holder& holder : holders)
      CHECK(gateway.read("stranger", holder.order_id).code() == "unknown_order");
  }

  TEST_CASE("each of the 4096 beginnings of an order id belongs to one of 1024 nodes") {
    Arguments arguments{"80"};
    for (uint32_t i = 0; i < 1024; ++i)
      arguments.push_back("node-" + std::to_string(i) + ".shop:8080");
    const Finished finished = configure(arguments);
    REQUIRE(finished.exit_code == 0);
    const std::regex entry("([0-9a-f]{3}) stampede_node_([0-9]+);");
    std::map<uint64_t, uint64_t> nodes;
    for (std::sregex_iterator at(finished.out.begin(), finished.out.end(), entry), end; at != end;
         ++at)
      CHECK(nodes.emplace(std::stoull((*at)[1], nullptr, 16), std::stoull((*at)[2])).second);
    REQUIRE(nodes.size() == 4096);
    for (const auto& [digits, node] : nodes) CHECK(node == digits >> 2);
    for (const uint32_t i : {0u, 1u, 1023u}) {
      const std::string number = std::to_string(i);
      CHECK(finished.out.find("upstream stampede_node_" + number + " {\n        server node-" +
                              number + ".shop:8080 max_fails=0;") != std::string::npos);
    }
  }

  TEST_CASE("with a login service a client is who it says and not who he says") {
    if (!can_run_nginx()) return;
    const uint16_t login_port = servers::free_port();
    Scratch run_dir;
    std::string paths;
    for (const char* what : {"client_body", "proxy", "fastcgi", "uwsgi", "scgi"})
      paths += std::string(what) + "_temp_path " + run_dir.path(what) + "; ";
    Nginx login(
        "pid " + run_dir.path("pid") + "; events {} http { access_log off; " + paths +
            "map $http_authorization $who { default ''; 'Bearer secret' alice; } server { listen "
            "127.0.0.1:" +
            std::to_string(login_port) +
            "; location / { if ($who = '') { return 401; } add_header Remote-User $who; return "
            "204; } } }",
        login_port);
    Server node(node_options(0));
    Gateway gateway({name_of(node)}, {"--login", "127.0.0.1:" + std::to_string(login_port),
                                      "--header", "Remote-User"});
    Http& http = gateway.http();
    const Headers known{{"Authorization", "Bearer secret"}, {"X-User-Id", "mallory"}};
    const Headers unknown{
        {"Authorization", "Bearer guess"}, {"X-User-Id", "alice"}, {"Remote-User", "alice"}};
    const Response bought = http.post("/v1/orders", order_body({}), known);
    REQUIRE(bought.status == 201);
    CHECK(bought.json()["user"].text() == "alice");
    const std::string order = "/v1/orders/" + bought.json()["order_id"].text();
    CHECK(http.get(order, known).status == 200);
    CHECK(http.post("/v1/orders", order_body({}), unknown).status == 401);
    CHECK(http.get(order, unknown).status == 401);
    CHECK(http.post(order + "/cancel", {}, unknown).status == 401);
    CHECK(http.get("/v1/orders?item=ticket", unknown).status == 401);
    CHECK(http.get("/login", known).status == 404);
    // Anybody may look, and the payment provider signs.
    CHECK(http.get("/v1/items/ticket/stock").status == 200);
    CHECK(gateway.pay(bought.json()["order_id"].text()).json()["state"].text() == "paid");
  }

  TEST_CASE("an argument that makes no sense is refused with what was expected") {
    for (const Arguments& arguments : std::vector<Arguments>{{},
                                                             {"80"},
                                                             {"80", "node"},
                                                             {"80", "node:80*x"},
                                                             {"80", "node:80*-1"},
                                                             {"80", "a:1", "a:1"},
                                                             {"80", "a:1*0"},
                                                             {"80; evil", "a:1"},
                                                             {"80", "a:1;"},
                                                             {"--login", "80"},
                                                             {"--mystery", "80", "a:1"},
                                                             {"--run-dir", "relative", "80", "a:1"},
                                                             {"--header", "a b", "80", "a:1"}}) {
      const Finished finished = configure(arguments);
      CAPTURE(finished.err);
      CHECK(finished.exit_code == 2);
      CHECK(finished.out.empty());
      CHECK(finished.err.rfind("scripts/nginx-cluster: ", 0) == 0);
    }
  }

  TEST_CASE("the example for one node is what the script prints for it") {
    if (!can_run_nginx()) return;
    const auto directives = [](const std::string& text) {
      std::istringstream lines(text);
      std::string found;
      for (std::string line; std::getline(lines, line);)
        if (const size_t at = line.find_first_not_of(' '); at != line.npos && line[at] != '#')
          found += line + '\n';
      return found;
    };
    const Finished finished = configure({"80", "127.0.0.1:8080"});
    const std::string example = read_file(source_path("scripts/nginx.conf"));
    CHECK(directives(finished.out) == directives(example));
  }
}

}  // namespace
}  // namespace stampede::e2e
