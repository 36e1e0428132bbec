#include "orderlog/directory.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>

#include "base/hex.h"

namespace stampede::orderlog {
namespace {

constexpr size_t kManifestBytesMax = 4096;

std::string manifest_path(const std::string& data_dir) {
  return data_dir + "/manifest";
}

// The whole file as text; nullopt: there is none.
Result<std::optional<std::string>> read_text(const std::string& path) {
  Result<std::optional<File>> opened = open_for_reading(path, false);
  if (!opened) return opened.error();
  if (!*opened) return std::optional<std::string>{};
  std::string text(kManifestBytesMax, '\0');
  const Result<size_t> bytes = read_at(**opened, 0, std::as_writable_bytes(std::span(text)), path);
  if (!bytes) return bytes.error();
  text.resize(*bytes);
  return std::optional<std::string>(text);
}

std::string holder_of(const File& lock) {
  char text[32] = {};
  const ssize_t bytes = ::pread(lock.fd(), text, sizeof text - 1, 0);
  const long pid = bytes > 0 ? std::atol(text) : 0;
  return pid > 0 ? "process " + std::to_string(pid) : "another process";
}

// The lines of a manifest by key, with what is wrong about them.
class Lines {
 public:
  explicit Lines(const std::string& path) : path_(path) {}

  Status parse(std::string_view text) {
    int number = 0;
    while (!text.empty()) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(line.size() + 1, text.size()));
      ++number;
      if (line.empty() || line.front() == '#') continue;
      const size_t equals = line.find(" = ");
      if (equals == std::string_view::npos)
        return Error{path_ + " line " + std::to_string(number) + ": expected `key = value`"};
      const std::string key(line.substr(0, equals));
      if (!values_.emplace(key, line.substr(equals + 3)).second)
        return Error{path_ + " line " + std::to_string(number) + ": " + key +
                     " stands there twice"};
    }
    return Ok{};
  }

  // Takes a key's value; the first that is missing or wrong decides error().
  template <typename Number>
  Number number(const std::string& key, Number max) {
    const std::string text = take(key);
    Number value{};
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc{} || end != text.data() + text.size() || value > max)
      complain(key, "expected a number up to " + std::to_string(max));
    return value;
  }
  template <typename Bytes>
  Bytes hex(const std::string& key) {
    Bytes bytes{};
    if (!parse_hex(take(key), bytes))
      complain(key, "expected " + std::to_string(2 * bytes.size()) + " hexadecimal digits");
    return bytes;
  }
  template <typename Number>
  Number optional_number(const std::string& key, Number max) {
    return values_.contains(key) ? number<Number>(key, max) : Number{};
  }
  std::string optional_text(const std::string& key) {
    return values_.contains(key) ? take(key) : std::string();
  }
  void complain(const std::string& key, const std::string& expected) {
    if (error_.empty()) error_ = path_ + ": " + key + ": " + expected;
  }
  // Also what nobody took: a key that this version does not know.
  std::string error() const {
    if (!error_.empty() || values_.empty()) return error_;
    return path_ + ": unknown key " + values_.begin()->first;
  }

 private:
  std::string take(const std::string& key) {
    const auto found = values_.find(key);
    if (found == values_.end()) {
      complain(key, "is missing");
      return {};
    }
    std::string value = std::move(found->second);
    values_.erase(found);
    return value;
  }

  const std::string path_;
  std::map<std::string, std::string> values_;
  std::string error_;
};

std::string to_text(const Manifest& manifest) {
  std::string key(2 * manifest.hash_key.size(), '\0');
  render_hex(manifest.hash_key, key);
  std::string text =
      "# Written by stampede; what the order log in this directory is. Not to be edited, with one\n"
      "# exception: after moving the directory to another machine remove the line machine_id.\n";
  const auto line = [&](const char* name, const std::string& value) {
    text += std::string(name) + " = " + value + "\n";
  };
  line("format_version", std::to_string(manifest.format_version));
  line("log_uuid", text_of(manifest.log_uuid));
  line("node", std::to_string(manifest.node));
  line("shard_count", std::to_string(manifest.shard_count));
  line("generation", std::to_string(manifest.generation));
  line("segment_bytes", std::to_string(manifest.segment_bytes));
  if (manifest.boot != 0) line("boot", std::to_string(manifest.boot));
  line("hash_key", key);
  if (!manifest.machine_id.empty()) line("machine_id", manifest.machine_id);
  return text;
}

