// A seam: the ledger's Redis as one thread that may wait sees it (the coordinator, commands). RedisClient is the real one.
//
// A group of items has one master; several groups may share it. Calls block for a bounded time.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "cluster/epoch_link.h"
#include "cluster/scripts.h"

namespace stampede::cluster {

// An answer of Redis: a tree of numbers and texts.
struct RedisValue {
  bool is_nil = false;
  int64_t integer = 0;             // of a number, or of a text that is one
  std::string text;                // of a text, or the number's digits
  std::vector<RedisValue> values;  // of an array
};

class ScriptCaller {
 public:
  virtual ~ScriptCaller() = default;

  [[nodiscard]] virtual uint32_t group_count() const = 0;
  // Connects to every master that is not connected, and checks it. The error is the first one's; the others may well be
  // connected then.
  virtual Status connect() = 0;
  virtual void disconnect() = 0;
  virtual void disconnect(uint32_t group) = 0;
  [[nodiscard]] virtual bool is_connected(uint32_t group) const = 0;
  // By group, where connect() has found them.
  [[nodiscard]] virtual const std::vector<RedisServer>& servers() const = 0;
  // Whether another server is the master of any group now; false when no server that could know answers.
  [[nodiscard]] virtual bool has_moved() = 0;

  // An array whose first value is the script's status. An Error leaves the group disconnected: whether the script ran is
  // not known then.
  virtual Result<RedisValue> call(uint32_t group, Script script,
                                  const std::vector<std::string>& arguments) = 0;
  // Any thread: the call under way ends soon with an Error, and so does every later one, as if no server answered.
  virtual void interrupt() = 0;

  [[nodiscard]] const RedisServer& server(uint32_t group) const { return servers()[group]; }
};

}  // namespace stampede::cluster
