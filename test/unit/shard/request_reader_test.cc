#include "shard/request_reader.h"

#include "parts_rig.h"

namespace stampede::shard {
namespace {

struct ReaderRig : PartsRig {
  using PartsRig::PartsRig;
  void read(const Peer& peer) {
    reader.add(peer.index);
    reader.read();
  }

  Deadlines deadlines{table};
  FlowControl flow{table, net, metrics};
  Sender sender{table, net, metrics};
  Answers answers{table, net, metrics, flow, sender};
  Roster roster{table, net, metrics, deadlines, answers};
  RequestReader reader{table, net, metrics, flow, deadlines, sender, answers, roster};
};
using Paths = std::vector<std::string>;

TEST_SUITE("shard/request_reader") {
  TEST_CASE("requests of a read go to their handler and the rest is kept") {
    ReaderRig rig;
    const auto peer = rig.open();
    peer.client->send(get("/a") + get("/b") + "GET /c HT");
    rig.read(peer);
    CHECK(rig.handler.paths == Paths{"/a", "/b"});
    CHECK(rig.at(peer).input.kept().size() == 9);
    peer.client->send("TP/1.1\r\nHost: a\r\n\r\n");
    rig.read(peer);
    CHECK(rig.handler.paths == Paths{"/a", "/b", "/c"});
    CHECK(rig.at(peer).input.empty());
    CHECK(rig.at(peer).waiting == Connection::Waiting::answer);
    CHECK(rig.table.buffers().lent() == net::BufferPool::Counts{});
  }

  TEST_CASE("one read decides so many requests and the others in a later turn") {
    ReaderRig rig;
    const auto peer = rig.open();
    peer.client->send(repeated(get("/"), kRequestsPerRead + 1));
    rig.read(peer);
    CHECK(rig.handler.paths.size() == kRequestsPerRead);
    CHECK(rig.at(peer).parsing == Connection::Parsing::resumed);
    rig.flow.take_resumed([&](uint32_t index) { rig.reader.go_on(index); });
    CHECK(rig.handler.paths.size() == kRequestsPerRead + 1);
  }

  TEST_CASE("what comes beyond the share of a turn is heard and not decided") {
    ReaderRig rig;
    const auto peer = rig.open();
    while (rig.flow.may_decide(rig.at(peer))) rig.flow.spend(rig.at(peer));
    peer.client->send(get("/"));
    rig.read(peer);
    CHECK(peer.client->unread_by_server() > 0);  // it stays with the kernel
    rig.at(peer).parsing = Connection::Parsing::going;
    rig.reader.look_at(peer.index);
    CHECK(peer.client->unread_by_server() == 0);
    CHECK(rig.handler.paths.empty());
    rig.flow.begin_turn();
    rig.flow.take_resumed([&](uint32_t index) { rig.reader.go_on(index); });
    CHECK(rig.handler.paths.size() == 1);
  }

  TEST_CASE("a client that sends no more has asked what it asked and no half of it") {
    ReaderRig rig;
    const auto peer = rig.open();
    peer.client->send(get("/a") + "GET /b");
    rig.read(peer);
    peer.client->half_close();
    rig.read(peer);
    CHECK(rig.handler.paths == Paths{"/a"});
    CHECK(rig.at(peer).is_closing);
    CHECK(rig.at(peer).input.empty());
    CHECK(rig.at(peer).waiting == Connection::Waiting::answer);
  }

  TEST_CASE("what is no request is refused and nothing behind it is looked at") {
    ReaderRig rig;
    const auto peer = rig.open();
    peer.client->send("NONSENSE\r\n\r\n" + get("/a"));
    rig.read(peer);
    CHECK(rig.handler.paths.empty());
    CHECK(rig.at(peer).is_closing);
    CHECK(responses_in(rig.output(peer)).size() == 1);
  }

  TEST_CASE("what another server had read waits for its turn") {
    ReaderRig rig;
    const auto peer = rig.open();
    rig.reader.adopt(peer.index, std::string_view("GET /half HT"));
    peer.client->send("TP/1.1\r\nHost: a\r\n\r\n");
    rig.flow.take_resumed([&](uint32_t index) { rig.reader.go_on(index); });
    rig.read(peer);
    CHECK(rig.handler.paths == Paths{"/half"});
  }

  TEST_CASE("a server that stops takes what has arrived and nothing more") {
    ReaderRig rig;
    const auto peer = rig.open();
    peer.client->send(repeated(get("/"), kRequestsPerRead + 1));
    rig.read(peer);
    rig.table.is_stopping = true;
    rig.reader.take_last(peer.index);
    CHECK(rig.handler.paths.size() == kRequestsPerRead + 1);
    CHECK(rig.at(peer).is_closing);
    peer.client->send(get("/late"));
    rig.read(peer);
    CHECK(rig.handler.paths.size() == kRequestsPerRead + 1);
  }
}

}  // namespace
}  // namespace stampede::shard
