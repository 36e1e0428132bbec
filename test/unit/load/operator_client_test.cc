#include "load/operator_client.h"

#include <doctest/doctest.h>

#include <atomic>

#include "fake_server.h"

using namespace stampede;
using namespace stampede::load;

namespace {

const std::string kAudit =
    R"({"ok":true,"items":[{"item":"cup","total":1,"free":1,"leased":0,"reserved":0,"paid":0,"ok":true},)"
    R"({"item":"ticket","total":10000,"free":1,"leased":2,"reserved":7997,"paid":2000,"ok":false}]})";

}  // namespace

TEST_SUITE("load/operator_client") {
  TEST_CASE("an item's figures are found in the audit") {
    Result<ItemAudit> audit = parse_audit(kAudit, "ticket");
    REQUIRE(bool(audit));
    CHECK(audit->total == 10000);
    CHECK(audit->free == 1);
    CHECK(audit->leased == 2);
    CHECK(audit->reserved == 7997);
    CHECK(audit->paid == 2000);
    CHECK(audit->elsewhere == 0);
    CHECK_FALSE(audit->ok);
    std::string shared = kAudit;
    shared.insert(shared.rfind(",\"ok\""), R"(,"elsewhere":7)");
    CHECK(parse_audit(shared, "ticket")->elsewhere == 7);
  }

  TEST_CASE("an audit without the item or a figure is an error and never zero") {
    CHECK_FALSE(bool(parse_audit(kAudit, "other")));
    CHECK_FALSE(bool(parse_audit("{}", "ticket")));
    CHECK_FALSE(bool(parse_audit("", "ticket")));
    CHECK_FALSE(bool(parse_audit("not json", "ticket")));
    for (const char* field : {"total", "free", "leased", "reserved", "paid", "ok"}) {
      std::string lacking = kAudit;
      size_t at = lacking.rfind("\"" + std::string(field) + "\"");
      lacking[at + 1] = 'X';
      INFO(lacking);
      CHECK_FALSE(bool(parse_audit(lacking, "ticket")));
    }
  }

  TEST_CASE("the drainer's lag is found in the status and its absence is an error") {
    Result<uint64_t> lag =
        parse_drainer_lag(R"({"ready":true,"drainer":{"lag_records":2,"lag_ms":3}})");
    REQUIRE(bool(lag));
    CHECK(*lag == 2);
    CHECK_FALSE(bool(parse_drainer_lag(R"({"ready":true,"drainer":{}})")));
    CHECK_FALSE(bool(parse_drainer_lag(R"({"ready":true})")));
  }

  TEST_CASE("an answer is read to its end however it arrives") {
    FakeServer server([](const FakeRequest& request) {
      std::string answer = http_answer(
          "200 OK", request.line.starts_with("GET /admin/audit?item=ticket ") ? kAudit : "{}");
      return FakeReply{{answer.substr(0, 9), answer.substr(9, 60), answer.substr(69)}, true};
    });
    OperatorClient client(server.address());
    Result<ItemAudit> audit = client.audit("ticket");
    REQUIRE(bool(audit));
    CHECK(audit->total == 10000);
  }

  TEST_CASE("an answer that ends too early or refuses is an error") {
    std::atomic<bool> is_cut = true;
    FakeServer server([&](const FakeRequest&) {
      std::string answer = http_answer(is_cut ? "200 OK" : "401 Unauthorized", kAudit);
      return FakeReply{{is_cut ? answer.substr(0, answer.size() - 20) : answer}, true};
    });
    OperatorClient client(server.address());
    CHECK_FALSE(bool(client.audit("ticket")));
    is_cut = false;
    Result<ItemAudit> refused = client.audit("ticket");
    REQUIRE_FALSE(bool(refused));
    CHECK(refused.error().message.find("401") != std::string::npos);
  }

  TEST_CASE("a listener that is not there is named") {
    net::Address gone = FakeServer([](const FakeRequest&) { return FakeReply{}; }).address();
    Result<ItemAudit> audit = OperatorClient(gone).audit("ticket");
    REQUIRE_FALSE(bool(audit));
    CHECK(audit.error().message.find(net::text_of(gone)) != std::string::npos);
  }
}