Status check_machine(const std::string& path, const Manifest& manifest) {
  const std::string here = this_machine_id();
  if (manifest.machine_id.empty() || here.empty() || manifest.machine_id == here) return Ok{};
  return Error{
      path + ": the directory belongs to machine " + manifest.machine_id + ", this is " + here +
      ". If it was moved here and nothing sells from the original any more, remove the line "
      "machine_id from the manifest; never run both"};
}

Result<std::optional<Manifest>> parse_manifest(const std::string& path, std::string_view text) {
  Lines lines(path);
  if (Status parsed = lines.parse(text); !parsed) return parsed.error();
  Manifest manifest;
  manifest.format_version = lines.number<uint32_t>("format_version", UINT32_MAX);
  if (manifest.format_version > kFormatVersion)
    return Error{path + ": the log has format version " + std::to_string(manifest.format_version) +
                 ", this binary reads " + std::to_string(kFormatVersion) +
                 ": start the newer stampede that wrote it"};
  manifest.log_uuid = lines.hex<Uuid>("log_uuid");
  manifest.node = lines.number<uint32_t>("node", bounds::node_max);
  manifest.shard_count = lines.number<uint32_t>("shard_count", bounds::shard_count_max);
  manifest.generation = lines.number<uint32_t>("generation", UINT32_MAX);
  manifest.segment_bytes = lines.number<size_t>("segment_bytes", bounds::segment_bytes_max);
  manifest.boot = lines.optional_number<uint64_t>("boot", UINT64_MAX);
  manifest.hash_key = lines.hex<HashKey>("hash_key");
  manifest.machine_id = lines.optional_text("machine_id");
  if (manifest.format_version == 0) lines.complain("format_version", "expected a number from 1");
  if (manifest.shard_count == 0) lines.complain("shard_count", "expected a number from 1");
  if (manifest.segment_bytes == 0 || manifest.segment_bytes % bounds::log_block_bytes != 0)
    lines.complain("segment_bytes",
                   "expected a multiple of " + std::to_string(bounds::log_block_bytes));
  if (std::string error = lines.error(); !error.empty()) return Error{error};
  return std::optional<Manifest>(manifest);
}

}  // namespace

LockAttempt lock_directory(const std::string& data_dir) {
  if (Status made = make_directories(data_dir); !made) return {.message = made.error().message};
  const std::string path = data_dir + "/lock";
  File file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file.is_open()) return {.message = errno_error("open " + path, errno).message};
  if (::flock(file.fd(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return {.message = errno_error("lock " + path, errno).message};
    return {.is_in_use = true, .message = data_dir + " is in use by " + holder_of(file)};
  }
  // For whoever comes second; the lock itself is the kernel's.
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(file.fd(), 0) != 0 ||
      ::pwrite(file.fd(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
    return {.message = errno_error("write " + path, errno).message};
  return {.lock = DirectoryLock(std::move(file))};
}

Manifest new_manifest(uint32_t node, uint32_t shard_count, size_t segment_bytes) {
  Manifest manifest{.node = node,
                    .shard_count = shard_count,
                    .segment_bytes = segment_bytes,
                    .machine_id = this_machine_id()};
  randombytes_buf(manifest.log_uuid.data(), manifest.log_uuid.size());
  randombytes_buf(manifest.hash_key.data(), manifest.hash_key.size());
  return manifest;
}

Result<std::optional<Manifest>> read_manifest(const std::string& data_dir, bool any_machine) {
  const std::string path = manifest_path(data_dir);
  const Result<std::optional<std::string>> text = read_text(path);
  if (!text) return text.error();
  if (!*text) return std::optional<Manifest>{};
  Result<std::optional<Manifest>> manifest = parse_manifest(path, **text);
  if (!manifest || any_machine) return manifest;
  if (Status checked = check_machine(path, **manifest); !checked) return checked.error();
  return manifest;
}

Status write_manifest(const std::string& data_dir, const Manifest& manifest) {
  // First, so that a directory which a manifest speaks of and which is not there has been lost.
  for (uint32_t stream = 0; stream < manifest.shard_count; ++stream)
    if (Status made = make_directories(stream_files(data_dir, manifest, stream).dir); !made)
      return made;
  return replace_durably(manifest_path(data_dir), to_text(manifest));
}

std::string this_machine_id() {
  std::ifstream file("/etc/machine-id");
  std::string id;
  std::getline(file, id);
  return id;
}

StreamFiles stream_files(const std::string& data_dir, const Manifest& manifest, uint32_t stream) {
  return {.dir = data_dir + "/log/g" + std::to_string(manifest.generation) + "/s" +
                 std::to_string(stream),
          .log_uuid = manifest.log_uuid,
          .stream = stream,
          .segment_bytes = manifest.segment_bytes};
}

}  // namespace stampede::orderlog
