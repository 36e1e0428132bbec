// What bad luck and bad hands do to a data directory: one file or directory of it, chosen by chance, is changed in one way,
// chosen by chance. The seed gives the same damage again, and the damage is told in words.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace stampede::e2e {

struct Damage {
  std::string words;                // "log/g1/s0/0000000002.log: bit 3 of byte 8192 is flipped"
  std::vector<std::string> places;  // what was touched, below the data directory
};

// Where the files come from that take the place of others.
struct OtherFiles {
  std::string older;    // the same directory as it once was; empty: there is none
  std::string foreign;  // another directory
};

// Something that is no file and no link to one takes the place of what has that name, if anything has. In words; empty: that
// kind cannot be made there.
enum class Kind : uint8_t { directory, fifo, socket, device, circle };
inline constexpr Kind kKinds[] = {Kind::directory, Kind::fifo, Kind::socket, Kind::device,
                                  Kind::circle};
std::string put_in_place(const std::string& path, Kind kind);

// Damages the directory `data` in one way.
Damage inflict(const std::string& data, const OtherFiles& others, uint64_t seed);

}  // namespace stampede::e2e
