// What a disk does to bytes that it had kept: they rot, and a start has to notice.
#pragma once

#include <optional>
#include <string>

#include "machine_files.h"

namespace stampede::sim {

enum class Damage : uint8_t {
  flip_bit,
  blank_sector,   // 512 zeros, where something else was
  garble_sector,  // 512 random bytes
  older_sector,   // a sector that lies elsewhere in the file: a write that went to the wrong place
  cut_end,        // the file ends earlier
  remove,
};
constexpr uint64_t kDamages = 6;

struct Damaged {
  std::string what;  // in one line
  std::string path;
  uint64_t offset = 0;  // of the first byte that may be another
};

// Damages one file of this kind, mostly where it is used (up to its last byte that is not zero), durably. Its process has ended
// and is restored. Returns what was done; nullopt: there is no such file with bytes in it, or chance changed nothing.
std::optional<Damaged> damage(MachineFiles& machine, FileKind kind, Damage how, Random& random);

}  // namespace stampede::sim
