#include "shard/flow_control.h"

#include "parts_rig.h"

namespace stampede::shard {
namespace {

using Parsing = Connection::Parsing;

struct FlowRig : PartsRig {
  using PartsRig::PartsRig;
  std::vector<uint32_t> resumed() {
    std::vector<uint32_t> all;
    flow.take_resumed([&](uint32_t index) { all.push_back(index); });
    return all;
  }
  std::vector<uint32_t> fed() {
    std::vector<uint32_t> all;
    flow.feed_starving([&](uint32_t index) { all.push_back(index); });
    return all;
  }
  void answer_first(const Peer& peer) { table.places.pop(at(peer).line); }

  FlowControl flow{table, net, metrics};
};
using Cells = std::vector<uint32_t>;

TEST_SUITE("shard/flow_control") {
  TEST_CASE("a full line is not read until an answer has left and then once") {
    FlowRig rig;
    const auto peer = rig.open();
    rig.ask(peer, bounds::pipelined_max);
    CHECK(!rig.flow.has_room(rig.at(peer)));
    rig.flow.stall(peer.index);
    rig.flow.update_interest(peer.index);
    CHECK(rig.at(peer).interest == net::Interest::none);
    rig.flow.look_again(peer.index);
    CHECK(!rig.flow.has_work());
    rig.answer_first(peer);
    rig.flow.look_again(peer.index);
    CHECK(rig.flow.has_work());
    CHECK(rig.resumed() == Cells{peer.index});
    CHECK(rig.resumed().empty());
    rig.flow.update_interest(peer.index);
    CHECK(rig.at(peer).interest == net::Interest::read);
    CHECK(rig.metrics.connections_stalled.get() == 1);
  }

  TEST_CASE("a full output is not read behind") {
    FlowRig rig;
    const auto peer = rig.open();
    rig.append(peer, std::string(bounds::output_bytes_max, 'x'));
    CHECK(!rig.flow.has_room(rig.at(peer)));
    rig.flow.update_interest(peer.index);
    CHECK(rig.at(peer).interest == net::Interest::write);
    rig.output(peer);
    CHECK(rig.flow.has_room(rig.at(peer)));
  }

  TEST_CASE("in a crowd a connection has one request and is called back when it is over") {
    FlowRig rig({.connections_max = 8, .places_max = 8});
    const auto many = rig.open();
    rig.ask(many, 4);
    const auto one = rig.open();
    CHECK(rig.flow.has_room(rig.at(one)));
    rig.ask(one);
    CHECK(!rig.flow.has_room(rig.at(one)));
    rig.flow.stall(one.index);
    rig.flow.call_back();
    CHECK(!rig.flow.has_work());
    for (int i = 0; i < 2; ++i) rig.answer_first(many);
    CHECK(rig.flow.has_work());
    rig.flow.call_back();
    CHECK(rig.resumed() == Cells{one.index});
  }

  TEST_CASE("nobody goes on while there is no place") {
    FlowRig rig({.connections_max = 8, .places_max = 1});
    const auto first = rig.open();
    const auto second = rig.open();
    rig.ask(first);
    rig.flow.wait_for_turn(second.index);
    CHECK(rig.at(second).interest == net::Interest::none);
    CHECK(!rig.flow.has_work());
    CHECK(rig.resumed().empty());
    rig.answer_first(first);
    CHECK(rig.resumed() == Cells{second.index});
  }

  TEST_CASE("a turn has so many requests of usual connections and of the others all") {
    FlowRig rig;
    const auto usual = rig.open();
    const auto better = rig.open();
    const auto operators = rig.open(false, false);
    rig.flow.rank(better.index, net::Rank::second);
    CHECK(rig.net.rank_of(better.client->socket()) == net::Rank::second);
    for (uint32_t i = 0; i < kRequestsPerTurn; ++i) {
      REQUIRE(rig.flow.may_decide(rig.at(usual)));
      rig.flow.spend(rig.at(better));
      rig.flow.spend(rig.at(usual));
    }
    CHECK(!rig.flow.may_decide(rig.at(usual)));
    CHECK(rig.flow.may_decide(rig.at(better)));
    CHECK(rig.flow.may_decide(rig.at(operators)));
    rig.flow.begin_turn();
    CHECK(rig.flow.may_decide(rig.at(usual)));
  }

  TEST_CASE("those that go on leave half of a turn to others") {
    FlowRig rig;
    const auto first = rig.open();
    const auto second = rig.open();
    rig.flow.resume(first.index);
    rig.flow.resume(second.index);
    Cells gone_on;
    rig.flow.take_resumed([&](uint32_t index) {
      gone_on.push_back(index);
      for (uint32_t i = 0; i < kRequestsPerTurn / 2; ++i) rig.flow.spend(rig.at(first));
    });
    CHECK(gone_on == Cells{first.index});
    CHECK(rig.flow.may_decide(rig.at(second)));
    rig.flow.begin_turn();
    CHECK(rig.resumed() == Cells{second.index});
  }

  TEST_CASE("who found no buffer is looked at once for each time that some have come back") {
    FlowRig rig;
    const auto peer = rig.open();
    rig.lend_all_buffers();
    rig.flow.starve(peer.index);
    CHECK(!rig.flow.has_work());
    CHECK(rig.fed().empty());
    rig.table.buffers().take_back(rig.lent.back());
    CHECK(rig.flow.has_work());
    rig.flow.feed_starving([&](uint32_t index) { rig.flow.starve(index); });  // in vain
    CHECK(rig.at(peer).is_starving);
    CHECK(!rig.flow.has_work());
    rig.lent.pop_back();
    rig.table.buffers().take_back(rig.lent.back());
    CHECK(rig.fed() == Cells{peer.index});
    CHECK(!rig.at(peer).is_starving);
  }

  TEST_CASE("a list holds cells and not those that have left them") {
    FlowRig rig;
    const auto peer = rig.open();
    rig.flow.resume(peer.index);
    rig.flow.starve(peer.index);
    rig.at(peer).begin(rig.at(peer).socket, rig.at(peer).service, false);
    rig.lend_all_buffers();
    rig.table.buffers().take_back(rig.lent.back());
    CHECK(rig.resumed().empty());
    CHECK(rig.fed().empty());
  }

  TEST_CASE("a server that stops decides all and one that leaves nothing") {
    FlowRig rig;
    const auto peer = rig.open();
    while (rig.flow.may_decide(rig.at(peer))) rig.flow.spend(rig.at(peer));
    rig.table.is_stopping = true;
    CHECK(rig.flow.may_decide(rig.at(peer)));
    CHECK(rig.flow.read_budget() == UINT32_MAX);
    CHECK(rig.flow.has_room(rig.at(peer)));
    rig.table.passes_on = true;
    CHECK(!rig.flow.has_room(rig.at(peer)));
  }
}

}  // namespace
}  // namespace stampede::shard
