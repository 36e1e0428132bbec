#include "shard/roster.h"

#include "parts_rig.h"

namespace stampede::shard {
namespace {

struct RosterRig : PartsRig {
  using PartsRig::PartsRig;
  Peer let_in(bool is_guest = false, bool is_public = true) {
    world::FakeClient& client = net.connect(listener);
    const net::Socket socket = net.accept(listener).socket;
    return {&client, roster.open(socket, {.handler = &handler, .is_public = is_public}, is_guest)};
  }

  Deadlines deadlines{table};
  FlowControl flow{table, net, metrics};
  Sender sender{table, net, metrics};
  Answers answers{table, net, metrics, flow, sender};
  Roster roster{table, net, metrics, deadlines, answers};
};

TEST_SUITE("shard/roster") {
  TEST_CASE("an event finds its connection and not the next owner of the cell") {
    RosterRig rig;
    const auto first = rig.let_in();
    const uint64_t token = rig.at(first).token(first.index);
    CHECK(rig.roster.find(token) == first.index);
    CHECK(rig.roster.find(token + 1) == kNone);  // never handed out
    rig.roster.close(first.index);
    CHECK(rig.roster.find(token) == kNone);
    const auto second = rig.let_in();
    REQUIRE(second.index == first.index);
    CHECK(rig.roster.find(token) == kNone);
    CHECK(rig.roster.find(rig.at(second).token(second.index)) == second.index);
  }

  TEST_CASE("a newcomer that cannot be watched leaves nothing behind") {
    RosterRig rig;
    rig.net.set_watches_max(0);
    CHECK(rig.let_in().index == kNone);
    CHECK(rig.table.connections.used() == 0);
    CHECK(rig.metrics.connections_shed.get() == 1);
    CHECK(rig.net.open_sockets() == 0);
    CHECK(rig.deadlines.quiet_until_ns() == INT64_MAX);
  }

  TEST_CASE("who has owed nobody an answer for longest is the first to make room") {
    RosterRig rig;
    const auto first = rig.let_in();
    const auto second = rig.let_in();
    rig.let_in(false, false);  // an operator makes none
    CHECK(rig.roster.first_idle(IdleKind::usual) == first.index);
    rig.ask(first);
    rig.roster.update_idle(first.index);
    CHECK(rig.roster.first_idle(IdleKind::usual) == second.index);
    rig.table.places.pop(rig.at(first).line);
    rig.at(first).rank = net::Rank::first;
    rig.roster.update_idle(first.index);
    CHECK(rig.roster.first_idle(IdleKind::first) == first.index);
    const auto third = rig.let_in();
    rig.roster.renew_idle(second.index);
    CHECK(rig.roster.first_idle(IdleKind::usual) == third.index);
    rig.roster.evict(third.index);
    CHECK(rig.roster.first_idle(IdleKind::usual) == second.index);
    CHECK(rig.metrics.connections_evicted.get() == 1);
  }

  TEST_CASE("guests are no more than some and give their places back") {
    RosterRig rig;
    std::vector<PartsRig::Peer> guests;
    while (rig.roster.has_room_for_guest()) guests.push_back(rig.let_in(true));
    CHECK(guests.size() == kGuestsMax);
    CHECK(rig.roster.first_idle(IdleKind::guest) == guests[0].index);
    rig.roster.close(guests[3].index);
    CHECK(rig.roster.has_room_for_guest());
  }

  TEST_CASE("an address that has enough is told so and then no more") {
    RosterRig rig;
    door::AddressTable addresses(1, 8, 8);
    rig.roster.count_addresses_in(addresses);
    rig.roster.set_address_limit(1);
    const auto first = rig.let_in();
    std::vector<PartsRig::Peer> refused;
    for (uint32_t i = 0; i < kRefusedMax; ++i) refused.push_back(rig.let_in());
    for (const auto& peer : refused) {
      REQUIRE(peer.index != kNone);
      CHECK(rig.at(peer).is_closing);
      CHECK(responses_in(rig.output(peer)).at(0).status == 429);
    }
    const auto beyond = rig.let_in();
    CHECK(beyond.index == kNone);
    CHECK(beyond.client->was_reset());
    CHECK(rig.let_in(false, false).index != kNone);  // an operator is not counted
    rig.roster.close(first.index);
    const auto next = rig.let_in();
    REQUIRE(next.index != kNone);
    CHECK(!rig.at(next).is_closing);
  }

  TEST_CASE("a closed connection gives back all that it held") {
    RosterRig rig;
    const auto peer = rig.let_in();
    const ReplyTo place = rig.answers.begin(peer.index, rig.at(peer), {});
    rig.append(peer, "half an answer");
    REQUIRE(rig.at(peer).input.append(rig.table.buffers(), std::string_view("GET / HT")));
    rig.roster.close(peer.index);
    CHECK(rig.handler.abandoned.size() == 1);
    CHECK(!rig.answers.is_waiting(place));
    CHECK(rig.table.book.unsent() == 0);
    CHECK(rig.table.buffers().lent() == net::BufferPool::Counts{});
    CHECK(rig.table.connections.used() == 0);
    CHECK(rig.deadlines.quiet_until_ns() == INT64_MAX);
    CHECK(rig.roster.first_idle(IdleKind::usual) == kNone);
  }

  TEST_CASE("a connection that is handed over stays open and is another's") {
    RosterRig rig;
    const auto peer = rig.let_in();
    rig.roster.hand_over(peer.index);
    CHECK(rig.table.connections.used() == 0);
    CHECK(peer.client->is_open_at_server());
    peer.client->send("GET");
    CHECK(rig.net.poll(0).empty());
  }
}

}  // namespace
}  // namespace stampede::shard
