// Operators' changes of what the door goes by: what takes effect when, and on which shards.
#include "shard/rules_changes.h"

#include <doctest/doctest.h>

#include "operators_rig.h"

namespace stampede::shard {
namespace {

constexpr uint32_t kPlace = 1, kOther = 2;
const BlockSubject kAlice{.text = "alice"}, kNet{.is_network = true, .text = "10.0.0.0/8"},
    kInNet{.is_network = true, .text = "10.1.0.0/16"};

bool is_blocked(const OperatorsRig& rig, std::string_view user) {
  return rig.process.rules.load()->blocked.has_user(user);
}
bool is_blocked_address(const OperatorsRig& rig, std::string_view address) {
  return rig.process.rules.load()->blocked.has_address(*door::parse_network(address));
}

void set_file(OperatorsRig& rig, std::string_view text) {
  door::Rules rules = *rig.process.rules.load();
  rules.blocked.file =
      std::make_shared<const door::BlockList>(*door::parse_block_list(text, "blocked", 1));
  rig.process.publish_rules(rules);
}

std::shared_ptr<Reload> reload_of(const OperatorsRig& rig) {
  auto made = std::make_shared<Reload>();
  made->asked = rig.process.reload.asked();
  made->what = "keys from k.json";
  made->keys = std::make_shared<const door::Keys>();
  made->operators = std::make_shared<const door::Operators>();
  made->change_rules = [](door::Rules& rules) { rules.limits.connections = 77; };
  return made;
}

TEST_SUITE("shard/rules_changes") {
  TEST_CASE("levers move when their record is durable and keep what is not named") {
    OperatorsRig rig;
    rig.process.drain_lag_max = 1000;
    rig.rules->set_limits(rig.by(0), R"({"lease_max":7})", rig.now);
    rig.turn();
    CHECK(rig.process.lease_max == 256);
    rig.settle();
    CHECK(rig.process.lease_max == 7);
    CHECK(rig.process.drain_lag_max == 1000);
    CHECK(rig.answers.at(0).body.starts_with(R"({"lease_max":7,"drain_lag_max":1000,)"));
    CHECK(rig.acts.back() == "limits lease_max 256 -> 7");
  }

  TEST_CASE("a change of levers is taken whole and answered when every shard goes by it") {
    OperatorsRig rig(3);
    rig.rules->set_limits(rig.by(0), R"({"rate_user":"20/1s","degrade":"static","lease_max":9})",
                          rig.now);
    rig.turn();
    CHECK(*rig.process.rules.load() == door::Rules{});
    rig.sync();
    rig.turn();
    CHECK(rig.process.rules.load()->limits.user == door::Rate{20, 1000});
    CHECK(rig.process.rules.load()->limits.degrade == door::Degrade::static_only);
    CHECK(rig.process.lease_max == 9);
    for (uint32_t shard = 0; shard < 3; ++shard) {
      rig.turn();
      CHECK(!rig.is_answered(0));
      rig.take_rules(shard);
    }
    rig.turn();
    CHECK(rig.says(0, R"("rate_user":"20/1s")"));
    CHECK(rig.acts.back() ==
          "limits lease_max 256 -> 9, rate_user 0 -> 20/1s, degrade none -> static");
  }

  TEST_CASE("of a change of levers with one bad value nothing is taken") {
    OperatorsRig rig;
    rig.rules->set_limits(rig.by(0), R"({"rate_user":"20/1s","degrade":"half"})", rig.now);
    CHECK(rig.answers.at(0).refusal == Verdict::bad_request);
    CHECK(rig.says(0, "degrade: expected none, no_new_users, no_polls or static"));
    rig.settle();
    CHECK(rig.appended == 0);
    CHECK(*rig.process.rules.load() == door::Rules{});
  }

  TEST_CASE("a change of levers builds on one that is under way") {
    OperatorsRig rig;
    rig.rules->set_limits(rig.by(0), R"({"rate_user":"20/1s"})", rig.now);
    rig.rules->set_limits(rig.by(1), R"({"open_per_user":3})", rig.now);
    rig.settle();
    CHECK(rig.process.rules.load()->limits.user == door::Rate{20, 1000});
    CHECK(rig.process.rules.load()->limits.open_per_user == 3);
    CHECK(rig.says(1, R"("rate_user":"20/1s","open_per_user":3)"));
  }

  TEST_CASE("the rate of orders cannot be raised step by step beyond twice the flag") {
    OperatorsRig rig;
    door::Rules of_flags;
    of_flags.limits.order_rate.per_second = 100;
    rig.process.publish_rules(of_flags);
    rig.rules = std::make_unique<RulesChanges>(rig, rig.state, rig.process);
    rig.rules->set_limits(rig.by(0), R"({"order_rate":200})", rig.now);
    rig.settle();
    rig.rules->set_limits(rig.by(1), R"({"order_rate":400})", rig.now);
    CHECK(rig.answers.at(1).refusal == Verdict::bad_request);
    CHECK(rig.says(1, "order_rate: expected 1 to 200"));
  }

  TEST_CASE("a change of more levers than one record has words for is several records") {
    OperatorsRig rig;
    rig.rules->set_limits(rig.by(0), R"({"lease_max":1000000,"drain_lag_max":9007199254740991,
        "rate_user":"999999999/86399999ms","open_per_user":1000,
        "rate_address":"999999999/86399999ms","connections_address":1000000,
        "connections":999999999,"order_rate":999999999,"degrade":"no_new_users"})",
                          rig.now);
    rig.settle();
    REQUIRE(rig.answers.at(0).refusal == Verdict::ok);
    CHECK(rig.acts.size() >= 2);
    CHECK(rig.acts.size() <= 3);  // what Admin::has_room() counts on
    std::string all;
    for (const std::string& act : rig.acts) all += act;
    CHECK(all.find("lease_max 256 -> 1000000") != all.npos);
    CHECK(all.find("degrade none -> no_new_users") != all.npos);
  }

