// Numbers in lines that people read, written one way everywhere (scripts/tidy looks for other ways):
//
//   1,000,000           1 item, 2,000 items
//   740 ns, 12.3 us, 1.04 ms, 8.31 s, 3,600 s          a measured time: three digits that count
//   42 s                                               a time to come: whole seconds
//   17 bytes, 412 KiB, 64.0 MiB, 1.86 GiB
//
// A name of a thing is no number in this sense and has no commas: a shard, a node, an epoch, a record, an offset.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

namespace stampede {

[[nodiscard]] std::string grouped(uint64_t value);
[[nodiscard]] std::string grouped(std::signed_integral auto value) {
  const auto positive = static_cast<uint64_t>(value);
  return value < 0 ? '-' + grouped(uint64_t{0} - positive) : grouped(positive);
}

// `one` is a noun that takes an s; `many` is for one that does not.
[[nodiscard]] std::string counted(uint64_t count, std::string_view one, std::string_view many = {});

[[nodiscard]] std::string duration_text(uint64_t ns);
[[nodiscard]] std::string seconds_text(double seconds);  // rounded up; below 0 it is 0
[[nodiscard]] std::string size_text(uint64_t bytes);

}  // namespace stampede
