// Items that are not for everybody: hidden links, proofs, opaque codes and lists of users, on the real binary.
#include <doctest/doctest.h>
#include <signal.h>

#include "harness/cluster.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

// One item, with further fields.
std::string item_with(const std::string& name, const std::string& more) {
  return "{\"items\":[{" + name + ",\"title\":\"Seat\",\"stock\":10,\"price\":55350" + more + "}]}";
}
const std::string kTicket = "\"code\":\"ticket\"";

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text;
}

std::string minted_keys() {
  return run_stampede({"sign", "keys"}).out;
}

// The key file with one more key of a kind, which is then the newest.
std::string with_newer(const std::string& keys, const std::string& kind) {
  const std::string begin = "\"" + kind + "\":{";
  const size_t end = keys.find('}', keys.find(begin));
  REQUIRE(end != keys.npos);
  return keys.substr(0, end) + ",\"k2\":\"" + std::string(64, 'b') + "\"" + keys.substr(end);
}

// A server with a key file of every kind.
struct Hidden : Server {
  explicit Hidden(const std::string& catalog, const std::string& keys = minted_keys(),
                  int shards = 2)
      : Server({.catalog = catalog, .shards = shards, .starts = false}) {
    set_keys(keys);
  }
  void set_keys(const std::string& text) { write_file(key_file(), text); }
  std::string key_file() const { return scratch().path("keys.json"); }
  std::string sign(Arguments arguments) {
    arguments.insert(arguments.begin(), "sign");
    arguments.insert(arguments.end(), {"--key-file", key_file()});
    const Finished done = run_stampede(arguments);
    REQUIRE(done.exit_code == 0);
    return trimmed(done.out);
  }
  Response ask_link(const std::string& user, const std::string& proof = "",
                    const std::string& item = "ticket") {
    Headers headers{{"X-User-Id", user}};
    if (!proof.empty()) headers.emplace_back("Stampede-Proof", proof);
    return http().post("/v1/items/" + item + "/link", "", headers);
  }
  Response buy_by(const std::string& user, const std::string& link,
                  const std::string& item = "ticket") {
    return order_with({{"X-User-Id", user}},
                      "{\"item\":\"" + item + "\",\"qty\":1,\"link\":\"" + link + "\"}");
  }
};