  TEST_CASE("without room and while stopping nothing is changed") {
    OperatorsRig rig;
    rig.has_log_room = false;
    rig.rules->set_limits(rig.by(0), R"({"lease_max":1})", rig.now);
    rig.rules->block(rig.by(1), kAlice, rig.now);
    rig.has_log_room = true;
    rig.process.is_stopping = true;
    rig.rules->unblock(rig.by(2), kAlice, rig.now);
    rig.rules->reload(rig.by(3));
    for (uint32_t place : {0, 1}) CHECK(rig.answers.at(place).refusal == Verdict::overloaded);
    for (uint32_t place : {2, 3}) CHECK(rig.answers.at(place).refusal == Verdict::shutting_down);
    CHECK(rig.appended == 0);
  }

  TEST_CASE("a user is blocked when the record is durable and every shard knows") {
    OperatorsRig rig(2);
    rig.rules->block(rig.by(kPlace), kAlice, rig.now);
    rig.turn();
    CHECK(!is_blocked(rig, "alice"));
    rig.sync();
    rig.turn();
    CHECK(is_blocked(rig, "alice"));
    CHECK(!is_blocked(rig, "bob"));
    CHECK(!rig.is_answered(kPlace));
    for (uint32_t shard : {0, 1}) rig.take_rules(shard);
    rig.turn();
    CHECK(rig.answers.at(kPlace).body == R"({"user":"alice","word":"blocked"})");
    CHECK(rig.acts.back() == "blocked user alice none -> blocked");
  }

  TEST_CASE(
      "to lift a block of an operator leaves no word and one of the file becomes an exemption") {
    OperatorsRig rig;
    set_file(rig, "user bob");
    rig.rules->block(rig.by(0), kAlice, rig.now);
    rig.rules->unblock(rig.by(1), kAlice, rig.now);
    rig.rules->unblock(rig.by(2), {.text = "bob"}, rig.now);
    rig.settle();
    CHECK(!is_blocked(rig, "alice"));
    CHECK(!is_blocked(rig, "bob"));
    CHECK(rig.says(1, R"("word":"none")"));
    CHECK(rig.says(2, R"("word":"exempt")"));
    CHECK(rig.state.block_words().size() == 1);
    rig.rules->block(rig.by(3), {.text = "bob"}, rig.now);
    rig.settle();
    CHECK(is_blocked(rig, "bob"));
  }

  TEST_CASE("an address is let out of a network that an operator or the file has blocked") {
    OperatorsRig rig;
    SUBCASE("an operator") {
      rig.rules->block(rig.by(0), kNet, rig.now);
    }
    SUBCASE("the file") {
      set_file(rig, "address 10.0.0.0/8");
    }
    rig.rules->unblock(rig.by(1), kInNet, rig.now);
    rig.settle();
    CHECK(is_blocked_address(rig, "10.2.0.1"));
    CHECK(!is_blocked_address(rig, "10.1.0.1"));
    CHECK(rig.rules->blocked_json(kInNet).find(R"("blocked":false)") != std::string::npos);
  }

