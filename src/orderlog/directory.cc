#include "orderlog/directory.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>

#include "base/hex.h"
#include "base/time_text.h"

namespace stampede::orderlog {
namespace {

constexpr size_t kManifestBytesMax = 16'384;
constexpr std::string_view kMachineKey = "machine_id = ";
constexpr std::string_view kSumKey = "checksum = ";

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
  if (*bytes == text.size()) return Error{path + " is longer than any manifest", true};
  text.resize(*bytes);
  return std::optional<std::string>(text);
}

std::string holder_of(const File& lock) {
  char text[32] = {};
  const ssize_t bytes = ::pread(lock.fd(), text, sizeof text - 1, 0);
  const long pid = bytes > 0 ? std::atol(text) : 0;
  return pid > 0 ? "process " + std::to_string(pid) : "another process";
}

// One <data>/log/g<generation>/s<stream>.
struct StreamDir {
  std::string path;
  uint32_t generation = 0, stream = 0;
  bool has_log = false, has_snapshot = false;
};

// The number in a name such as g12 or s3; nullopt: the name is no such.
std::optional<uint32_t> numbered(const std::string& name, char letter) {
  uint32_t number = 0;
  const char* const end = name.data() + name.size();
  if (name.size() < 2 || name[0] != letter) return std::nullopt;
  const auto [rest, code] = std::from_chars(name.data() + 1, end, number);
  if (code != std::errc{} || rest != end) return std::nullopt;
  return number;
}

Result<StreamDir> look_into(const std::string& path, uint32_t generation, uint32_t stream) {
  StreamDir dir{path, generation, stream};
  const Result<std::vector<std::string>> names = list_directory(path);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    dir.has_log = dir.has_log || name.ends_with(".log");
    dir.has_snapshot =
        dir.has_snapshot || (name.starts_with("snapshot-") && !name.ends_with(".tmp"));
  }
  return dir;
}

// Every stream's directory that is there, from one generation on: earlier ones are not read any more.
Result<std::vector<StreamDir>> stream_dirs(const std::string& data_dir, uint32_t first_generation) {
  std::vector<StreamDir> dirs;
  const std::string log = data_dir + "/log";
  if (::access(log.c_str(), F_OK) != 0 && errno == ENOENT) return dirs;
  const Result<std::vector<std::string>> generations = list_directory(log);
  if (!generations) return generations.error();
  for (const std::string& g : *generations) {
    const std::optional<uint32_t> generation = numbered(g, 'g');
    if (!generation || *generation < first_generation) continue;
    const Result<std::vector<std::string>> streams = list_directory(log + "/" + g);
    if (!streams) return streams.error();
    for (const std::string& s : *streams) {
      const std::optional<uint32_t> stream = numbered(s, 's');
      if (!stream) continue;
      Result<StreamDir> dir = look_into(log + "/" + g + "/" + s, *generation, *stream);
      if (!dir) return dir.error();
      dirs.push_back(std::move(*dir));
    }
  }
  return dirs;
}

Status remove_directory(const std::string& path) {
  if (::rmdir(path.c_str()) == 0) return Ok{};
  return Error{"remove " + path + ": " + std::strerror(errno)};
}

// Removes a generation's directory with its streams and their files; a file that is not ours keeps it from being removed.
Status remove_streams(const std::string& generation_dir) {
  const Result<std::vector<std::string>> streams = list_directory(generation_dir);
  if (!streams) return streams.error();
  for (const std::string& s : *streams) {
    if (!numbered(s, 's')) continue;
    const std::string dir = generation_dir + "/" + s;
    const Result<std::vector<std::string>> names = list_directory(dir);
    if (!names) return names.error();
    for (const std::string& name : *names) {
      const std::string file = dir + "/" + name;
      if (name != "." && name != ".." && ::unlink(file.c_str()) != 0)
        return Error{"remove " + file + ": " + std::strerror(errno)};
    }
    if (Status gone = remove_directory(dir); !gone) return gone;
  }
  return remove_directory(generation_dir);
}

// The lines of a manifest by key, with the first fault in them.
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
        return Error{path_ + " line " + std::to_string(number) + ": expected `key = value`", true};
      const std::string key(line.substr(0, equals));
      if (!values_.emplace(key, line.substr(equals + 3)).second)
        return Error{path_ + " line " + std::to_string(number) + ": " + key + " stands there twice",
                     true};
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
  std::string first_error() const { return error_; }
  // Also for a key that was never taken: this version does not know it.
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

