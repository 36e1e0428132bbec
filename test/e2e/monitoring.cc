// What lies in contrib/monitoring fits the server: its metrics pass Prometheus' own check, the dashboard and the alerts ask only
// for metrics that there are, each alert leads to a paragraph that says what to do, and the alerts come when they should.
#include <doctest/doctest.h>

#include <algorithm>
#include <regex>
#include <set>
#include <sstream>

#include "../servers/redis_server.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

bool has_promtool() {
  if (is_installed("promtool")) return true;
  MESSAGE("promtool is not installed: skipped");
  return false;
}

Finished promtool(Arguments arguments) {
  arguments.insert(arguments.begin(), "promtool");
  return run(arguments);
}

std::string monitoring(const std::string& file) {
  return source_path("contrib/monitoring/" + file);
}

std::set<std::string> all_matches(const std::string& text, const std::string& pattern) {
  const std::regex regex(pattern);
  std::set<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), regex), end; it != end; ++it)
    found.insert(it->str(1));
  return found;
}

// The names that samples have, by the families of an answer.
std::set<std::string> sample_names(const std::string& metrics) {
  std::set<std::string> names;
  std::istringstream lines(metrics);
  for (std::string hash, kind, name, type; lines >> hash;) {
    std::string rest;
    if (hash == "#" && lines >> kind >> name && kind == "TYPE" && lines >> type) {
      if (type != "histogram") names.insert(name);
      if (type == "histogram")
        for (const char* end : {"_bucket", "_sum", "_count"}) names.insert(name + end);
    }
    std::getline(lines, rest);
  }
  return names;
}

// A node with everything that has metrics, and some orders.
struct BusyNode {
  servers::RedisServer redis;
  Server server{{.catalog = catalog({{.stock = 100}, {.code = "poster", .stock = 1}}),
                 .shards = 2,
                 .flags = {{"--ledger", "redis://127.0.0.1:" + std::to_string(redis.port())}}}};

  BusyNode() {
    const std::string order = server.buy({.user = "u1"});
    server.pay(order);
    server.cancel("u2", server.buy({.user = "u2"}));
    server.buy({.user = "u3", .item = "poster"});
    server.order({.user = "u4", .item = "poster"});
  }
  std::string metrics(const std::string& query = "") {
    const Response answer = server.admin().get("/metrics" + query);
    REQUIRE(answer.status == 200);
    return answer.body;
  }
};

