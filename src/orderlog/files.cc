#include "orderlog/files.h"
#include "base/words.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

namespace stampede::orderlog {
namespace {

constexpr std::string_view kSuffix = ".log";

// The directory that holds the name.
std::string parent_of(const std::string& path) {
  const size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Why the file cannot be a segment of this log; empty when it can.
std::string misfit_of(const StreamFiles& files, uint32_t segment) {
  const std::string path = files.segment_path(segment);
  struct stat facts;
  if (::lstat(path.c_str(), &facts) != 0) return unreadable("look at " + path, errno).message;
  if (!S_ISREG(facts.st_mode)) return path + " is not a regular file";
  if (static_cast<size_t>(facts.st_size) == files.segment_bytes) return {};
  return path + " has " + counted(static_cast<uint64_t>(facts.st_size), "byte") +
         "; a segment of this log has " + grouped(files.segment_bytes);
}

}  // namespace

std::optional<uint32_t> segment_number(std::string_view digits) {
  if (digits.size() != kSegmentDigits) return std::nullopt;
  uint64_t number = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '9') return std::nullopt;
    number = 10 * number + static_cast<uint64_t>(digit - '0');
  }
  if (number == 0 || number > UINT32_MAX) return std::nullopt;
  return static_cast<uint32_t>(number);
}

std::string StreamFiles::segment_path(uint32_t segment) const {
  char name[32];
  std::snprintf(name, sizeof name, "/%010u.log", segment);
  return dir + name;
}

size_t StreamFiles::batch_bytes() const {
  const size_t bytes = std::min(bounds::batch_bytes_max, segment_bytes / 2);
  return bytes / bounds::log_block_bytes * bounds::log_block_bytes;
}

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void File::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

AlignedBuffer::AlignedBuffer(size_t bytes) {
  void* const memory =
      ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    fatal(kExitFailure, "no memory for a buffer of %s", size_text(bytes).c_str());
  bytes_ = {static_cast<std::byte*>(memory), bytes};
}

AlignedBuffer::~AlignedBuffer() {
  ::munmap(bytes_.data(), bytes_.size());
}

Result<std::vector<std::string>> list_directory(const std::string& dir) {
  DIR* const stream = ::opendir(dir.c_str());
  if (stream == nullptr) return unreadable("open " + dir, errno);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) names.emplace_back(entry->d_name);
  const int error = errno;
  ::closedir(stream);
  if (error != 0) return unreadable("read " + dir, error);
  return names;
}

Result<SegmentList> list_segments(const StreamFiles& files) {
  const Result<std::vector<std::string>> names = list_directory(files.dir);
  if (!names) return names.error();
  SegmentList list;
  for (const std::string& name : *names) {
    if (!std::string_view(name).ends_with(kSuffix)) continue;
    const std::optional<uint32_t> segment =
        segment_number(name.substr(0, name.size() - kSuffix.size()));
    const std::string misfit =
        segment
            ? misfit_of(files, *segment)
            : files.dir + "/" + name + " does not belong here: a segment is named by ten digits";
    if (!misfit.empty()) list.misfit = misfit;
    if (segment) list.segments.push_back(*segment);
  }
  std::sort(list.segments.begin(), list.segments.end());
  return list;
}

Result<std::optional<File>> open_for_reading(const std::string& path, bool is_direct) {
  // O_NONBLOCK: a FIFO in the place of the file must not hold up a start.
  const int flags = O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  int fd = is_direct ? ::open(path.c_str(), flags | O_DIRECT) : -1;
  // open(2): EINVAL means that this file system has no O_DIRECT.
  if (!is_direct || (fd < 0 && errno == EINVAL)) fd = ::open(path.c_str(), flags);
  if (fd < 0 && errno == ENOENT) return std::optional<File>();
  if (fd < 0 && errno == ELOOP) return Error{path + " is a link", true};
  if (fd < 0) return unreadable("open " + path, errno);
  std::optional<File> file(fd);
  struct stat facts;
  if (::fstat(fd, &facts) != 0) return unreadable("look at " + path, errno);
  if (!S_ISREG(facts.st_mode)) return Error{path + " is not a regular file", true};
  return file;
}

Result<size_t> read_at(const File& file, uint64_t offset, std::span<std::byte> into,
                       const std::string& path) {
  size_t done = 0;
  while (done < into.size()) {
    const ssize_t bytes = ::pread(file.fd(), into.data() + done, into.size() - done,
                                  static_cast<off_t>(offset + done));
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0)
      return unreadable("read " + path + " at offset " + std::to_string(offset + done), errno);
    if (bytes == 0) break;
    done += static_cast<size_t>(bytes);
  }
  return done;
}

int write_zeros(int fd, uint64_t offset, uint64_t bytes) {
  const AlignedBuffer zeros(1024 * 1024);
  for (uint64_t done = 0; done < bytes; done += zeros.bytes().size()) {
    const auto piece = zeros.bytes().first(std::min<uint64_t>(zeros.bytes().size(), bytes - done));
    if (const int error = write_all(fd, offset + done, piece); error != 0) return error;
  }
  return 0;
}

Status write_all(const File& file, uint64_t offset, std::span<const std::byte> bytes,
                 const std::string& path) {
  if (const int error = write_all(file.fd(), offset, bytes); error != 0)
    return errno_error("write " + path, error);
  return Ok{};
}

Status sync_file(const File& file, const std::string& path) {
  if (::fdatasync(file.fd()) != 0) return errno_error("fdatasync of " + path, errno);
  return Ok{};
}

Status rename_durably(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0)
    return errno_error("rename " + from + " to " + to, errno);
  return sync_directory(parent_of(to));
}

Status replace_durably(const std::string& path, std::string_view text) {
  const std::string unfinished = path + std::string(kUnfinished);
  // O_NONBLOCK: a FIFO of this name would be waited for.
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
  const File file(::open(unfinished.c_str(), flags, 0600));
  if (!file.is_open()) return errno_error("create " + unfinished, errno);
  const auto bytes = std::as_bytes(std::span(text));
  if (Status written = write_all(file, 0, bytes, unfinished); !written) return written;
  if (Status synced = sync_file(file, unfinished); !synced) return synced;
  return rename_durably(unfinished, path);
}

Status sync_directory(const std::string& dir) {
  const File file(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file.is_open()) return errno_error("open " + dir, errno);
  if (::fsync(file.fd()) != 0) return errno_error("fsync of " + dir, errno);
  return Ok{};
}

Status make_directories(const std::string& dir) {
  if (::mkdir(dir.c_str(), 0700) != 0) {
    if (errno == EEXIST) return Ok{};
    const std::string parent = parent_of(dir);
    if (errno != ENOENT || parent == "." || parent == "/")
      return errno_error("create directory " + dir, errno);
    if (Status made = make_directories(parent); !made) return made;
    if (::mkdir(dir.c_str(), 0700) != 0 && errno != EEXIST)
      return errno_error("create directory " + dir, errno);
  }
  return sync_directory(parent_of(dir));
}

Error unreadable(const std::string& what, int error_number) {
  Error error = errno_error(what, error_number);
  error.is_damage = error_number != EMFILE && error_number != ENFILE && error_number != ENOMEM;
  return error;
}

Error errno_error(const std::string& what, int error_number) {
  return {what + ": " + std::strerror(error_number)};
}

}  // namespace stampede::orderlog