std::string hex_of(uint64_t number) {
  return std::string(Hex64Text(number).view());
}

// Of everything but the line of the machine, which may be removed or emptied by hand, and of the sum itself.
uint64_t sum_of(std::string_view text) {
  std::string summed;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, std::min(text.find('\n'), text.size() - 1) + 1);
    text.remove_prefix(line.size());
    const bool is_summed =
        line != "\n" && !line.starts_with(kMachineKey) && !line.starts_with(kSumKey);
    if (is_summed) summed += line;
  }
  return checksum(std::as_bytes(std::span(summed)));
}

// A machine's id and its own sum: "0123456789abcdef0123456789abcdef 8f2a…".
std::string with_sum(const std::string& machine_id) {
  return machine_id + " " + hex_of(checksum(std::as_bytes(std::span(machine_id))));
}

std::string known_text(const KnownStream& known) {
  return std::string(known.has_begun ? "begun" : "new") + " " +
         (known.begins_with_snapshot ? hex_of(known.first_snapshot_sum) : "empty") + " " +
         std::to_string(known.last_lsn) + " " + hex_of(known.chain);
}

std::optional<KnownStream> known_stream_of(const std::string& text) {
  KnownStream known;
  char begun[8], begins[20];
  unsigned long last_lsn = 0, chain = 0;
  if (std::sscanf(text.c_str(), "%7s %19s %lu %lx", begun, begins, &last_lsn, &chain) != 4)
    return std::nullopt;
  known.has_begun = begun == std::string_view("begun");
  known.begins_with_snapshot = begins != std::string_view("empty");
  if (known.begins_with_snapshot) known.first_snapshot_sum = std::strtoul(begins, nullptr, 16);
  known.last_lsn = last_lsn;
  known.chain = chain;
  // One spelling only: a text that is not written the same way again is refused.
  if (known_text(known) != text) return std::nullopt;
  return known;
}

std::string stream_key(size_t stream) {
  return "stream_" + std::to_string(stream);
}

// The key and the value of what an accepted loss has cut off.
std::string cut_key(size_t stream) {
  return "cut_" + std::to_string(stream);
}

std::string cut_text(const KnownStream& known) {
  return std::to_string(known.cut_lsn) + " " + std::to_string(known.cut_floor);
}

// An empty text: nothing was. False: it is no such.
bool take_cut(const std::string& text, KnownStream& known) {
  if (text.empty()) return true;
  unsigned long lsn = 0, floor = 0;
  if (std::sscanf(text.c_str(), "%lu %lu", &lsn, &floor) != 2) return false;
  known.cut_lsn = lsn;
  known.cut_floor = floor;
  return floor != 0 && cut_text(known) == text;
}

std::string ended_key(size_t stream) {
  return "ended_" + std::to_string(stream);
}

std::string ended_text(const StreamEnd& end) {
  return std::to_string(end.lsn) + " " + hex_of(end.chain);
}

// The streams of the generation before, as far as they are numbered without a hole.
void take_ended(Lines& lines, Manifest& manifest) {
  for (uint32_t stream = 0; stream < bounds::shard_count_max; ++stream) {
    const std::string text = lines.optional_text(ended_key(stream));
    if (text.empty()) return;
    unsigned long lsn = 0, chain = 0;
    const bool is_read = std::sscanf(text.c_str(), "%lu %lx", &lsn, &chain) == 2;
    const StreamEnd& end = manifest.ended.emplace_back(StreamEnd{.lsn = lsn, .chain = chain});
    if (!is_read || ended_text(end) != text)
      lines.complain(ended_key(stream), "expected where the stream ended");
  }
}

