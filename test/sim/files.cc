#include "files.h"

#include "base/check.h"
#include "real_calls.h"

namespace stampede::sim {

FileSystem* FileSystem::current_ = nullptr;

FileSystem::FileSystem(std::function<void(int64_t)> stall) : stall_(std::move(stall)) {
  CHECK(current_ == nullptr);
  current_ = this;
}

FileSystem::~FileSystem() {
  current_ = nullptr;
}

MachineFiles& FileSystem::add_machine(const std::string& root) {
  return *machines_.emplace_back(std::make_unique<MachineFiles>(root, stall_));
}

size_t FileSystem::restore(MachineFiles& machine) {
  const std::lock_guard lock(mutex_);
  size_t leaked = 0;
  for (size_t fd = 0; fd < opened_.size(); ++fd) {
    if (opened_[fd].machine != &machine) continue;
    close(static_cast<int>(fd));
    ++leaked;
  }
  machine.restore();
  return leaked;
}

MachineFiles* FileSystem::owner_of(std::string_view path) const {
  for (const auto& machine : machines_)
    if (machine->owns(path)) return machine.get();
  return nullptr;
}

OpenFile* FileSystem::opened(int fd) {
  if (fd < 0 || static_cast<size_t>(fd) >= opened_.size()) return nullptr;
  OpenFile& open = opened_[static_cast<size_t>(fd)];
  return open.machine != nullptr ? &open : nullptr;
}

int FileSystem::open(MachineFiles& machine, const std::string& path, int flags, mode_t mode) {
  OpenFile opened;
  const int fd = machine.open(path, flags, mode, opened);
  if (fd < 0) return fd;
  if (static_cast<size_t>(fd) >= opened_.size()) opened_.resize(static_cast<size_t>(fd) + 1);
  opened_[static_cast<size_t>(fd)] = std::move(opened);
  return fd;
}

int FileSystem::close(int fd) {
  opened_[static_cast<size_t>(fd)] = {};
  return __real_close(fd);
}

}  // namespace stampede::sim
