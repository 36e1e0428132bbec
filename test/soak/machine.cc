#include "machine.h"

namespace stampede::soak {
namespace {

// Made once: a disk begins as a copy of it.
const MemoryFile& empty_ext4() {
  static const MemoryFile image(LossyDisk::kMebibytes);
  static const std::string path = make_ext4(image);
  return image;
}

}  // namespace

Machine::Machine() : disk_(empty_ext4()), mount_(std::in_place, disk_.file()) {}

void Machine::bring_back(Dice& dice) {
  mount_.reset();
  disk_.restore(dice);
  mount_.emplace(disk_.file());
}

}  // namespace stampede::soak
