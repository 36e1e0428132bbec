// The calls that the linker puts in front of the C library's (SIM_WRAPPED in the Makefile has their names).
#include <fcntl.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "base/check.h"
#include "bells.h"
#include "files.h"
#include "real_calls.h"

namespace stampede::sim {
namespace {

// Ours, under the lock, when the descriptor is of a file that is ours; theirs otherwise, without it.
template <typename Ours, typename Theirs>
auto on_file(int fd, Ours&& ours, Theirs&& theirs) {
  FileSystem* const files = FileSystem::current();
  if (files == nullptr) return theirs();
  std::unique_lock lock(files->mutex());
  // A copy: another call may come in between while this one stalls.
  if (OpenFile* const open = files->opened(fd); open != nullptr) return ours(OpenFile(*open));
  lock.unlock();
  return theirs();
}

template <typename Ours, typename Theirs>
auto on_path(const char* path, Ours&& ours, Theirs&& theirs) {
  FileSystem* const files = FileSystem::current();
  if (files == nullptr) return theirs();
  std::unique_lock lock(files->mutex());
  if (MachineFiles* const machine = files->owner_of(path); machine != nullptr)
    return ours(*machine);
  lock.unlock();
  return theirs();
}

// A call that is not modelled, on a file that is.
[[noreturn]] void refuse(const char* call) {
  std::fprintf(stderr, "sim: the simulated file system has no %s()\n", call);
  std::abort();
}

void refuse_path(const char* call, const char* path) {
  if (FileSystem::current() != nullptr && FileSystem::current()->owner_of(path) != nullptr)
    refuse(call);
}

void refuse_file(const char* call, int fd) {
  on_file(
      fd, [&](const OpenFile&) { refuse(call); }, [] {});
}

}  // namespace

extern "C" {

int __wrap_open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & O_CREAT) != 0) {
    va_list more;
    va_start(more, flags);
    mode = va_arg(more, mode_t);
    va_end(more);
  }
  return on_path(
      path,
      [&](MachineFiles& machine) {
        return FileSystem::current()->open(machine, path, flags, mode);
      },
      [&] { return __real_open(path, flags, mode); });
}

int __wrap_close(int fd) {
  return on_file(
      fd, [&](const OpenFile&) { return FileSystem::current()->close(fd); },
      [&] { return __real_close(fd); });
}

ssize_t __wrap_pread(int fd, void* into, size_t bytes, off_t offset) {
  return on_file(
      fd, [&](const OpenFile& open) { return open.machine->read(open, fd, into, bytes, offset); },
      [&] { return __real_pread(fd, into, bytes, offset); });
}

ssize_t __wrap_pwrite(int fd, const void* from, size_t bytes, off_t offset) {
  return on_file(
      fd, [&](const OpenFile& open) { return open.machine->write(open, from, bytes, offset); },
      [&] { return __real_pwrite(fd, from, bytes, offset); });
}

int __wrap_fsync(int fd) {
  return on_file(
      fd, [](const OpenFile& open) { return open.machine->sync(open, false); },
      [&] { return __real_fsync(fd); });
}

int __wrap_fdatasync(int fd) {
  return on_file(
      fd, [](const OpenFile& open) { return open.machine->sync(open, true); },
      [&] { return __real_fdatasync(fd); });
}

int __wrap_ftruncate(int fd, off_t size) {
  return on_file(
      fd, [&](const OpenFile& open) { return open.machine->set_size(open, fd, size); },
      [&] { return __real_ftruncate(fd, size); });
}

int __wrap_fallocate(int fd, int mode, off_t offset, off_t bytes) {
  return on_file(
      fd,
      [&](const OpenFile& open) { return open.machine->allocate(open, fd, mode, offset, bytes); },
      [&] { return __real_fallocate(fd, mode, offset, bytes); });
}

int __wrap_rename(const char* from, const char* to) {
  return on_path(
      from, [&](MachineFiles& machine) { return machine.rename(from, to); },
      [&] { return __real_rename(from, to); });
}

