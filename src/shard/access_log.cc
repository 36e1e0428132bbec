#include "shard/access_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "base/diag.h"
#include "base/printable.h"
#include "base/thread.h"
#include "base/time_text.h"

namespace stampede::shard {
namespace {

constexpr uint32_t kLaneEntries = 16'384;  // of a shard: 50 ms of 300,000 requests a second
constexpr std::chrono::milliseconds kPause{50};

// In the order of http::Method.
constexpr std::string_view kMethods[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "-"};

// A FIFO that nobody reads is no place for lines: the start does not wait for a reader.
int open_file(const std::string& path, int flags = O_CREAT) {
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK | flags, 0640);
  if (file >= 0) ::fcntl(file, F_SETFL, O_APPEND);
  return file;
}

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : ".";
}

// Where a file of this name would be made: at the end of links that lead nowhere yet.
std::filesystem::path end_of_links(std::filesystem::path path) {
  std::error_code none;
  while (std::filesystem::is_symlink(path, none))
    path = folder_of(path) / std::filesystem::read_symlink(path, none);
  return path;
}

Text<AccessEntry::kTargetMax> target_of(const http::Request& request) {
  std::string_view path = request.path.empty() ? "-" : request.path;
  char target[AccessEntry::kTargetMax];
  size_t size = path.copy(target, sizeof target);
  if (!request.query.empty() && size < sizeof target) {
    target[size++] = '?';
    size += request.query.copy(target + size, sizeof target - size);
  }
  const bool is_cut = path.size() + request.query.size() + !request.query.empty() > sizeof target;
  if (is_cut) std::fill_n(target + sizeof target - 3, 3, '.');
  return std::string_view(target, size);
}

void append(const AccessEntry& entry, std::string& text) {
  const auto word = [&](std::string_view one) {
    text.append(one.empty() ? std::string_view("-") : one) += ' ';
  };
  word(TimeText(entry.wall_ms).view());
  word(entry.is_public ? "public" : "admin");
  word(kMethods[static_cast<unsigned>(entry.method)]);
  word(printable(entry.target));
  word(entry.status == 0 ? "" : std::to_string(entry.status));
  word(std::to_string(entry.bytes));
  word(entry.user);
  char id[17] = "";
  if (entry.order.value != 0) std::snprintf(id, sizeof id, "%016" PRIx64, entry.order.value);
  word(id);
  text += std::to_string(entry.took_ns / 1000);
  text += '\n';
}

unsigned status_of(const Place& place, const TextAnswer* text) {
  if (text == nullptr) return http::info_of(place.answer.verdict).status();
  if (text->refusal != Verdict::ok) return http::info_of(text->refusal).status();
  return static_cast<unsigned>(text->status);
}

}  // namespace

// ---- a shard's end ----

uint32_t AccessTrace::begin(const http::Request& request, bool is_public, Moment now) {
  if (++seen_ < sample_) return kNone;
  seen_ = 0;
  const uint32_t cell = open_.allocate();
  CHECK(cell != kNone);  // as many as places
  open_[cell] = AccessEntry{.wall_ms = now.wall_ms(),
                            .received_boot_ns = now.boot_ns,
                            .method = request.method,
                            .is_public = is_public,
                            .target = target_of(request)};
  return cell;
}

void AccessTrace::end(uint32_t cell, const Place& place, const TextAnswer* text, size_t bytes,
                      Moment now) {
  AccessEntry& entry = open_[cell];
  entry.status = static_cast<uint16_t>(status_of(place, text));
  entry.bytes = bytes;
  if (text == nullptr && place.answer.has_order) {
    entry.order = place.answer.order.id;
    entry.user = place.answer.order.user;
  }
  push(cell, now);
}

void AccessTrace::end_unanswered(uint32_t cell, Moment now) {
  push(cell, now);
}

void AccessTrace::push(uint32_t cell, Moment now) {
  AccessEntry& entry = open_[cell];
  entry.took_ns = now.boot_ns - entry.received_boot_ns;
  if (!lane_.push(entry)) metrics_.access_lines_dropped.add();
  open_.release(cell);
}

// ---- the file ----

Result<std::unique_ptr<AccessLog>> AccessLog::open(const std::string& path, uint32_t shards) {
  const int file = open_file(path);
  if (file < 0) return Error{path + ": " + std::strerror(errno)};
  return std::unique_ptr<AccessLog>(new AccessLog(path, file, shards));
}

std::unique_ptr<AccessLog> AccessLog::without_file(const std::string& path, uint32_t shards) {
  return std::unique_ptr<AccessLog>(new AccessLog(path, -1, shards));
}

Status AccessLog::check(const std::string& path) {
  const int file = open_file(path, 0);
  if (file >= 0) ::close(file);
  if (file >= 0) return Ok{};
  // A circle of links is ELOOP.
  const bool may_be_made =
      errno == ENOENT && ::access(folder_of(end_of_links(path)).c_str(), W_OK | X_OK) == 0;
  if (may_be_made) return Ok{};
  return Error{path + ": " + std::strerror(errno)};
}

AccessLog::AccessLog(std::string path, int file, uint32_t shards)
    : path_(std::move(path)), file_(file) {
  for (uint32_t shard = 0; shard < shards; ++shard)
    lanes_.push_back(std::make_unique<Lane<AccessEntry>>(kLaneEntries));
}

AccessLog::~AccessLog() {
  is_ending_.store(true, std::memory_order_release);
  if (thread_.joinable()) thread_.join();
  while (write_some()) {
  }
  if (file_ >= 0) ::close(file_);
}

void AccessLog::start() {
  thread_ = start_thread("the access log", [this] { run(); });
}

void AccessLog::run() {
  while (!is_ending_.load(std::memory_order_acquire))
    if (!step()) std::this_thread::sleep_for(kPause);
}

bool AccessLog::step() {
  if (wants_reopen_.exchange(false, std::memory_order_relaxed)) open_again();
  return write_some();
}

// Nobody waits for this thread, so it may wait for the disk: lines that find no room meanwhile are dropped.
bool AccessLog::write_some() {
  text_.clear();
  for (const auto& lane : lanes_)
    lane->take(kLaneEntries, [&](const AccessEntry& entry) { append(entry, text_); });
  if (file_ < 0) return false;
  for (size_t done = 0; done < text_.size();) {
    const ssize_t written = ::write(file_, text_.data() + done, text_.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      if (!has_failed_)
        diag::warning("access log: %s: %s; its lines are lost", path_.c_str(),
                      std::strerror(errno));
      has_failed_ = true;
      return false;
    }
    has_failed_ = false;
    done += static_cast<size_t>(written);
  }
  return !text_.empty();
}

void AccessLog::open_again() {
  const int file = open_file(path_);
  if (file < 0)
    return diag::warning("access log: %s: %s; %s", path_.c_str(), std::strerror(errno),
                         file_ < 0 ? "its lines are lost" : "the old file is written on");
  if (file_ >= 0) ::close(file_);
  file_ = file;
  diag::notice("access log: %s is opened again", path_.c_str());
}

}  // namespace stampede::shard
