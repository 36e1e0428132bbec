// The Lua scripts of lua/, embedded when the program is built. They are the ledger's part inside Redis; each runs atomically.
//
// lua/identity.lua is the beginning of each; it lists the keys.
#pragma once

#include <cstdint>
#include <string_view>

namespace stampede::cluster {

enum class Script : uint8_t {
  alive,
  bump,
  check,
  fence,
  finish,
  join,
  missing,
  presume,
  purge,
  read,
  read_items,
  settle,
  supply,
  sync,
  withdraw,
};
constexpr unsigned kScriptCount = static_cast<unsigned>(Script::withdraw) + 1;

[[nodiscard]] std::string_view name_of(Script script);
// The text for SCRIPT LOAD.
[[nodiscard]] std::string_view source_of(Script script);

// KEYS[1] of every script: the state of a group of items. All keys of a group share its hash tag, so one master of a Redis
// Cluster has all of them.
constexpr uint32_t kGroupsMax = 16;
[[nodiscard]] std::string_view state_key(uint32_t group);

}  // namespace stampede::cluster
