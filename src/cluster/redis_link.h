// The real ScriptLink: hiredis' asynchronous API over the Net seam, on the shard's own reactor. Up means authenticated, on the
// right database, and the scripts are loaded. hiredis 0.14 has no timeouts of its own. Resolves no names.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/script_link.h"

struct redisAsyncContext;
struct redisReply;

namespace stampede::cluster {

class RedisLink final : public ScriptLink {
 public:
  RedisLink(net::Net& net, uint64_t token, Owner& owner);
  ~RedisLink() override;

  void connect(const RedisServer& server) override;
  void close(std::string_view why) override;
  void call(Script script, uint32_t group, uint64_t number,
            std::span<const std::string_view> arguments) override;
  void flush() override;  // one write
  void on_event(const net::Event& event) override;

 private:
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
  redisAsyncContext* context_ =
      nullptr;  // owned by hiredis, which frees it when the connection ends
  uint32_t generation_ = 0;
  bool is_watched_ = false, wants_read_ = false, wants_write_ = false;
  bool is_sending_ = false;
  net::Interest watched_ = net::Interest::none;
  unsigned scripts_loaded_ = 0;
  std::vector<UnderWay> under_way_;  // calls without an answer, oldest first
  std::array<std::string, kScriptCount> shas_;
  RedisServer server_;
};

}  // namespace stampede::cluster