std::string to_text(const Manifest& manifest) {
  std::string key(2 * manifest.hash_key.size(), '\0');
  render_hex(manifest.hash_key, key);
  std::string text =
      "# Written by stampede; what the order log in this directory is. Not to be edited, with one\n"
      "# exception: after moving the directory to another machine remove the line machine_id.\n";
  const auto line = [&](const std::string& name, const std::string& value) {
    text += name + " = " + value + "\n";
  };
  line("format_version", std::to_string(manifest.format_version));
  line("log_uuid", text_of(manifest.log_uuid));
  line("node", std::to_string(manifest.node));
  line("shard_count", std::to_string(manifest.shard_count));
  line("generation", std::to_string(manifest.generation));
  line("segment_bytes", std::to_string(manifest.segment_bytes));
  if (manifest.boot != 0) line("boot", std::to_string(manifest.boot));
  line("hash_key", key);
  const bool has_sums = manifest.format_version > 1;
  if (has_sums) {
    line("stream_uuid", text_of(manifest.stream_uuid));
    if (manifest.is_loss_pending) line("is_loss_pending", "1");
    if (manifest.copied_ms != 0) line("copied_ms", std::to_string(manifest.copied_ms));
    if (manifest.is_at_rest) line("is_at_rest", "1");
    for (size_t stream = 0; stream < manifest.streams.size(); ++stream)
      line(stream_key(stream), known_text(manifest.streams[stream]));
    for (size_t stream = 0; stream < manifest.streams.size(); ++stream)
      if (manifest.streams[stream].cut_floor != 0)
        line(cut_key(stream), cut_text(manifest.streams[stream]));
    for (size_t stream = 0; stream < manifest.ended.size(); ++stream)
      line(ended_key(stream), ended_text(manifest.ended[stream]));
  }
  if (!manifest.machine_id.empty())
    text += std::string(kMachineKey) +
            (has_sums ? with_sum(manifest.machine_id) : manifest.machine_id) + "\n";
  if (has_sums) text += std::string(kSumKey) + hex_of(sum_of(text)) + "\n";
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

// Takes the machine's id from the text, without its sum.
std::string take_machine(Lines& lines, bool has_sums) {
  const std::string text = lines.optional_text("machine_id");
  if (!has_sums || text.empty()) return text;
  const std::string machine_id = text.substr(0, text.find(' '));
  if (with_sum(machine_id) != text) lines.complain("machine_id", "its checksum is wrong");
  return machine_id;
}

void take_streams(Lines& lines, Manifest& manifest) {
  manifest.stream_uuid = lines.hex<Uuid>("stream_uuid");
  manifest.is_loss_pending = lines.optional_number<uint32_t>("is_loss_pending", 1) == 1;
  manifest.copied_ms = lines.optional_number<int64_t>("copied_ms", kTimeTextMax);
  manifest.is_at_rest = lines.optional_number<uint32_t>("is_at_rest", 1) == 1;
  for (uint32_t stream = 0; stream < manifest.shard_count; ++stream) {
    const std::string key = stream_key(stream);
    const std::optional<KnownStream> known = known_stream_of(lines.optional_text(key));
    if (!known) lines.complain(key, "expected the facts of the stream");
    KnownStream& stream_known = manifest.streams.emplace_back(known.value_or(KnownStream{}));
    if (!take_cut(lines.optional_text(cut_key(stream)), stream_known))
      lines.complain(cut_key(stream), "expected where a loss has ended the log");
  }
  take_ended(lines, manifest);
}

// Version 1 began with a snapshot in every generation but the first, without a line about it.
void assume_streams(Manifest& manifest) {
  manifest.stream_uuid = manifest.log_uuid;
  manifest.streams.assign(manifest.shard_count, {.begins_with_snapshot = manifest.generation > 1});
}

Manifest take_manifest(Lines& lines, uint32_t version) {
  Manifest manifest{.format_version = version};
  manifest.log_uuid = lines.hex<Uuid>("log_uuid");
  manifest.node = lines.number<uint32_t>("node", bounds::node_max);
  manifest.shard_count = lines.number<uint32_t>("shard_count", bounds::shard_count_max);
  manifest.generation = lines.number<uint32_t>("generation", UINT32_MAX);
  manifest.segment_bytes = lines.number<size_t>("segment_bytes", bounds::segment_bytes_max);
  manifest.boot = lines.optional_number<uint64_t>("boot", UINT64_MAX);
  manifest.hash_key = lines.hex<HashKey>("hash_key");
  manifest.machine_id = take_machine(lines, version > 1);
  if (version == 0) lines.complain("format_version", "expected a number from 1");
  if (manifest.shard_count == 0) lines.complain("shard_count", "expected a number from 1");
  if (manifest.generation == 0) lines.complain("generation", "expected a number from 1");
  if (manifest.segment_bytes == 0 || manifest.segment_bytes % bounds::log_block_bytes != 0)
    lines.complain("segment_bytes",
                   "expected a multiple of " + std::to_string(bounds::log_block_bytes));
  if (version > 1)
    take_streams(lines, manifest);
  else
    assume_streams(manifest);
  return manifest;
}

// The last line is the sum of the others.
bool has_right_sum(std::string_view text) {
  const std::string last = std::string(kSumKey) + hex_of(sum_of(text)) + "\n";
  return text.ends_with(last) && text.find(kSumKey) == text.size() - last.size();
}

Result<std::optional<Manifest>> parse_manifest(const std::string& path, std::string_view text) {
  Lines lines(path);
  if (Status parsed = lines.parse(text); !parsed) return parsed.error();
  const auto version = lines.number<uint32_t>("format_version", UINT32_MAX);
  if (std::string error = lines.first_error(); !error.empty()) return Error{error, true};
  const std::string version_text = "format version " + std::to_string(version);
  if (version > 1 && !has_right_sum(text))
    return Error{path + ": its checksum is wrong (" + version_text + ")", true};
  if (version > kManifestVersion)
    return Error{path + ": the directory has " + version_text + ", this binary reads " +
                 std::to_string(kManifestVersion) + ": start the newer stampede that wrote it"};
  if (version > 1) (void)lines.optional_text("checksum");
  Manifest manifest = take_manifest(lines, version);
  if (std::string error = lines.error(); !error.empty()) return Error{error, true};
  return std::optional<Manifest>(std::move(manifest));
}

// Another user's is damage as any file that may not be read is; a directory in which none can be made is not.
LockAttempt refuse_lock(const std::string& path, int error) {
  const bool is_another_kind = error == ELOOP || error == EISDIR || error == ENXIO;
  const bool is_forbidden = error == EACCES && ::access(path.c_str(), F_OK) == 0;
  return {.is_damage = is_another_kind || is_forbidden,
          .message = errno_error("open " + path, error).message};
}

}  // namespace

