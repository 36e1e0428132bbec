// One shard's connection to Redis, on the shard's own reactor: hiredis' asynchronous API over the Net seam.
//
// A link is down, connecting or up; up means authenticated, on the right database, and the scripts are loaded. Every failure
// (refused, reset, an error instead of an answer, garbage) ends in the same state: the link is down, problem() says why, and the
// owner connects again and repeats its call. That loses and doubles nothing, because the calls of this protocol may be repeated.
// Only an error about one group's slot leaves the link up, for the other groups' sake. hiredis 0.14 has no timeouts of its own:
// the owner's clock decides.
//
// Belongs to the shard's thread. Resolves no names.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/epoch_link.h"
#include "cluster/scripts.h"
#include "net/net.h"

struct redisAsyncContext;
struct redisReply;

namespace stampede::cluster {

class RedisLink {
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

  // Events carry `token` with a generation in bits 8 to 31.
  RedisLink(net::Net& net, uint64_t token, Owner& owner);
  ~RedisLink();
  RedisLink(const RedisLink&) = delete;

  // From down only.
  void connect(const RedisServer& server);
  void close(std::string_view why);

  [[nodiscard]] bool is_up() const { return state_ == State::up; }
  [[nodiscard]] bool is_down() const { return state_ == State::down && context_ == nullptr; }
  [[nodiscard]] const std::string& problem() const { return problem_; }

  // When up. The calls leave in one write with flush(); answers come in the order of the calls.
  void call(Script script, uint32_t group, uint64_t number,
            std::span<const std::string_view> arguments);
  void flush();

  [[nodiscard]] bool is_mine(uint64_t token) const;
  void on_event(const net::Event& event);

 private:
  enum class State : uint8_t { down, connecting, up };

  // The scripts that a shard calls.
  static constexpr Script kScripts[] = {Script::sync, Script::read_items};

  struct UnderWay {
    Script script;
    uint32_t group;
    uint64_t number;
  };
  struct Hooks;  // hiredis calls them
  using Callback = void (*)(redisAsyncContext*, void* reply, void*);

  void send(Callback callback, std::span<const std::string_view> words);
  void greet();
  bool is_sound(const redisReply& reply);
  bool has_surplus();
  bool is_owed_a_reply() const;
  void on_script(const redisReply& reply);
  void on_call(const redisReply& reply);
  void want(bool read, bool write);
  void watch();
  uint64_t token() const { return token_ | uint64_t{generation_ & 0xffffff} << 8; }

  net::Net& net_;
  uint64_t token_;
  Owner& owner_;
  redisAsyncContext* context_ =
      nullptr;  // owned by hiredis, which frees it when the connection ends
  State state_ = State::down;
  uint32_t generation_ = 0;
  bool is_watched_ = false, wants_read_ = false, wants_write_ = false;
  bool is_sending_ = false;
  net::Interest watched_ = net::Interest::none;
  unsigned scripts_loaded_ = 0;
  std::vector<UnderWay> under_way_;  // calls without an answer, oldest first
  std::array<std::string, kScriptCount> shas_;
  RedisServer server_;
  std::string problem_;
};

}  // namespace stampede::cluster
