#include "shard/answers.h"

#include "parts_rig.h"

namespace stampede::shard {
namespace {

struct AnswersRig : PartsRig {
  using PartsRig::PartsRig;
  ReplyTo begin(const Peer& peer) { return answers.begin(peer.index, at(peer), {}); }
  std::string bodies(const Peer& peer) {
    std::string all;
    for (const Response& response : responses_in(output(peer))) all += response.body;
    return all;
  }

  FlowControl flow{table, net, metrics};
  Sender sender{table, net, metrics};
  Answers answers{table, net, metrics, flow, sender};
};

constexpr size_t kLarge = 9'000;

TEST_SUITE("shard/answers") {
  TEST_CASE("an answer waits for those in front of it") {
    AnswersRig rig;
    const auto peer = rig.open();
    const ReplyTo first = rig.begin(peer), second = rig.begin(peer), third = rig.begin(peer);
    rig.answers.complete(second, {.body = "2"});
    CHECK(rig.at(peer).output.empty());
    CHECK(!rig.sender.is_dirty());
    rig.answers.complete(first, {.body = "1"});
    CHECK(rig.sender.is_dirty());
    CHECK(rig.bodies(peer) == "12");
    CHECK(rig.answers.is_waiting(third));
    CHECK(!rig.answers.is_waiting(first));
    CHECK(rig.metrics.requests.get() == 3);
    CHECK(rig.metrics.answers[static_cast<unsigned>(Verdict::ok)].get() == 2);
  }

  TEST_CASE("nothing is rendered behind a large body until that is written") {
    AnswersRig rig;
    const auto peer = rig.open();
    const ReplyTo first = rig.begin(peer), second = rig.begin(peer);
    rig.answers.complete(first, {.body = std::string(kLarge, 'x')});
    rig.answers.complete(second, {.body = "2"});
    CHECK(rig.at(peer).is_sending);
    CHECK(rig.output(peer).find("Content-Length: 9000") != std::string::npos);
    rig.answers.render_line(peer.index);
    CHECK(rig.at(peer).output.empty());
    rig.answers.end_body(peer.index);
    CHECK(rig.bodies(peer) == "2");
    CHECK(rig.table.places.used() == 0);
  }

  TEST_CASE("an answer that finds no buffer stays at its place") {
    AnswersRig rig;
    const auto peer = rig.open();
    const ReplyTo place = rig.begin(peer);
    rig.lend_all_buffers();
    rig.answers.complete(place, {.body = "1"});
    CHECK(rig.at(peer).is_starving);
    CHECK(rig.at(peer).line.count == 1);
    CHECK(rig.metrics.answers[static_cast<unsigned>(Verdict::ok)].get() == 0);
    for (net::Chunk* chunk : rig.lent) rig.table.buffers().take_back(chunk);
    rig.answers.render_line(peer.index);
    CHECK(rig.bodies(peer) == "1");
  }

  TEST_CASE("a request that wants its turn is told when it is first and only then") {
    AnswersRig rig;
    const auto peer = rig.open();
    const ReplyTo first = rig.begin(peer), second = rig.begin(peer);
    CHECK(rig.answers.is_first(first));
    CHECK(!rig.answers.is_first(second));
    CHECK(rig.handler.turns.empty());
    rig.answers.complete(first, {.body = "1"});
    REQUIRE(rig.handler.turns.size() == 1);
    CHECK(rig.handler.turns[0].place == second.place);
    rig.answers.render_line(peer.index);
    CHECK(rig.handler.turns.size() == 1);
  }

  TEST_CASE("what waits on purpose is hurried once and only when it is last") {
    AnswersRig rig;
    const auto peer = rig.open();
    const ReplyTo first = rig.begin(peer);
    CHECK(rig.answers.may_linger(first));
    rig.answers.hurry_last(rig.at(peer));
    rig.answers.hurry_last(rig.at(peer));
    CHECK(rig.handler.hurried.size() == 1);
    const ReplyTo second = rig.begin(peer);
    CHECK(!rig.answers.may_linger(first));
    CHECK(rig.answers.may_linger(second));
    rig.table.is_stopping = true;
    CHECK(!rig.answers.may_linger(second));
    const auto guest = rig.open(true);
    rig.table.is_stopping = false;
    CHECK(!rig.answers.may_linger(rig.begin(guest)));
  }

  TEST_CASE("a connection that can be read no further is told why behind its answers") {
    AnswersRig rig;
    const auto peer = rig.open();
    const ReplyTo first = rig.begin(peer);
    rig.answers.refuse_connection(peer.index, {}, {.verdict = Verdict::request_timeout});
    CHECK(rig.at(peer).is_closing);
    CHECK(rig.at(peer).must_linger);
    CHECK(rig.at(peer).output.empty());
    rig.answers.complete(first, {.body = "1"});
    const auto responses = responses_in(rig.output(peer));
    REQUIRE(responses.size() == 2);
    CHECK(responses[1].status == 408);
    CHECK(responses[1].head.find("Connection: close\r\n") != std::string::npos);
    CHECK(rig.metrics.requests.get() == 1);  // it was none
  }

  TEST_CASE("without a place a connection that can be read no further ends without a word") {
    AnswersRig rig({.connections_max = 4, .places_max = 1});
    const auto asks = rig.open();
    (void)rig.begin(asks);
    const auto peer = rig.open();
    rig.answers.refuse_connection(peer.index, {}, {.verdict = Verdict::request_timeout});
    CHECK(rig.at(peer).is_closing);
    CHECK(rig.at(peer).output.empty());
    CHECK(rig.sender.is_dirty());
  }

  TEST_CASE("whoever ends takes the handler's questions with it and leaves no place") {
    AnswersRig rig;
    const auto peer = rig.open();
    const ReplyTo first = rig.begin(peer), second = rig.begin(peer);
    rig.answers.complete(second, {.body = "2"});
    rig.answers.abandon(rig.at(peer));
    REQUIRE(rig.handler.abandoned.size() == 1);
    CHECK(rig.handler.abandoned[0].place == first.place);
    CHECK(rig.table.places.used() == 0);
    CHECK(!rig.answers.is_waiting(first));
    rig.answers.complete(first, {.body = "late"});
    CHECK(rig.at(peer).output.empty());
  }
}

}  // namespace
}  // namespace stampede::shard