int __wrap_unlink(const char* path) {
  return on_path(
      path, [&](MachineFiles& machine) { return machine.remove(path); },
      [&] { return __real_unlink(path); });
}

int __wrap_mkdir(const char* path, mode_t mode) {
  return on_path(
      path, [&](MachineFiles& machine) { return machine.make_directory(path, mode); },
      [&] { return __real_mkdir(path, mode); });
}

int __wrap_rmdir(const char* path) {
  return on_path(
      path, [&](MachineFiles& machine) { return machine.remove_directory(path); },
      [&] { return __real_rmdir(path); });
}

DIR* __wrap_opendir(const char* path) {
  return on_path(
      path, [&](MachineFiles& machine) { return machine.list(path); },
      [&] { return __real_opendir(path); });
}

FILE* __wrap_fopen(const char* path, const char* mode) {
  if (std::strchr("wa", mode[0]) != nullptr || std::strchr(mode, '+') != nullptr)
    refuse_path("fopen", path);
  return __real_fopen(path, mode);
}

// ---- those that our sources do not use on such files

#define REFUSE_PATH(result, name, path, arguments, ...) \
  result __real_##name(__VA_ARGS__);                    \
  result __wrap_##name(__VA_ARGS__) {                   \
    refuse_path(#name, path);                           \
    return __real_##name arguments;                     \
  }
#define REFUSE_FILE(result, name, arguments, ...) \
  result __real_##name(__VA_ARGS__);              \
  result __wrap_##name(__VA_ARGS__) {             \
    refuse_file(#name, fd);                       \
    return __real_##name arguments;               \
  }

REFUSE_PATH(int, creat, path, (path, mode), const char* path, mode_t mode)
REFUSE_PATH(int, truncate, path, (path, size), const char* path, off_t size)
REFUSE_PATH(int, remove, path, (path), const char* path)
REFUSE_PATH(int, link, from, (from, to), const char* from, const char* to)
REFUSE_PATH(int, symlink, to, (from, to), const char* from, const char* to)
REFUSE_PATH(int, mkstemp, path, (path), char* path)
REFUSE_PATH(int, renameat, from, (a, from, b, to), int a, const char* from, int b, const char* to)
REFUSE_PATH(int, unlinkat, path, (dir, path, flags), int dir, const char* path, int flags)
REFUSE_PATH(int, mkdirat, path, (dir, path, mode), int dir, const char* path, mode_t mode)
REFUSE_FILE(ssize_t, writev, (fd, pieces, count), int fd, const struct iovec* pieces, int count)
REFUSE_FILE(ssize_t, pwritev, (fd, pieces, count, offset), int fd, const struct iovec* pieces,
            int count, off_t offset)
REFUSE_FILE(int, posix_fallocate, (fd, offset, bytes), int fd, off_t offset, off_t bytes)
REFUSE_FILE(int, sync_file_range, (fd, offset, bytes, flags), int fd, off_t offset, off_t bytes,
            unsigned flags)
REFUSE_FILE(int, syncfs, (fd), int fd)
REFUSE_FILE(int, dup, (fd), int fd)

ssize_t __real_read(int fd, void* into, size_t bytes);
ssize_t __wrap_read(int fd, void* into, size_t bytes) {
  refuse_file("read", fd);
  note_drain(fd);
  return __real_read(fd, into, bytes);
}

ssize_t __real_write(int fd, const void* from, size_t bytes);
ssize_t __wrap_write(int fd, const void* from, size_t bytes) {
  refuse_file("write", fd);
  note_ring(fd);
  return __real_write(fd, from, bytes);
}

int __real_openat(int dir, const char* path, int flags, ...);
int __wrap_openat(int dir, const char* path, int flags, mode_t mode) {
  refuse_path("openat", path);
  return __real_openat(dir, path, flags, mode);
}

}  // extern "C"

}  // namespace stampede::sim
