#include "stored_names.h"

#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "base/check.h"
#include "real_calls.h"

namespace stampede::sim {

std::string directory_of(const std::string& path) {
  return path.substr(0, path.find_last_of('/'));
}

StoredNames::StoredNames(std::string graves) : graves_(std::move(graves)) {
  std::filesystem::remove_all(graves_);
  CHECK(std::filesystem::create_directory(graves_));
}

StoredFilePtr StoredNames::find(const std::string& path) {
  if (const auto found = files_.find(path); found != files_.end()) return found->second;
  struct stat facts;
  if (::lstat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) return nullptr;
  const auto size = static_cast<uint64_t>(facts.st_size);
  return files_[path] = std::make_shared<StoredFile>(path, size, size);
}

StoredFilePtr StoredNames::note_created(const std::string& path) {
  const auto file = std::make_shared<StoredFile>(path, 0, 0);
  files_[path] = file;
  changes_.push_back({.kind = Kind::create, .from = path, .file = file});
  return file;
}

void StoredNames::note_directory(const std::string& path) {
  changes_.push_back({.kind = Kind::make_directory, .from = path});
}

int StoredNames::rename(const std::string& from, const std::string& to) {
  const StoredFilePtr file = find(from);
  if (!file) return ENOENT;
  Change change{.kind = Kind::rename, .from = from, .to = to, .file = file};
  change.displaced = find(to);
  if (change.displaced) change.grave = bury(change.displaced);
  if (__real_rename(from.c_str(), to.c_str()) != 0) {
    const int error = errno;
    exhume(change, to);
    return error;
  }
  files_.erase(from);
  files_[to] = file;
  file->set_path(to);
  changes_.push_back(std::move(change));
  return 0;
}

int StoredNames::remove(const std::string& path) {
  const StoredFilePtr file = find(path);
  if (!file) return __real_unlink(path.c_str()) == 0 ? 0 : errno;
  Change change{.kind = Kind::remove, .from = path, .file = file, .displaced = file};
  change.grave = bury(file);
  files_.erase(path);
  changes_.push_back(std::move(change));
  return 0;
}

int StoredNames::remove_directory(const std::string& path) {
  if (__real_rmdir(path.c_str()) != 0) return errno;
  changes_.push_back({.kind = Kind::remove_directory, .from = path});
  return 0;
}

std::string StoredNames::bury(const StoredFilePtr& file) {
  std::string grave = graves_ + "/" + std::to_string(++graves_made_);
  CHECK(__real_rename(file->path().c_str(), grave.c_str()) == 0);
  file->set_path(grave);
  return grave;
}

void StoredNames::exhume(const Change& change, const std::string& path) {
  if (!change.displaced) return;
  CHECK(__real_rename(change.grave.c_str(), path.c_str()) == 0);
  change.displaced->set_path(path);
  files_[path] = change.displaced;
}

void StoredNames::sync_directory(const std::string& dir) {
  sync_up_to_last([&](const Change& change) {
    const bool is_itself = change.kind == Kind::make_directory && change.from == dir;
    return is_itself || directory_of(change.from) == dir || directory_of(change.to) == dir;
  });
}

void StoredNames::sync_file(const StoredFile& file) {
  sync_up_to_last([&](const Change& change) { return change.file.get() == &file; });
}

void StoredNames::sync_data(const StoredFile& file) {
  sync_up_to_last([&](const Change& change) {
    return change.kind == Kind::create && change.file.get() == &file;
  });
}

void StoredNames::sync_all() {
  sync_up_to_last([](const Change&) { return true; });
}

void StoredNames::sync_up_to_last(const std::function<bool(const Change&)>& is_meant) {
  size_t count = changes_.size();
  while (count > 0 && !is_meant(changes_[count - 1])) --count;
  for (; count > 0; --count) {
    const std::string& grave = changes_.front().grave;
    if (!grave.empty()) CHECK(__real_unlink(grave.c_str()) == 0);
    changes_.pop_front();
  }
}

void StoredNames::take_back(size_t count) {
  while (changes_.size() > count) {
    take_back(changes_.back());
    changes_.pop_back();
  }
}

void StoredNames::take_back(const Change& change) {
  switch (change.kind) {
    case Kind::create:
      files_.erase(change.from);
      CHECK(__real_unlink(change.from.c_str()) == 0);
      break;
    case Kind::make_directory:
      // With what others have put there meanwhile: a database, a socket.
      std::filesystem::remove_all(change.from);
      break;
    case Kind::rename:
      CHECK(__real_rename(change.to.c_str(), change.from.c_str()) == 0);
      files_.erase(change.to);
      files_[change.from] = change.file;
      change.file->set_path(change.from);
      exhume(change, change.to);
      break;
    case Kind::remove:
      exhume(change, change.from);
      break;
    case Kind::remove_directory:
      CHECK(__real_mkdir(change.from.c_str(), 0755) == 0);
      break;
  }
}

void StoredNames::for_each(const std::function<void(StoredFile&)>& visit) {
  for (const auto& [path, file] : files_) visit(*file);
}

void StoredNames::forget() {
  sync_all();
  files_.clear();
}

}  // namespace stampede::sim
