#include "base/input_file.h"
#include "base/words.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace stampede {
namespace {

constexpr size_t kChunkBytes = 64 * 1024;

Error system_error(const std::string& path) {
  return {path + ": " + std::strerror(errno)};
}

}  // namespace

// The pipe of a shell's <(command) is of a file system of its own.
Status refuse_fifo(const std::string& path) {
  struct stat status;
  struct statfs system;
  const bool is_named = stat(path.c_str(), &status) == 0 && S_ISFIFO(status.st_mode) &&
                        statfs(path.c_str(), &system) == 0 && system.f_type != PIPEFS_MAGIC;
  if (is_named) return Error{path + ": expected a file, not a FIFO"};
  return Ok{};
}

Result<std::string> read_file(std::FILE* file, const std::string& path, size_t bytes_max) {
  std::string text;
  size_t got = kChunkBytes;
  while (got == kChunkBytes && text.size() <= bytes_max) {
    const size_t before = text.size();
    text.resize(before + kChunkBytes);
    got = std::fread(text.data() + before, 1, kChunkBytes, file);
    text.resize(before + got);
  }
  if (std::ferror(file)) return system_error(path);
  if (text.size() > bytes_max)
    return Error{path + ": expected at most " + counted(bytes_max, "byte")};
  return text;
}

Result<std::string> read_file(const std::string& path, size_t bytes_max) {
  if (Status status = refuse_fifo(path); !status) return status.error();
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  if (!file) return system_error(path);
  return read_file(file.get(), path, bytes_max);
}

}  // namespace stampede
