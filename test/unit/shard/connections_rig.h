// Connections over a network in memory, turned by hand, with a handler that does what a test says.
#pragma once

#include <charconv>
#include <functional>
#include <string>
#include <vector>

#include "../../world/fake_net.h"
#include "shard/connections.h"

// Behind the headers of the server, whose CHECK means the other thing.
#include <doctest/doctest.h>

namespace stampede::shard {

// Keeps the places, or answers at once when it has an answer to give.
struct KeepingHandler : RequestHandler {
  void handle(const http::Request& request, ReplyTo place) override {
    paths.emplace_back(request.path);
    places.push_back(place);
    if (answer) answer(request, place);
  }
  void take_turn(ReplyTo place) override { turns.push_back(place); }
  void hurry(ReplyTo place) override {
    hurried.push_back(place);
    if (on_hurry) on_hurry(place);
  }
  void abandon(ReplyTo place) override { abandoned.push_back(place); }

  std::function<void(const http::Request&, ReplyTo)> answer;
  std::function<void(ReplyTo)> on_hurry;
  std::vector<std::string> paths;
  std::vector<ReplyTo> places, turns, hurried, abandoned;
};

struct ConnectionsRig {
  explicit ConnectionsRig(const ConnectionsSettings& settings = {.connections_max = 4096,
                                                                 .places_max = 4096})
      : connections(settings, net, metrics, clock.now()) {
    connections.add_listener(listener, {.handler = &handler});
  }

  // What a shard does in a turn, as far as its connections are concerned. True when it had something to do.
  bool turn(int64_t wait_ns = 0) {
    const bool had_work = connections.has_work();
    const std::span<const net::Event> events = net.poll(had_work ? 0 : wait_ns);
    connections.pass_time(clock.now());
    if (in_turn) in_turn();
    for (const net::Event& event : events) connections.on_event(event, clock.now());
    connections.read();
    connections.flush();
    return had_work || !events.empty();
  }
  // Turns until there is nothing to do without time passing; how many. A server that spins never gets there.
  uint32_t rest(uint32_t turns_max = 100'000) {
    uint32_t turns = 0;
    while (turn()) REQUIRE(++turns < turns_max);
    return turns;
  }
  void pass(int64_t ns) {
    clock.advance(ns);
    rest();
  }
  // A client that has been let in.
  world::FakeClient& client() {
    world::FakeClient& client = net.connect(listener);
    rest();
    REQUIRE(client.is_accepted());
    return client;
  }
  // What the server says to bytes, when the client reads all of it.
  std::string ask(world::FakeClient& client, std::string_view bytes) {
    client.send(bytes);
    rest();
    return client.read();
  }

  world::FakeClock clock;
  world::FakeNet net{&clock};
  Metrics metrics;
  KeepingHandler handler;
  Connections connections;
  Answers& answers = connections.answers();
  net::Socket listener = net.listen();
  std::function<void()> in_turn;
};

inline std::string get(std::string_view path) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}

inline std::string repeated(std::string_view text, size_t count) {
  std::string all;
  for (size_t i = 0; i < count; ++i) all += text;
  return all;
}

struct Response {
  unsigned status = 0;
  std::string head, body;
};

// Takes a response that is whole off the front of `bytes`; status 0, and nothing taken, when there is none.
inline Response take_response(std::string& bytes) {
  Response response;
  const size_t end = bytes.find("\r\n\r\n");
  if (end == bytes.npos) return {};
  response.head = bytes.substr(0, end + 4);
  if (response.head.substr(0, 9) != "HTTP/1.1 ") return {.status = 999};  // framing was lost
  size_t length = 0;
  const size_t at = response.head.find("Content-Length: ");
  if (at != response.head.npos)
    std::from_chars(response.head.data() + at + 16, response.head.data() + response.head.size(),
                    length);
  if (bytes.size() < end + 4 + length) return {};
  response.body = bytes.substr(end + 4, length);
  std::from_chars(response.head.data() + 9, response.head.data() + 12, response.status);
  bytes.erase(0, end + 4 + length);
  return response;
}

inline std::vector<Response> responses_in(std::string bytes) {
  std::vector<Response> responses;
  while (!bytes.empty()) {
    Response response = take_response(bytes);
    REQUIRE(response.status != 0);
    REQUIRE(response.status != 999);
    responses.push_back(std::move(response));
  }
  return responses;
}

}  // namespace stampede::shard