LockAttempt lock_directory(const std::string& data_dir) {
  if (Status made = make_directories(data_dir); !made) return {.message = made.error().message};
  const std::string path = data_dir + "/lock";
  File file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  if (!file.is_open()) return refuse_lock(path, errno);
  struct stat facts;
  if (::fstat(file.fd(), &facts) != 0) return refuse_lock(path, errno);
  if (!S_ISREG(facts.st_mode))
    return {.is_damage = true, .message = path + " is not a regular file"};
  if (::flock(file.fd(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return {.message = errno_error("lock " + path, errno).message};
    return {.is_in_use = true, .message = data_dir + " is in use by " + holder_of(file)};
  }
  // For the message of the next process that tries; the lock itself is the kernel's.
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(file.fd(), 0) != 0 ||
      ::pwrite(file.fd(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
    return {.message = errno_error("write " + path, errno).message};
  return {.lock = DirectoryLock(std::move(file))};
}

LockAttempt lock_for_reading(const std::string& data_dir) {
  File file(::open((data_dir + "/lock").c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!file.is_open()) return {};
  if (::flock(file.fd(), LOCK_SH | LOCK_NB) == 0) return {.lock = DirectoryLock(std::move(file))};
  if (errno != EWOULDBLOCK) return {};
  return {.is_in_use = true, .message = data_dir + " is in use by " + holder_of(file)};
}

Manifest new_manifest(uint32_t node, uint32_t shard_count, size_t segment_bytes) {
  Manifest manifest{.node = node,
                    .shard_count = shard_count,
                    .segment_bytes = segment_bytes,
                    .machine_id = this_machine_id()};
  randombytes_buf(manifest.log_uuid.data(), manifest.log_uuid.size());
  randombytes_buf(manifest.hash_key.data(), manifest.hash_key.size());
  manifest.stream_uuid = manifest.log_uuid;
  manifest.streams.resize(shard_count);
  return manifest;
}

Manifest next_generation(const Manifest& manifest, uint32_t shard_count,
                         const std::vector<Position>& ends) {
  Manifest next = manifest;
  next.format_version = kManifestVersion;
  next.shard_count = shard_count;
  next.generation += 1;
  next.is_at_rest = false;
  randombytes_buf(next.stream_uuid.data(), next.stream_uuid.size());
  next.streams.assign(shard_count, {.begins_with_snapshot = true});
  next.ended.clear();
  for (const Position& end : ends)
    next.ended.push_back({.lsn = end.next_lsn - 1, .chain = end.prev_chain});
  return next;
}

Manifest manifest_of_copy(const Manifest& original, int64_t now_ms) {
  Manifest copy = original;
  copy.is_loss_pending = true;
  copy.copied_ms = now_ms;
  copy.is_at_rest = false;  // it was read while it was written
  // Version 1 has no line for these. Its streams are still as assume_streams() has them; the next start reads them and writes the
  // manifest anew.
  copy.format_version = kManifestVersion;
  return copy;
}

void note_log_end(KnownStream& known, const Position& end) {
  known.has_begun = true;
  known.last_lsn = end.next_lsn - 1;
  known.chain = end.prev_chain;
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
  // First, so that a directory which a manifest names and which is not there has been lost.
  for (uint32_t stream = 0; stream < manifest.shard_count; ++stream)
    if (Status made = make_directories(stream_files(data_dir, manifest, stream).dir); !made)
      return made;
  return replace_durably(manifest_path(data_dir), to_text(manifest));
}

Status check_streams(const std::string& data_dir, const Manifest& manifest) {
  for (uint32_t stream = 0; stream < manifest.shard_count; ++stream) {
    const std::string dir = stream_files(data_dir, manifest, stream).dir;
    struct stat facts;
    const std::string named = manifest_path(data_dir) + " names the stream " + dir;
    if (::stat(dir.c_str(), &facts) != 0) return unreadable(named, errno);
    if (!S_ISDIR(facts.st_mode)) return Error{named + ", which is not a directory", true};
  }
  const Result<std::vector<StreamDir>> found = stream_dirs(data_dir, manifest.generation);
  if (!found) return found.error();
  for (const StreamDir& dir : *found) {
    const bool is_named =
        dir.generation == manifest.generation && dir.stream < manifest.shard_count;
    if (!is_named && dir.has_log)
      return Error{dir.path + " holds a log that " + manifest_path(data_dir) +
                       " does not name: the manifest is an older copy, or not this directory's",
                   true};
  }
  return Ok{};
}

Status check_new(const std::string& data_dir) {
  const std::string lost = manifest_path(data_dir) + " is missing, but there is ";
  const Result<std::vector<StreamDir>> found = stream_dirs(data_dir, 0);
  if (!found) return found.error();
  for (const StreamDir& dir : *found)
    if (dir.has_log || dir.has_snapshot) return Error{lost + dir.path, true};
  const std::string database = data_dir + "/orders.db";
  if (::access(database.c_str(), F_OK) == 0) return Error{lost + database, true};
  return Ok{};
}

Result<uint32_t> remove_generations_before(const std::string& data_dir, const Manifest& manifest) {
  const std::string log = data_dir + "/log";
  const Result<std::vector<std::string>> generations = list_directory(log);
  if (!generations) return generations.error();
  uint32_t removed = 0;
  Status all = Ok{};
  for (const std::string& g : *generations) {
    const std::optional<uint32_t> generation = numbered(g, 'g');
    if (!generation || *generation >= manifest.generation) continue;
    if (Status gone = remove_streams(log + "/" + g); gone)
      ++removed;
    else
      all = gone;
  }
  if (!all) return all.error();
  return removed;
}

std::string this_machine_id() {
  std::ifstream file("/etc/machine-id");
  std::string id;
  std::getline(file, id);
  return id;
}

StreamFiles stream_files(const std::string& data_dir, const Manifest& manifest, uint32_t stream) {
  KnownStream known = manifest.streams[stream];
  known.is_at_rest = manifest.is_at_rest;
  return {.dir = data_dir + "/log/g" + std::to_string(manifest.generation) + "/s" +
                 std::to_string(stream),
          .log_uuid = manifest.stream_uuid,
          .stream = stream,
          .stream_count = manifest.shard_count,
          .node = manifest.node,
          .segment_bytes = manifest.segment_bytes,
          .known = known,
          .known_from = "manifest " + manifest_path(data_dir)};
}

}  // namespace stampede::orderlog
