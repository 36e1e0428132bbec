#include "cluster/scripts.h"

#include <array>
#include <string>

#include "base/check.h"

namespace stampede::cluster {
namespace {

struct Source {
  std::string_view name, text;
};
// One entry for each file of lua/, in the order of their names.
constexpr Source kSources[] = {
#include "lua_scripts.inc"
};
constexpr std::string_view kPrelude = "identity";
static_assert(std::size(kSources) == kScriptCount + 1,
              "a script without a name in the header, or the reverse");

std::string_view text_named(std::string_view name) {
  for (const Source& source : kSources)
    if (source.name == name) return source.text;
  fatal(kExitFailure, "no script named %.*s was built in", static_cast<int>(name.size()),
        name.data());
}

}  // namespace

std::string_view name_of(Script script) {
  constexpr std::string_view kNames[] = {"alive",      "bump",    "check",   "fence", "finish",
                                         "join",       "missing", "presume", "purge", "read",
                                         "read_items", "settle",  "supply",  "sync",  "withdraw"};
  static_assert(std::size(kNames) == kScriptCount);
  return kNames[static_cast<unsigned>(script)];
}

std::string_view source_of(Script script) {
  static const std::array<std::string, kScriptCount> kWhole = [] {
    std::array<std::string, kScriptCount> whole;
    for (unsigned i = 0; i < kScriptCount; ++i)
      whole[i] = std::string(text_named(kPrelude)) + std::string(text_named(name_of(Script(i))));
    return whole;
  }();
  return kWhole[static_cast<unsigned>(script)];
}

std::string_view state_key(uint32_t group) {
  static const std::array<std::string, kGroupsMax> kKeys = [] {
    std::array<std::string, kGroupsMax> keys;
    for (uint32_t i = 0; i < kGroupsMax; ++i)
      keys[i] = "stampede:{ledger" + std::to_string(i) + "}:m";
    return keys;
  }();
  return kKeys.at(group);
}

}  // namespace stampede::cluster
