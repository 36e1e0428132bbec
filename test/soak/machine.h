// A machine whose disk may fail or lose its power: an ext4 on a LossyDisk, and the directory of a server's data on it.
#pragma once

#include <optional>

#include "lossy_disk.h"
#include "mount.h"

namespace stampede::soak {

class Machine {
 public:
  Machine();

  LossyDisk& disk() { return disk_; }
  std::string data() const { return mount_->path("data"); }
  std::string path(const std::string& name) const { return mount_->path(name); }
  // Dismounts, mends, and mounts what is on the disk: after LossyDisk::cut() what the cut left. Nobody has a file open.
  void bring_back(Dice& dice);

 private:
  LossyDisk disk_;
  std::optional<Mount> mount_;
};

}  // namespace stampede::soak
