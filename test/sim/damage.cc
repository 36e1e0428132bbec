#include "damage.h"

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "directory.h"

namespace stampede::sim {
namespace {

using Bytes = std::vector<std::byte>;

std::vector<std::string> candidates(MachineFiles& machine, FileKind kind) {
  std::vector<std::string> paths = files_below(machine.root());
  std::erase_if(paths, [&](const std::string& path) {
    return kind_of(path) != kind || machine.find(path)->size() == 0;
  });
  return paths;
}

// Mostly within what is used.
uint64_t draw_offset(const Bytes& bytes, Random& random) {
  const auto last = std::find_if(bytes.rbegin(), bytes.rend(),
                                 [](std::byte byte) { return byte != std::byte{0}; });
  const auto used = static_cast<uint64_t>(bytes.rend() - last);
  return random.below(used == 0 || random.chance(0.12) ? bytes.size() : used);
}

void change(Bytes& bytes, uint64_t offset, Damage how, Random& random) {
  if (how == Damage::flip_bit) {
    bytes[offset] ^= std::byte{1} << random.below(8);
    return;
  }
  const uint64_t first = offset / kSectorBytes * kSectorBytes;
  const uint64_t last = std::min(first + kSectorBytes, bytes.size());
  const uint64_t other = random.below((bytes.size() + kSectorBytes - 1) / kSectorBytes);
  const Bytes before = bytes;
  for (uint64_t at = first; at < last; ++at) {
    const uint64_t from = std::min(other * kSectorBytes + (at - first), bytes.size() - 1);
    if (how == Damage::blank_sector) bytes[at] = std::byte{0};
    if (how == Damage::garble_sector) bytes[at] = static_cast<std::byte>(random.next());
    if (how == Damage::older_sector) bytes[at] = before[from];
  }
}

std::string name_of(Damage how) {
  switch (how) {
    case Damage::flip_bit:
      return "a bit flipped";
    case Damage::blank_sector:
      return "a sector blank";
    case Damage::garble_sector:
      return "a sector garbled";
    case Damage::older_sector:
      return "a sector that belongs elsewhere";
    case Damage::cut_end:
      return "cut off";
    case Damage::remove:
      return "removed";
  }
  return {};
}

}  // namespace

std::optional<Damaged> damage(MachineFiles& machine, FileKind kind, Damage how, Random& random) {
  CHECK(!machine.has_ended());
  const std::vector<std::string> paths = candidates(machine, kind);
  if (paths.empty()) return std::nullopt;
  const std::string& path = paths[random.below(paths.size())];
  const std::string what = path.substr(machine.root().size() + 1) + ": " + name_of(how);
  if (how == Damage::remove) {
    machine.remove_durably(path);
    return Damaged{.what = what, .path = path};
  }
  StoredFile& file = *machine.find(path);
  const Bytes before = file.read(0, file.size());
  const uint64_t offset = draw_offset(before, random);
  Bytes after = before;
  if (how == Damage::cut_end)
    after.resize(offset);
  else
    change(after, offset, how, random);
  if (after == before) return std::nullopt;
  file.put_size(after.size());
  file.put(0, after);
  file.sync();
  const bool is_exact = how == Damage::flip_bit || how == Damage::cut_end;
  return Damaged{.what = what + " at byte " + std::to_string(offset),
                 .path = path,
                 .offset = is_exact ? offset : offset / kSectorBytes * kSectorBytes};
}

}  // namespace stampede::sim