TEST_SUITE("e2e/hidden_sales") {
  TEST_CASE("a link is asked for and brought back, also after a restart") {
    Hidden server(item_with(kTicket, ",\"hidden_link\":true"));
    server.start();
    for (int user = 0; user < 4; ++user) {
      const std::string name = "u" + std::to_string(user);
      const Response given = server.ask_link(name);
      REQUIRE(given.status == 200);
      CHECK(given.header("Cache-Control") == "no-store");
      const std::string link = given.json()["link"].text();
      CHECK(server.buy_by("mallory", link).code() == "bad_link");
      if (user % 2 == 1) server.restart();
      CHECK(server.buy_by(name, link).status == 201);
    }
    CHECK(server.order({.user = "u9"}).code() == "bad_link");
    CHECK(server.http().post("/v1/items/ticket/link").code() == "unauthenticated");
    CHECK(server.books().reserved == 4);
    REQUIRE(server.wait_drained());
    server.check_books();
  }

  TEST_CASE("an item is not sold without the keys that it needs") {
    const std::string item = item_with(kTicket, ",\"hidden_link\":true");
    Hidden server(item, key_file_json());
    server.start();
    // A file without the kind is no new one, whatever else it holds.
    const std::string without = "{\"tickets\":{\"k1\":\"" + std::string(64, '1') + "\"}}";
    server.set_keys(without);
    server.process().signal(SIGHUP);
    CHECK(server.says("a key under links in --key-file"));
    CHECK(server.ask_link("u1").status == 200);
    REQUIRE(server.terminate() == 0);
    CHECK(server.start_and_fail() == 2);
    CHECK(server.says("a key under links in --key-file"));
    server.options().catalog = "{\"items\":[]}";  // the data directory still sells it
    CHECK(server.start_and_fail() == 2);
  }

  TEST_CASE("an item that an operator has hidden keeps the keys that it needs") {
    Hidden server(item_with(kTicket, ""), key_file_json());
    server.start();
    REQUIRE(server.admin().put("/admin/items/ticket", R"({"hidden_link":true})").status == 200);
    server.set_keys("{\"tickets\":{\"k1\":\"" + std::string(64, '1') + "\"}}");
    const Response refused = server.admin().post("/admin/reload", "{}");
    CHECK(refused.code() == "not_reloaded");
    CHECK(refused.body.find("--key-file: an item with hidden_link needs a key under links") !=
          std::string::npos);
    CHECK(server.says("--key-file: an item with hidden_link needs a key under links"));
    CHECK(server.ask_link("u1").status == 200);
  }

  TEST_CASE("a proof by the shop's key opens the link") {
    Hidden server(item_with(kTicket, ",\"hidden_link\":true,\"proof\":true"));
    server.start();
    CHECK(server.ask_link("u1").code() == "bad_proof");
    const std::string proof =
        server.sign({"proof", "--user", "u1", "--item", "ticket", "--ttl", "60"});
    CHECK(server.ask_link("u2", proof).code() == "bad_proof");
    for (size_t at = 0; at < proof.size(); at += 3) {
      std::string flipped = proof;
      flipped[at] = static_cast<char>(flipped[at] ^ 1);
      if (flipped[at] <= ' ') continue;
      CHECK(server.ask_link("u1", flipped).code() == "bad_proof");
    }
    const Response given = server.ask_link("u1", proof);
    REQUIRE(given.status == 200);
    CHECK(server.buy_by("u1", given.json()["link"].text()).status == 201);
  }

  TEST_CASE("a product is found by its opaque code and by nothing else") {
    Hidden server(item_with("\"product\":\"4711\"", ""));
    server.start();
    const std::string code = server.sign({"code", "--product", "4711"});
    CHECK(code.size() == 22);
    CHECK(server.order({.user = "u1", .item = "4711"}).code() == "unknown_item");
    CHECK(server.order({.user = "u1", .item = code}).status == 201);
    CHECK(server.http().get("/v1/items/" + code).body.find("4711") == std::string::npos);
    CHECK(server.said().find("buy one:") == std::string::npos);
  }

  TEST_CASE("a product that is sold keeps its code when the key is replaced") {
    const std::string keys = minted_keys();
    Hidden server(item_with("\"product\":\"4711\"", ""), keys);
    server.start();
    const std::string code = server.sign({"code", "--product", "4711"});
    CHECK(server.order({.user = "u1", .item = code}).status == 201);
    server.set_keys(with_newer(keys, "codes"));
    const std::string newer = server.sign({"code", "--product", "4711"});
    CHECK(newer != code);
    server.restart();
    CHECK(server.order({.user = "u2", .item = newer}).code() == "unknown_item");
    CHECK(server.order({.user = "u2", .item = code}).status == 201);
    const Response put =
        server.admin().put("/admin/items/" + newer, R"({"product":"4711","stock":10})");
    CHECK(put.status == 400);
    CHECK(put.body.find("sold already, as " + code) != std::string::npos);
    CHECK(server.books(code).reserved == 2);
    CHECK(server.status()["items"].size() == 1);
  }

  TEST_CASE("two nodes sell one product under one code whatever their newest keys are") {
    Cluster cluster({.catalog = catalog({{.stock = 5}})});
    const std::string keys = minted_keys();
    std::string code;
    for (size_t node = 0; node < 2; ++node) {
      Server& server = cluster.node(node);
      write_file(server.scratch().path("keys.json"), node == 0 ? keys : with_newer(keys, "codes"));
      server.options().catalog = item_with("\"product\":\"4711\"", "");
      REQUIRE(server.terminate() == 0);
      server.start();
      if (node == 0)
        code = trimmed(run_stampede({"sign", "code", "--product", "4711", "--key-file",
                                     server.scratch().path("keys.json")})
                           .out);
    }
    CHECK(cluster.node(1).http().get("/v1/items/" + code).status == 200);
    CHECK(cluster.database().text("SELECT count(*) FROM supply") == "2");
  }

  TEST_CASE("a node whose keys are others than those that made a code is told so") {
    Cluster cluster({.catalog = catalog({{.stock = 5}})});
    for (size_t node = 0; node < 2; ++node) {
      Server& server = cluster.node(node);
      write_file(server.scratch().path("keys.json"), minted_keys());
      server.options().catalog = item_with("\"product\":\"4711\"", "");
      REQUIRE(server.terminate() == 0);
      server.start();
      const bool is_told =
          server.said().find("product 4711 keeps the code that another node") != std::string::npos;
      CHECK(is_told == (node == 1));
    }
    CHECK(cluster.database().text("SELECT count(*) FROM supply") == "2");
  }

  TEST_CASE("only users of the list buy, and the list is read again on SIGHUP") {
    Hidden server(item_with(kTicket, ",\"enrolled\":\"members.txt\""));
    CHECK(server.start_and_fail() == 2);
    CHECK(server.says("members.txt: No such file"));
    write_file(server.scratch().path("members.txt"), "alice\n\nbob smith\n");
    CHECK(server.start_and_fail() == 2);
    CHECK(server.says("members.txt:3: expected a user id"));
    write_file(server.scratch().path("members.txt"), "alice\nbob\n");
    server.start();
    CHECK(server.says("members.txt: 2 users"));
    CHECK(server.order({.user = "carol"}).code() == "not_enrolled");
    CHECK(server.order({.user = "alice"}).status == 201);

    write_file(server.scratch().path("members.txt"), "carol\nnot a user\n");
    server.process().signal(SIGHUP);
    CHECK(server.says("everything stays as it was"));
    CHECK(server.order({.user = "carol"}).code() == "not_enrolled");
    CHECK(server.order({.user = "bob"}).status == 201);

    write_file(server.scratch().path("members.txt"), "carol\n");
    server.process().signal(SIGHUP);
    CHECK(wait_until([&] { return server.order({.user = "carol"}).status == 201; }));
    CHECK(server.order({.user = "bob"}).code() == "not_enrolled");
    // Neither a request nor a PUT of other terms changes who may buy.
    CHECK(server.admin().put("/admin/items/ticket", R"({"enrolled":"/etc/passwd"})").status == 400);
    CHECK(server.admin().put("/admin/items/ticket", R"({"price":1})").status == 200);
    CHECK(server.order({.user = "bob"}).code() == "not_enrolled");
  }

  TEST_CASE("a filter over codes hides no item, also none that comes while it sells") {
    Server server({.catalog = catalog({{}}), .shards = 2, .flags = {{"--bloom-fpr", "0.01"}}});
    CHECK(server.says("filter over codes: "));
    for (int item = 0; item < 20; ++item) {
      const std::string code = "new-" + std::to_string(item);
      CHECK(server.order({.user = "u", .item = code}).code() == "unknown_item");
      REQUIRE(server.admin().put("/admin/items/" + code, R"({"stock":5})").status == 201);
      CHECK(server.order({.user = "u", .item = code}).status == 201);
    }
  }

  TEST_CASE("the log shows what an item asks for and a restart keeps it") {
    Hidden server(item_with("\"product\":\"4711\"",
                            ",\"hidden_link\":true,\"proof\":true,\"order_rate\":500,"
                            "\"enrolled\":\"members.txt\""));
    write_file(server.scratch().path("members.txt"), "alice\n");
    server.start();
    const std::string code = server.sign({"code", "--product", "4711"});
    REQUIRE(server.terminate() == 0);
    const Finished shown = run_stampede({"log", "inspect", "--data", server.data(), "--records"});
    CHECK(shown.exit_code == 0);
    CHECK(shown.out.find("hidden_link proof order_rate=500 product=\"4711\" "
                         "enrolled=\"members.txt\"") != std::string::npos);
    server.options().catalog = "{\"items\":[]}";
    server.start();
    CHECK(server.ask_link("alice", "", code).code() == "bad_proof");
    const std::string proof =
        server.sign({"proof", "--user", "bob", "--item", code, "--ttl", "60"});
    CHECK(server.ask_link("bob", proof, code).code() == "not_enrolled");
  }
}

}  // namespace
}  // namespace stampede::e2e
