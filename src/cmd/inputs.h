// The files that `serve` reads at its start and again on SIGHUP: keys, operators' tokens, blocked users and networks. All of them
// are read and checked before one of them counts.
#pragma once

#include <string>

#include "base/result.h"
#include "door/block_list.h"
#include "door/operators.h"
#include "shard/reload.h"

namespace stampede::cmd {

// By flag; empty: the flag was not given.
struct InputPaths {
  std::string key_file, admin_token_file, blocked;
};

struct Inputs {
  shard::SharedKeys keys;  // null without the flag; so are the next two
  door::SharedOperators operators;
  door::SharedBlockList blocked;
  std::string what;  // for the log: `keys from k.json, 2 users and 1 network from blocked`
};

// The error names flag, file, line and reason, and never shows a secret.
[[nodiscard]] Result<Inputs> read_inputs(const InputPaths& paths);

// Whether users are known by signed tickets: as --auth says, and without it when there are keys. An Error: by tickets, and no key is
// there by which one could be checked, so nobody could buy.
[[nodiscard]] Result<bool> is_by_ticket(const std::string& auth, const InputPaths& paths,
                                        const Inputs& inputs);

}  // namespace stampede::cmd
