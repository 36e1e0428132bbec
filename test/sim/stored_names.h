// The names in a simulated machine's directory, and which of them a power cut would take back.
//
// Changes of names become durable in the order in which they were made, as in the journal of ext4 (data=ordered) or the
// log of XFS: what survives a power cut is a prefix of them. What makes a prefix durable:
//
//   sync_directory(dir)   up to the last change in this directory, or the one that made it
//   sync_file(file)       fsync: up to the last change of a name of this file
//   sync_data(file)       fdatasync, O_DSYNC: up to the creation of this file (a new name needs no sync of data)
//
// A file that loses its last name is put into a directory beside the machine's until that is durable, so that taking the
// change back is a rename. Each change is done at once with the real files; nothing is copied.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>

#include "stored_file.h"

namespace stampede::sim {

// The directory that holds the name.
std::string directory_of(const std::string& path);

class StoredNames {
 public:
  // `graves`: a directory of its own, on the same file system.
  explicit StoredNames(std::string graves);

  // The regular file of that name; null: there is none. One that is met for the first time is durable.
  StoredFilePtr find(const std::string& path);

  // After the real call has made it.
  StoredFilePtr note_created(const std::string& path);
  void note_directory(const std::string& path);
  // 0 or errno.
  int rename(const std::string& from, const std::string& to);
  int remove(const std::string& path);
  int remove_directory(const std::string& path);

  void sync_directory(const std::string& dir);
  void sync_file(const StoredFile& file);
  void sync_data(const StoredFile& file);
  void sync_all();

  // How many changes are not durable, the oldest first.
  size_t pending() const { return changes_.size(); }
  // Takes back all changes but the first `count` that are pending; they stay pending.
  void take_back(size_t count);

  // Every file that has a name and was met, by name.
  void for_each(const std::function<void(StoredFile&)>& visit);
  // Other hands have changed the directory: nothing is known of it, and all of it is durable.
  void forget();

 private:
  enum class Kind : uint8_t { create, make_directory, rename, remove, remove_directory };
  struct Change {
    Kind kind;
    std::string from, to;     // to: of a rename
    StoredFilePtr file;       // null: a directory
    StoredFilePtr displaced;  // which lost its last name: by a rename onto it, or removed
    std::string grave;        // where that one lies
  };

  std::string bury(const StoredFilePtr& file);
  void exhume(const Change& change, const std::string& path);
  void take_back(const Change& change);
  void sync_up_to_last(const std::function<bool(const Change&)>& is_meant);

  const std::string graves_;
  uint64_t graves_made_ = 0;
  std::map<std::string, StoredFilePtr> files_;
  std::deque<Change> changes_;
};

}  // namespace stampede::sim
