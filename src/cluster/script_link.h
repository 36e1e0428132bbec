// A seam: one shard's connection to a Redis, which never waits. RedisLink is the real one.
//
// A link is down, connecting or up; up means that scripts can be called. Every failure (refused, reset, an error instead of an
// answer, garbage) ends in the same state: the link is down, problem() says why, and the owner connects again and repeats its
// call. That loses and doubles nothing, because the calls of this protocol may be repeated. Only an error about one group's slot
// leaves the link up, for the other groups' sake. A link has no timeouts: the owner's clock decides.
//
// Belongs to the shard's thread. Questions of every turn are no virtual calls.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "cluster/epoch_link.h"
#include "cluster/scripts.h"
#include "net/net.h"

struct redisReply;

namespace stampede::cluster {

class ScriptLink {
 public:
  // on_answer(): the array that a script answered about a group; its first value is a status. `number` is the call's.
  // on_refusal(): the group's slot is elsewhere, or on its way.
  class Owner {
   public:
    virtual ~Owner() = default;
    virtual void on_answer(Script script, uint32_t group, uint64_t number,
                           const redisReply& answer) = 0;
    virtual void on_refusal(Script script, uint32_t group) = 0;
  };

  virtual ~ScriptLink() = default;
  ScriptLink(const ScriptLink&) = delete;

  // From down only.
  virtual void connect(const RedisServer& server) = 0;
  virtual void close(std::string_view why) = 0;

  [[nodiscard]] bool is_up() const { return state_ == State::up; }
  [[nodiscard]] bool is_down() const { return state_ == State::down; }
  [[nodiscard]] const std::string& problem() const { return problem_; }

  // When up. The calls leave with flush(); answers come in the order of the calls.
  virtual void call(Script script, uint32_t group, uint64_t number,
                    std::span<const std::string_view> arguments) = 0;
  virtual void flush() = 0;

  [[nodiscard]] bool is_mine(uint64_t token) const {
    return (token & ~uint64_t{0xffffff00}) == token_;
  }
  virtual void on_event(const net::Event& event) = 0;

 protected:
  // ending: down as soon as the code that is at work with the connection lets go of it.
  enum class State : uint8_t { down, ending, connecting, up };

  // Events carry `token` with a generation in bits 8 to 31.
  ScriptLink(uint64_t token, Owner& owner) : owner_(owner), token_(token) {}

  [[nodiscard]] bool has_ended() const { return state_ <= State::ending; }

  Owner& owner_;
  const uint64_t token_;
  State state_ = State::down;
  std::string problem_;
};

}  // namespace stampede::cluster
