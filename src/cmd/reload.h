// SIGHUP and `POST /admin/reload` read again: the configuration file, the catalog, keys, operators' tokens, blocked users and
// networks, lists of users. All of it is read and checked before one part counts.
#pragma once

#include <string>
#include <vector>

#include "cmd/serve_flags.h"
#include "node/node.h"

namespace stampede::cmd {

class Reloader {
 public:
  // `flags`: by which the node was started. It outlives this.
  Reloader(node::Node& node, const ServeFlags& flags) : node_(node), flags_(flags) {}

  // Logs the outcome in one line, and answers the operators that asked.
  void reload();

 private:
  [[nodiscard]] Status read(shard::Reload& made, ServeFlags& fresh) const;
  [[nodiscard]] Status read_inputs_again(shard::Reload& made) const;
  [[nodiscard]] Status read_catalog_again(shard::Reload& made) const;
  [[nodiscard]] Status read_config(shard::Reload& made, ServeFlags& fresh) const;
  // Of keys that lack what an item needs, `made` becomes the problem.
  [[nodiscard]] bool deliver(shard::Reload& made);

  node::Node& node_;
  ServeFlags
      flags_;  // as they were read last; flags that need a restart stay as they were at the start
};

}  // namespace stampede::cmd