  TEST_CASE("what operators have said is listed in pages and each with what the file says") {
    OperatorsRig rig;
    set_file(rig, "user bob\naddress 10.0.0.0/8");
    const uint32_t count = bounds::blocked_per_page;
    for (uint32_t i = 0; i < count; ++i) {
      rig.rules->block(rig.by(i), {.text = "u" + std::to_string(10'000 + i)}, rig.now);
      if (i % 100 == 0) rig.settle();
    }
    rig.rules->unblock(rig.by(count), kInNet, rig.now);
    rig.settle();
    const std::string first = rig.rules->blocked_page({});
    CHECK(first.starts_with(R"({"file":{"users":1,"addresses":1},"words":[{"user":"u10000",)"));
    CHECK(first.ends_with(R"(],"after_user":"u10999"})"));
    const std::string second = rig.rules->blocked_page({.text = "u10999"});
    CHECK(second.find(R"("words":[{"address":"10.1.0.0/16","word":"exempt"}]})") != second.npos);
    CHECK(rig.rules->blocked_json({.text = "bob"}) ==
          R"({"user":"bob","word":"none","file":true,"blocked":true})");
  }

  TEST_CASE("operators say no more than there is room for and may still take back") {
    OperatorsRig rig;
    for (uint32_t i = 0; i < bounds::blocked_words_max; ++i)
      rig.append(orderlog::Block{.word = orderlog::BlockWord::blocked,
                                 .subject = "u" + std::to_string(i)});
    rig.rules->block(rig.by(0), kAlice, rig.now);
    CHECK(rig.answers.at(0).status == http::StatusCode::conflict);
    CHECK(rig.says(0, "too_many_blocked"));
    rig.rules->block(rig.by(1), {.text = "u5"}, rig.now);
    rig.rules->unblock(rig.by(2), {.text = "u5"}, rig.now);
    rig.settle();
    CHECK(rig.answers.at(1).refusal == Verdict::ok);
    CHECK(rig.answers.at(2).refusal == Verdict::ok);
  }

  TEST_CASE("what was read again is in force at once and its record follows") {
    OperatorsRig rig;
    rig.has_log_room = false;
    const std::shared_ptr<Reload> made = reload_of(rig);
    REQUIRE(rig.process.reload.deliver(made) == Delivery::done);
    CHECK(rig.process.reload.deliver(made) == Delivery::full);
    rig.turn();
    CHECK(rig.process.keys.load() == made->keys);
    CHECK(rig.process.operators.load() == made->operators);
    CHECK(rig.process.rules.load()->limits.connections == 77);
    CHECK(rig.acts.empty());
    CHECK(rig.rules->wants_turn());
    rig.has_log_room = true;
    rig.settle();
    CHECK(rig.acts.back() == "reload keys from k.json");
    CHECK(!rig.rules->has_some());
    CHECK(rig.process.reload.deliver(made) == Delivery::done);
  }

  TEST_CASE("an operator who asks for a reload hears of one that began behind his question") {
    OperatorsRig rig;
    uint32_t woken = 0;
    rig.process.reload.wake = [&] { ++woken; };
    rig.rules->reload(rig.by(kPlace));
    const std::shared_ptr<Reload> first = reload_of(rig);
    rig.rules->reload(rig.by(kOther));
    CHECK(woken == 2);
    REQUIRE(rig.process.reload.deliver(first) == Delivery::done);
    rig.settle();
    CHECK(rig.says(kPlace, R"({"reloaded":"keys from k.json","needs_restart":[],"refused":[]})"));
    CHECK(!rig.is_answered(kOther));
    REQUIRE(rig.process.reload.deliver(reload_of(rig)) == Delivery::done);
    rig.settle();
    CHECK(rig.is_answered(kOther));
  }

  TEST_CASE("the record of a reload names everybody who asked for it and each once") {
    OperatorsRig rig;
    const std::vector<std::string_view> askers{"deploy", "alice", "deploy", "bob"};
    for (uint32_t place = 0; place < askers.size(); ++place)
      rig.rules->reload(rig.by(place, askers[place]));
    REQUIRE(rig.process.reload.deliver(reload_of(rig)) == Delivery::done);
    rig.settle();
    CHECK(rig.actors == std::vector<std::string>{"alice, bob, deploy"});
    for (uint32_t place = 0; place < askers.size(); ++place) CHECK(rig.is_answered(place));
  }

  TEST_CASE("the record of a reload that nobody asked for names the signal") {
    OperatorsRig rig;
    REQUIRE(rig.process.reload.deliver(reload_of(rig)) == Delivery::done);
    rig.settle();
    CHECK(rig.actors == std::vector<std::string>{"SIGHUP"});
  }

  TEST_CASE("levers that were read again change those of an operator that are on their way too") {
    OperatorsRig rig;
    rig.rules->set_limits(rig.by(1), R"({"open_per_user":3,"lease_max":9})", rig.now);
    const auto made = std::make_shared<Reload>();
    made->what = "configuration";
    made->change_levers = [](Levers& levers) { levers.lease_max = 5; };
    REQUIRE(rig.process.reload.deliver(made) == Delivery::done);
    rig.turn();
    CHECK(rig.rules->levers().lease_max == 5);
    rig.settle();
    CHECK(rig.rules->levers().lease_max == 5);
    CHECK(rig.rules->levers().door.open_per_user == 3);
    CHECK(rig.process.reload.succeeded == 1);
  }

  TEST_CASE("a reload that found something wrong changes nothing and says what") {
    OperatorsRig rig;
    rig.rules->reload(rig.by(kPlace));
    const std::shared_ptr<Reload> made = reload_of(rig);
    made->problem = "blocked:7: expected";
    REQUIRE(rig.process.reload.deliver(made) == Delivery::done);
    rig.settle();
    CHECK(rig.answers.at(kPlace).status == http::StatusCode::conflict);
    CHECK(rig.says(kPlace, "blocked:7: expected; everything stays as it was"));
    CHECK(rig.process.keys.load() == nullptr);
    CHECK(*rig.process.rules.load() == door::Rules{});
    CHECK(rig.acts.empty());
  }
}

}  // namespace
}  // namespace stampede::shard
