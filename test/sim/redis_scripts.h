// Runs the real scripts of lua/ as Redis would: by Lua 5.1, with redis.call() and redis.pcall() on a store, and Redis' conversion
// of values and errors in both directions. One engine for all servers; each chunk is compiled once.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/scripts.h"
#include "redis_store.h"

struct lua_State;

namespace stampede::sim {

// The Redis that a script runs in.
struct ScriptHost {
  RedisStore& store;
  std::string info;  // of INFO replication
  // The error of each command that writes; empty: none is refused. A Redis that is out of memory (OOM …) refuses only what takes
  // memory, and nothing more once the script has written.
  std::string refused_writes;
  std::vector<Words> effects{};  // of the script, for replicas
  bool has_written = false;      // a command that writes was done
};

class ScriptEngine {
 public:
  ScriptEngine();
  ~ScriptEngine();
  ScriptEngine(const ScriptEngine&) = delete;

  Reply run(cluster::Script script, const std::string& key, std::span<const std::string> arguments,
            ScriptHost& host);
  // Any text, as EVAL would with one key.
  Reply run(std::string_view source, const std::string& key, std::span<const std::string> arguments,
            ScriptHost& host);
  // The script with one piece of its text replaced, from now on: a mistake that a test plants. The piece is there once.
  void plant(cluster::Script script, std::string_view piece, std::string_view other);

 private:
  struct Hooks;  // Lua calls them

  int compile(std::string_view source);
  Reply run_chunk(int chunk, const std::string& key, std::span<const std::string> arguments,
                  ScriptHost& host);

  std::unique_ptr<lua_State, void (*)(lua_State*)> lua_;
  ScriptHost* host_ = nullptr;  // of the script that runs
  // The chunks' places in Lua's registry; 0: not compiled yet.
  std::array<int, cluster::kScriptCount> chunks_{};
  std::map<std::string, int, std::less<>> other_chunks_;  // by source
  std::map<cluster::Script, std::string> planted_;
};

}  // namespace stampede::sim
