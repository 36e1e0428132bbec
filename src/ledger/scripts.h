// The Lua scripts of lua/, embedded when the program is built: what the ledger does inside Redis, each atomically.
//
// lua/identity.lua stands in front of each; it says which keys there are. All keys of one ledger share a hash tag.
#pragma once

#include <cstdint>
#include <string_view>

namespace stampede::ledger {

enum class Script : uint8_t {
  bump,
  check,
  fence,
  join,
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
// What SCRIPT LOAD takes.
[[nodiscard]] std::string_view source_of(Script script);

// KEYS[1] of every script: what all keys of the ledger begin with.
constexpr std::string_view kKeyPrefix = "stampede:{ledger}:";

}  // namespace stampede::ledger
