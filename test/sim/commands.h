// What operators do with `stampede ledger` and `--accept-loss`, at bad moments: take a node out of the ledger that it shares, for a
// while or for good, let the nodes build that ledger anew, and start a node although its log has lost records.
//
// A command is one moment, as its caller's network lets it, and is given again until it says that it is done.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "history.h"
#include "hosts.h"
#include "operators.h"
#include "truth.h"

namespace stampede::sim {

class Commands {
 public:
  Commands(const Plan& plan, Servers& servers, Hosts& hosts, History& history, Truth& truth,
           Operators& operators, Random random, std::function<void(const std::string&)> note);

  // ---- begun by the weather
  // The node is down, or everybody but its operator thinks that it runs well.
  void deactivate(Host& host);
  // Its directory is given up, and Redis is lost with what it knew.
  void presume(Host& host);
  // It never comes back.
  void reclaim(Host& host);
  void rebuild();
  // It is started on a log that has lost records, if it can be.
  void accept_loss(Host& host);

  // Gives again what is not done and is due.
  void step();
  [[nodiscard]] int64_t next_ns() const { return wish_ ? acts_ns_ : INT64_MAX; }
  // Operators do not go on for ever: only what cannot be left half done is still given.
  void close() { is_closing_ = true; }
  [[nodiscard]] bool has_finished() const { return !wish_; }

 private:
  enum class Kind : uint8_t { deactivate, presume, reclaim, rebuild };
  struct Wish {
    Kind kind = Kind::deactivate;
    uint32_t node = 0;
    int64_t until_ns = 0;
  };

  void begin(Kind kind, Host& host);
  [[nodiscard]] bool is_void(const Wish& wish);
  [[nodiscard]] Status give(const Wish& wish);
  Status give_reclaim(Host& host, cluster::ScriptCaller& redis, cluster::Registry& registry);
  [[nodiscard]] int64_t now_ns() const { return servers_.clock.now().boot_ns; }

  const Plan& plan_;
  Servers& servers_;
  Hosts& hosts_;
  History& history_;
  Truth& truth_;
  Operators& operators_;
  Random random_;
  std::function<void(const std::string&)> note_;
  std::unique_ptr<NodeRedis> redis_;
  std::optional<Wish> wish_;
  int64_t acts_ns_ = 0;
  bool is_closing_ = false;
};

}  // namespace stampede::sim
