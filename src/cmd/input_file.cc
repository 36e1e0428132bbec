#include "cmd/input_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace stampede::cmd {
namespace {

constexpr size_t kKeyFileBytesMax = 64 * 1024;

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

Error system_error(const std::string& path) {
  return {path + ": " + std::strerror(errno)};
}

}  // namespace

Result<std::string> read_private_file(const std::string& path, size_t bytes_max) {
  if (Status status = refuse_fifo(path); !status) return status.error();
  const File file(std::fopen(path.c_str(), "re"), &std::fclose);
  if (!file) return system_error(path);
  // Asked of the open file: by its path it could be another one by now.
  struct stat status;
  if (fstat(fileno(file.get()), &status) != 0) return system_error(path);
  if (const auto refusal = door::refuse_permissions(status.st_mode, status.st_uid))
    return Error{path + ": " + std::string(*refusal)};
  return read_file(file.get(), path, bytes_max);
}

Result<door::Keys> read_key_file(const std::string& path) {
  const Result<std::string> text = read_private_file(path, kKeyFileBytesMax);
  if (!text) return text.error();
  return door::parse_keys(*text, path);
}

}  // namespace stampede::cmd