TEST_SUITE("e2e/monitoring") {
  TEST_CASE("promtool finds nothing to say against the metrics") {
    if (!has_promtool()) return;
    BusyNode node;
    Scratch scratch;
    write_file(scratch.path("metrics"), node.metrics());
    const Finished checked =
        run({"sh", "-c", "promtool check metrics < '" + scratch.path("metrics") + "'"});
    CAPTURE(checked.out);
    CAPTURE(checked.err);
    CHECK(checked.exit_code == 0);
  }

  TEST_CASE("what a shard works on and waits for is timed") {
    BusyNode node;
    REQUIRE(node.server.wait_drained());
    for (const std::string what : {"turn", "log_write", "ledger_call", "drain_batch"}) {
      CAPTURE(what);
      CHECK(node.server.metric("stampede_" + what + "_seconds_count") > 0);
    }
    CHECK(node.server.metric("stampede_turn_phase_seconds_total{shard=\"0\"") > 0);
  }

  TEST_CASE("dashboard and alerts ask only for metrics that the server has") {
    BusyNode node;
    const std::set<std::string> known = sample_names(node.metrics());
    REQUIRE(known.size() > 50);
    for (const char* file : {"grafana.json", "alerts.yml"}) {
      const std::set<std::string> asked =
          all_matches(read_file(monitoring(file)), "\\b((?:stampede|process)_[a-z_]+)");
      REQUIRE(asked.size() > 10);
      for (const std::string& name : asked) {
        CAPTURE(file);
        CHECK_MESSAGE(known.contains(name), name);
      }
    }
  }

  TEST_CASE("the dashboard needs no edit before it is imported") {
    const Json dashboard = Json::parse(read_file(monitoring("grafana.json")));
    CHECK(dashboard["templating"]["list"].at(0)["type"].text() == "datasource");
    const std::string name = dashboard["templating"]["list"].at(0)["name"].text();
    std::set<int64_t> ids;
    for (size_t i = 0; i < dashboard["panels"].size(); ++i) {
      const Json& panel = dashboard["panels"].at(i);
      CHECK(ids.insert(panel["id"].number()).second);
      if (panel["type"].text() == "row") continue;
      CHECK(panel["datasource"]["uid"].text() == "${" + name + "}");
      CHECK(panel["targets"].size() > 0);
    }
  }

  TEST_CASE("the alerts and the example configuration are what Prometheus reads") {
    if (!has_promtool()) return;
    for (const Arguments& arguments :
         {Arguments{"test", "rules", monitoring("alerts_test.yml")},
          Arguments{"check", "config", monitoring("prometheus.yml")}}) {
      const Finished checked = promtool(arguments);
      CAPTURE(checked.out);
      CAPTURE(checked.err);
      CHECK(checked.exit_code == 0);
    }
  }

  TEST_CASE("each alert is tried and has a paragraph that says what to do") {
    const std::string rules = read_file(monitoring("alerts.yml"));
    const std::string tests = read_file(monitoring("alerts_test.yml"));
    const std::string page = read_file(source_path("OPERATE.md"));
    const std::set<std::string> alerts = all_matches(rules, "alert: (\\w+)");
    CHECK(alerts == all_matches(page, "\n### (Stampede\\w+)\n"));
    CHECK(alerts == all_matches(tests, "alertname=\"(\\w+)\""));
    std::set<std::string> anchors;
    for (std::string name : alerts) {
      std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
      anchors.insert(name);
    }
    CHECK(anchors == all_matches(rules, "runbook: OPERATE.md#(\\w+)"));
  }

  TEST_CASE("counters of an item follow what happens to its orders") {
    Server server({.catalog = catalog({{.stock = 10}}), .shards = 2});
    const auto of_ticket = [&](const std::string& name) {
      return server.metric("stampede_item_" + name + "{item=\"ticket\"}");
    };
    CHECK(of_ticket("free_units") == 10);
    const std::string paid = server.buy({.user = "u1", .quantity = 3});
    server.pay(paid, {.amount = 3 * 55350});
    server.pay(paid, {.id = "p2", .amount = 3 * 55350});
    server.pay(paid, {.id = "p3", .amount = 1});
    const std::string cancelled = server.buy({.user = "u2", .quantity = 2});
    server.cancel("u2", cancelled);
    server.buy({.user = "u3"});
    CHECK(wait_until([&] {
      return server.metric("stampede_payments_total{outcome=\"payment_rejected\"}") == 1;
    }));
    CHECK(of_ticket("paid_units") == 3);
    CHECK(of_ticket("reserved_units") == 1);
    CHECK(of_ticket("sold_units_total") == 6);
    CHECK(of_ticket("cancelled_units_total") == 2);
    CHECK(of_ticket("free_units") + of_ticket("leased_units") == 6);
    CHECK(server.metric("stampede_payments_total{outcome=\"paid\"}") == 1);
    CHECK(server.metric("stampede_payments_total{outcome=\"refund_due\"}") == 1);
    CHECK(server.metric("stampede_refunds_due_total") == 2);
  }

  TEST_CASE("of many items the busiest have samples and others when they are named") {
    std::vector<ItemSpec> items;
    for (int i = 0; i < 150; ++i) items.push_back({.code = "i" + std::to_string(i)});
    Server server({.catalog = catalog(items), .shards = 2});
    server.buy({.user = "u1", .item = "i149"});
    CHECK(wait_until(
        [&] { return server.metric("stampede_item_reserved_units{item=\"i149\"}") == 1; }));
    CHECK(server.metric("stampede_item_free_units{item=\"i7\"}") == -1);
    const Response named = server.admin().get("/metrics?item=i7&item=i8");
    CHECK(named.body.find("stampede_item_free_units{item=\"i7\"} 10\n") != std::string::npos);
    CHECK(named.body.find("{item=\"i149\"}") == std::string::npos);
    CHECK(server.admin().get("/metrics?item=nothing").status == 404);
  }
}

}  // namespace
}  // namespace stampede::e2e
