#include "shard/renderer.h"

#include "parts_rig.h"

namespace stampede::shard {
namespace {

struct RendererRig : PartsRig {
  Rendered render(const Peer& peer, TextAnswer answer, const http::Request& request = {}) {
    table.places.answer(add(peer, request), std::move(answer));
    return renderer.render(at(peer), table.places[at(peer).line.first]);
  }
  uint32_t add(const Peer& peer, const http::Request& request) {
    return table.places.add(at(peer).line, peer.index, request);
  }

  Renderer renderer{table};
};

constexpr size_t kLarge = 9'000;

TEST_SUITE("shard/renderer") {
  TEST_CASE("a small body is rendered behind its head and a large one stays at its place") {
    RendererRig rig;
    const auto small = rig.open();
    CHECK(rig.render(small, {.body = "\"a\""}) == Rendered::whole);
    CHECK(responses_in(rig.output(small)).at(0).body == "\"a\"");
    const auto large = rig.open();
    CHECK(rig.render(large, {.body = std::string(kLarge, 'x')}) == Rendered::head);
    const std::string head = rig.output(large);
    CHECK(head.find("Content-Length: 9000\r\n") != head.npos);
    CHECK(head.substr(head.size() - 4) == "\r\n\r\n");
  }

  TEST_CASE("the lead of a large body goes with its head") {
    RendererRig rig;
    const auto peer = rig.open();
    CHECK(rig.render(peer, {.body = std::string(kLarge, 'x'), .lead = "{\"a\":"}) ==
          Rendered::head);
    const std::string head = rig.output(peer);
    CHECK(head.find("Content-Length: 9005\r\n") != head.npos);
    CHECK(head.substr(head.size() - 5) == "{\"a\":");
  }

  TEST_CASE("the answer to HEAD has no body however large it is") {
    RendererRig rig;
    const auto peer = rig.open();
    CHECK(rig.render(peer, {.body = std::string(kLarge, 'x')}, {.method = http::Method::head}) ==
          Rendered::whole);
    const std::string head = rig.output(peer);
    CHECK(head.find("Content-Length: 9000\r\n") != head.npos);
    CHECK(head.substr(head.size() - 4) == "\r\n\r\n");
  }

  TEST_CASE("an answer for which there is no room is not begun") {
    RendererRig rig;
    const auto peer = rig.open();
    rig.lend_all_buffers();
    CHECK(rig.render(peer, {.body = "\"a\""}) == Rendered::nothing);
    CHECK(rig.at(peer).output.empty());
    for (net::Chunk* chunk : rig.lent) rig.table.buffers().take_back(chunk);
    CHECK(rig.renderer.render(rig.at(peer), rig.table.places[rig.at(peer).line.first]) ==
          Rendered::whole);
    CHECK(responses_in(rig.output(peer)).at(0).body == "\"a\"");
  }

  TEST_CASE("an answer says what becomes of its connection") {
    RendererRig rig;
    const auto stays = rig.open();
    rig.render(stays, {});
    CHECK(rig.output(stays).find("Connection:") == std::string::npos);
    const auto old = rig.open();
    rig.render(old, {}, {.is_http_1_0 = true});
    CHECK(rig.output(old).find("Connection: keep-alive\r\n") != std::string::npos);
    const auto ends = rig.open();
    const uint32_t place = rig.add(ends, {.is_http_1_0 = true});
    rig.table.places[place].closes = true;
    rig.table.places.answer(place, TextAnswer{});
    CHECK(rig.renderer.render(rig.at(ends), rig.table.places[place]) == Rendered::whole);
    CHECK(rig.output(ends).find("Connection: close\r\n") != std::string::npos);
  }

  TEST_CASE("an answer has the date of its turn") {
    RendererRig rig;
    const auto peer = rig.open();
    rig.table.now.wall_ns = 784'111'777 * kSecond;  // RFC 9110 5.6.7
    rig.renderer.refresh_date();
    rig.render(peer, {});
    CHECK(rig.output(peer).find("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n") != std::string::npos);
  }
}

}  // namespace
}  // namespace stampede::shard
