// The simulator's file system: stands in front of the C library's calls (-Wl,--wrap, SIM_WRAPPED in the Makefile), keeps
// the calls on its machines' directories (machine_files.h), and lets all others through.
//
//   FileSystem files([&](int64_t ns) { clock.advance(ns); });
//   MachineFiles& machine = files.add_machine("/dev/shm/sim/node1");   // the node's --data lies in it
//   …                                                                  // a node runs on it
//   machine.cut_power(random);     // its turn is finished, its objects are destroyed
//   files.restore(machine);        // the next node starts on what the disk had
//
// When a process ends by itself (fatal(), a failed CHECK), kill() belongs in front of what unwinds it: a process that is
// gone removes no files.
//
// Only calls of code that is linked statically are seen. Libraries make theirs unseen: SQLite for its database (always
// durable), the C++ library for streams and std::filesystem, which our sources use for reading only. A call that would
// change files and is not modelled ends the program with its name.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "machine_files.h"

namespace stampede::sim {

class FileSystem {
 public:
  // One at a time in the process. `stall(ns)`: a call takes simulated time; it may call the file system again.
  explicit FileSystem(std::function<void(int64_t)> stall = {});
  ~FileSystem();
  FileSystem(const FileSystem&) = delete;
  FileSystem& operator=(const FileSystem&) = delete;

  // `root`: absolute, no link, there.
  MachineFiles& add_machine(const std::string& root);

  // machine.restore(), with the descriptors closed that its process has left open. Returns how many those were.
  size_t restore(MachineFiles& machine);

  // ---- for the calls (file_calls.cc) ----

  static FileSystem* current() { return current_; }
  std::recursive_mutex& mutex() { return mutex_; }
  // Whose it is; null: nobody's.
  MachineFiles* owner_of(std::string_view path) const;
  OpenFile* opened(int fd);
  int open(MachineFiles& machine, const std::string& path, int flags, mode_t mode);
  int close(int fd);

 private:
  static FileSystem* current_;

  const std::function<void(int64_t)> stall_;
  std::recursive_mutex mutex_;  // a node's start reads its streams on threads
  std::vector<std::unique_ptr<MachineFiles>> machines_;
  std::vector<OpenFile> opened_;  // by descriptor; without a machine: not ours
};

}  // namespace stampede::sim
