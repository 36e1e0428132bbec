#include "shard/sender.h"

#include "parts_rig.h"

namespace stampede::shard {
namespace {

using Sent = Sender::Sent;

struct SenderRig : PartsRig {
  // How far each of those that were added has come with its first write.
  std::vector<Sent> write_all() {
    std::vector<Sent> all;
    while (sender.is_dirty())
      for (const Sender::Written& one : sender.write_some()) all.push_back(one.sent);
    return all;
  }
  // A large answer at the front of its line is being sent.
  void begin_body(const Peer& peer, size_t bytes) {
    ask(peer);
    table.places.answer(at(peer).line.first, {.body = std::string(bytes, 'x')});
    table.places[at(peer).line.first].state = Place::State::sending;
    at(peer).is_sending = true;
  }

  Sender sender{table, net, metrics};
};

TEST_SUITE("shard/sender") {
  TEST_CASE("outputs of many go out together and each is told how far it came") {
    SenderRig rig;
    const auto whole = rig.open();
    const auto slow = rig.open();
    const auto gone = rig.open();
    const auto silent = rig.open();
    slow.client->set_window(0);
    for (const auto& peer : {whole, slow, gone}) rig.append(peer, "answer");
    gone.client->reset();
    for (const auto& peer : {whole, slow, gone, silent}) rig.sender.add(peer.index);
    CHECK(rig.write_all() == std::vector{Sent::all, Sent::blocked, Sent::gone, Sent::all});
    CHECK(whole.client->read() == "answer");
    CHECK(rig.at(slow).output.bytes() == 6);
    CHECK(rig.metrics.bytes_written.get() == 6);
    CHECK(!rig.sender.has_work());
  }

  TEST_CASE("more than one call of the net can take are written in several") {
    SenderRig rig;
    std::vector<PartsRig::Peer> peers;
    for (int i = 0; i < 100; ++i) {
      peers.push_back(rig.open());
      rig.append(peers.back(), "answer");
      rig.sender.add(peers.back().index);
      rig.sender.add(peers.back().index);
    }
    CHECK(rig.sender.write_some().size() < 100);
    rig.write_all();
    for (const auto& peer : peers) CHECK(peer.client->read() == "answer");
  }

  TEST_CASE("a cell that was closed before the end of the turn is passed over") {
    SenderRig rig;
    const auto peer = rig.open();
    rig.sender.add(peer.index);
    rig.sender.postpone(peer.index);
    rig.at(peer).is_open = false;
    CHECK(rig.write_all().empty());
    rig.sender.begin_turn();
    CHECK(!rig.sender.has_work());
  }

  TEST_CASE("what a first write has left goes out in further ones") {
    SenderRig rig;
    const auto peer = rig.open();
    rig.net.set_write_bytes_max(1'000);
    rig.append(peer, std::string(10'000, 'x'));
    CHECK(rig.sender.send(rig.at(peer)) == Sent::all);
    CHECK(peer.client->unread_bytes() == 10'000);
  }

  TEST_CASE("large bodies share the bytes of a turn") {
    SenderRig rig;
    const auto first = rig.open();
    const auto second = rig.open();
    rig.begin_body(first, kBodyBytesPerTurn / 2);
    rig.begin_body(second, kBodyBytesPerTurn);
    rig.sender.begin_flush();
    CHECK(rig.sender.send(rig.at(first)) == Sent::body);
    CHECK(rig.sender.send(rig.at(second)) == Sent::postponed);
    CHECK(second.client->unread_bytes() == kBodyBytesPerTurn / 2);
    rig.sender.postpone(second.index);
    CHECK(!rig.sender.is_dirty());
    CHECK(rig.sender.has_work());
    rig.sender.begin_turn();
    CHECK(rig.sender.is_dirty());
    rig.sender.begin_flush();
    CHECK(rig.sender.send(rig.at(second)) == Sent::body);
    CHECK(second.client->unread_bytes() == kBodyBytesPerTurn);
  }

  TEST_CASE("a body follows the output in front of it and goes on where it was") {
    SenderRig rig;
    const auto peer = rig.open();
    rig.append(peer, "head");
    rig.begin_body(peer, 100);
    peer.client->set_window(50);
    rig.sender.begin_flush();
    CHECK(rig.sender.send(rig.at(peer)) == Sent::blocked);
    CHECK(peer.client->read() == "head" + std::string(46, 'x'));
    CHECK(rig.sender.send(rig.at(peer)) == Sent::blocked);
    CHECK(peer.client->read() == std::string(50, 'x'));
    CHECK(rig.sender.send(rig.at(peer)) == Sent::body);
    CHECK(peer.client->read() == std::string(4, 'x'));
  }
}

}  // namespace
}  // namespace stampede::shard
