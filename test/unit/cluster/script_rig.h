// Calls the ledger's scripts at a real Redis as texts, so that a test reads like the protocol:
//
//   rig.open("5", "0,1");                            the epoch is open, 100 tickets supplied
//   rig.sync(kNode0, 1, "ticket 0 0 0 10")           item accepted returned pool want
//       == "OK, 1, 10, 0, 90, 0"                     n, then: a r free pool_elsewhere
//
// What a script is can be changed for one rig (plant), to see that a test notices.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "../../servers/redis_client.h"
#include "cluster/scripts.h"
#include "shared_redis.h"

namespace stampede::cluster {

inline std::vector<std::string> words_of(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

// A node with one stream.
struct Caller {
  std::string node, boot = "1";
  std::string stream() const { return node + ".1.0"; }
};
inline const Caller kNode0{.node = "0"}, kNode1{.node = "1"};

class ScriptRig {
 public:
  ScriptRig() : ScriptRig(servers::empty_redis()) {}
  explicit ScriptRig(servers::RedisServer& server) : server_(server) {}

  servers::RedisServer& server() { return server_; }
  // The other one of a pair; what is planted stays.
  std::string call_at(servers::RedisServer& server, Script script, std::string_view arguments) {
    std::vector<std::string> words{"EVAL", source(script), "1", std::string(state_key(0))};
    for (const std::string& word : words_of(arguments)) words.push_back(word);
    const std::string line = server.command(words).line();
    return line.starts_with('[') ? line.substr(1, line.size() - 2) : line;
  }
  std::string call(Script script, std::string_view arguments) {
    return call_at(server_, script, arguments);
  }

  // The script with one piece of its text replaced, from now on.
  void plant(Script script, std::string_view piece, std::string_view other) {
    std::string text = source(script);
    const size_t at = text.find(piece);
    REQUIRE_MESSAGE(at != text.npos, "not in the script any more: " << piece);
    REQUIRE_MESSAGE(text.find(piece, at + 1) == text.npos, "twice in the script: " << piece);
    planted_[script] = text.replace(at, piece.size(), other);
  }

  std::string bump(std::string_view epoch_and_members) {
    return call(Script::bump, std::string(epoch_and_members) + " 1");
  }
  // What the database knows: item supplied count, and count times: stream a r pool
  std::string fill(std::string_view epoch, std::string_view items, bool is_last = true) {
    return call(Script::join,
                std::string(epoch) + " * 0 0.0 0 " + (is_last ? "1 " : "0 ") + std::string(items));
  }
  std::string join(std::string_view epoch, const Caller& caller, std::string_view items = "",
                   bool is_last = true) {
    return call(Script::join, std::string(epoch) + " " + caller.node + " " + caller.boot +
                                  " 1.1 1 " + (is_last ? "1 " : "0 ") + std::string(items));
  }
  // Begins the epoch with 100 tickets that nobody holds and lets its members join.
  void open(std::string_view epoch, std::string_view members,
            std::string_view items = "ticket 100 0") {
    epoch_ = epoch;
    REQUIRE(bump(std::string(epoch) + " " + std::string(members)) == "OK");
    REQUIRE(fill(epoch, items).starts_with("OK"));
    std::istringstream in{std::string(members)};
    for (std::string node; std::getline(in, node, ',');)
      REQUIRE(join(epoch, {.node = node}).starts_with("OK"));
  }
  std::string sync_text(const Caller& caller, uint64_t number, std::string_view items,
                        uint64_t durable = 0) {
    return epoch_ + " " + caller.node + " " + caller.boot + " " + caller.stream() + " " +
           std::to_string(number) + " " + std::to_string(durable) + " " + std::string(items);
  }
  std::string sync(const Caller& caller, uint64_t number, std::string_view items,
                   uint64_t durable = 0) {
    return call(Script::sync, sync_text(caller, number, items, durable));
  }
  std::string check(std::string_view node) { return call(Script::check, node); }

  std::string key(std::string_view rest) {
    const std::string state(state_key(0));
    return state.substr(0, state.size() - 1) + std::string(rest);
  }
  std::string field(std::string_view key_rest, std::string_view name) {
    return server_.command({"HGET", key(key_rest), std::string(name)}).line();
  }
  // A field of the epoch's item.
  std::string count(std::string_view item, std::string_view name) {
    return field("i:" + epoch_ + ":" + std::string(item), name);
  }
  // Whether the sums of an item are those of its streams: "balanced", or what is not.
  std::string balance(std::string_view item) {
    const servers::RedisReply hash =
        server_.command({"HGETALL", key("i:" + epoch_ + ":" + std::string(item))});
    std::map<char, int64_t> sums;  // by the letter before the colon
    std::map<std::string, int64_t> totals;
    for (size_t i = 0; i + 1 < hash.elements.size(); i += 2) {
      const std::string& name = hash.elements[i].text;
      const int64_t value = std::stoll(hash.elements[i + 1].text);
      if (name.size() > 1 && name[1] == ':')
        sums[name[0]] += value;
      else
        totals[name] = value;
    }
    if (totals["h"] != sums['a'] - sums['r']) return "h is not the sum of a - r";
    if (totals["p"] != sums['p']) return "p is not the sum of pools";
    if (totals["h"] > totals["T"]) return "more is held than was supplied";
    return "balanced";
  }

 private:
  std::string source(Script script) const {
    const auto planted = planted_.find(script);
    return planted == planted_.end() ? std::string(source_of(script)) : planted->second;
  }

  servers::RedisServer& server_;
  std::map<Script, std::string> planted_;
  std::string epoch_;
};

}  // namespace stampede::cluster
