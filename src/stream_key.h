// The name of one order log in the whole cluster: one shard's stream, of one life of a node's data directory with a given
// number of shards (a generation). Redis and the registry know a stream as "node.generation.shard".
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stampede {

struct StreamKey {
  uint32_t node = 0;
  uint32_t generation = 0;
  uint32_t shard = 0;
  friend bool operator==(const StreamKey&, const StreamKey&) = default;
};

// 3.1.0: shard 0 of node 3, in the first generation.
[[nodiscard]] inline std::string stream_name(const StreamKey& key) {
  return std::to_string(key.node) + "." + std::to_string(key.generation) + "." +
         std::to_string(key.shard);
}

// Nothing when the text is no name as stream_name() writes it.
[[nodiscard]] inline std::optional<StreamKey> parse_stream_name(std::string_view name) {
  StreamKey key;
  const char* at = name.data();
  const char* const end = at + name.size();
  for (uint32_t* const number : {&key.node, &key.generation, &key.shard}) {
    if (number != &key.node && (at == end || *at++ != '.')) return std::nullopt;
    const auto [rest, error] = std::from_chars(at, end, *number);
    if (error != std::errc()) return std::nullopt;
    at = rest;
  }
  if (stream_name(key) != name) return std::nullopt;  // 03.1.0 is another text of the same numbers
  return key;
}

}  // namespace stampede
