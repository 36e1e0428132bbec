#include "base/input_file.h"

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
    return Error{path + ": expected at most " + std::to_string(bytes_max) + " bytes"};
  return text;
}

Result<std::string> read_file(const std::string& path, size_t bytes_max) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"),
                                                             &std::fclose);
  if (!file) return system_error(path);
  return read_file(file.get(), path, bytes_max);
}

}  // namespace stampede
