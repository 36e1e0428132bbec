#include "cmd/backup_place.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <utility>

#include "cmd/nested.h"
#include "orderlog/files.h"

namespace stampede::cmd {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLock = "lock";
constexpr const char* kMark = "made-by-backup";

std::string without_slashes(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

node::Ending refusal(const std::string& path, const std::string& why) {
  return node::ending(kExitUsage, "--to " + path + why);
}

bool is_there(const std::string& path) {
  std::error_code absent;
  return fs::exists(fs::symlink_status(path, absent));
}

bool is_link(const std::string& path) {
  std::error_code absent;
  return fs::is_symlink(fs::symlink_status(path, absent));
}

// Of another file system, or bound from elsewhere in the same one.
bool is_mount_point(const std::string& path) {
  struct statx facts {};
  return ::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, 0, &facts) == 0 &&
         (facts.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

// What rename(2) cannot replace or give another name.
node::MayEnd check_renaming(const std::string& path) {
  if (is_link(path)) return refusal(path, " is a symbolic link: give the place that it names");
  if (is_mount_point(path))
    return refusal(path,
                   " is a mount point: give a new directory in it, such as " + path + "/backup-1");
  return std::nullopt;
}

// A name that is free, or an empty directory.
node::MayEnd check_name(const std::string& to) {
  const std::string name = fs::path(to).filename().string();
  if (name.empty() || name == "." || name == "..")
    return refusal(to, ": expected a directory's own name at its end");
  if (node::MayEnd end = check_renaming(to)) return end;
  if (!is_there(to)) return std::nullopt;
  std::error_code unreadable;
  const bool is_empty = fs::is_empty(to, unreadable) && fs::is_directory(to, unreadable);
  if (is_empty && !unreadable) return std::nullopt;
  return refusal(to, " is there and is not an empty directory: a backup gets one of its own");
}

// Neither may lie in the other: the copy would be made in what is copied, or what is copied be cleared away for it.
node::MayEnd check_apart(const std::string& data, const std::string& place) {
  const Result<bool> is_within = lies_in(place, data), is_around = lies_in(data, place);
  for (const Result<bool>* nested : {&is_within, &is_around})
    if (!*nested) return node::ending(nested->error(), kExitUsage);
  if (*is_within)
    return refusal(place,
                   " lies in --data " + data + ": give a place of its own, best on another disk");
  if (*is_around)
    return refusal(place, " is where --data " + data + " lies: give a place of its own");
  return std::nullopt;
}

}  // namespace

BackupPlace::BackupPlace(std::string to)
    : to_(without_slashes(std::move(to))), unfinished_(to_ + ".unfinished") {}

node::MayEnd BackupPlace::check(const std::string& data) const {
  if (node::MayEnd end = check_name(to_)) return end;
  for (const std::string& place : {to_, unfinished_})
    if (node::MayEnd end = check_apart(data, place)) return end;
  return std::nullopt;
}

// Absent, or a directory in which a backup has made everything.
node::MayEnd BackupPlace::check_rest() const {
  if (!is_there(unfinished_)) return std::nullopt;
  if (node::MayEnd end = check_renaming(unfinished_)) return end;
  const Result<std::vector<std::string>> names = orderlog::list_directory(unfinished_);
  if (!names) return node::ending(kExitUsage, names.error().message);
  bool has_mark = false, has_more = false;
  for (const std::string& name : *names) {
    has_mark = has_mark || name.starts_with(kMark);  // or it was about to get its name
    has_more = has_more || (name != "." && name != ".." && name != kLock);
  }
  if (has_mark || !has_more) return std::nullopt;
  return refusal(to_, ": " + unfinished_ +
                          " is there, and no backup has made it: move it away, or give another "
                          "place");
}

node::MayEnd BackupPlace::begin() {
  if (node::MayEnd end = check_rest()) return end;
  orderlog::LockAttempt attempt = orderlog::lock_directory(unfinished_);
  if (!attempt.lock)
    return node::ending(attempt.is_in_use ? kExitDirInUse : kExitFailure, attempt.message);
  lock_ = std::move(attempt.lock);
  Status ready = clear();
  if (ready) ready = orderlog::replace_durably(unfinished_ + "/" + kMark, "");
  return ready ? std::nullopt : node::MayEnd(node::ending(ready.error()));
}

// All but the lock, which is held, and the mark: behind a crash it is still known whose the rest is.
Status BackupPlace::clear() const {
  const Result<std::vector<std::string>> names = orderlog::list_directory(unfinished_);
  if (!names) return names.error();
  for (const std::string& name : *names) {
    if (name == "." || name == ".." || name == kLock || name == kMark) continue;
    std::error_code error;
    fs::remove_all(unfinished_ + "/" + name, error);
    if (error) return Error{"remove " + unfinished_ + "/" + name + ": " + error.message()};
  }
  return Ok{};
}

// The mark goes last: a backup that was killed in between stands in nobody's way.
Status BackupPlace::finish() {
  std::error_code ignored;
  fs::remove(unfinished_ + "/" + kLock, ignored);
  if (Status synced = orderlog::sync_directory(unfinished_); !synced) return synced;
  if (Status named = orderlog::rename_durably(unfinished_, to_); !named) return named;
  fs::remove(to_ + "/" + kMark, ignored);
  return Ok{};
}

// The mark goes last, too.
void BackupPlace::abandon() {
  if (!clear()) return;
  std::error_code ignored;
  for (const std::string_view name : {kLock, kMark})
    fs::remove(unfinished_ + "/" + std::string(name), ignored);
  fs::remove(unfinished_, ignored);
}

}  // namespace stampede::cmd
