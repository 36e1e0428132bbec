// Where a backup is made, and what may be removed there:
//
//   TO.unfinished/      beside its place, until it is whole
//     lock              held while it is made
//     made-by-backup    its mark: all that is here was made by a backup, so the next one may remove it
//   TO                  its name, once it has been read back and is on the disk
//
// Nothing is removed from a directory without the mark: it may be anybody's, the data directory's that is to be copied too.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "node/ending.h"
#include "orderlog/directory.h"

namespace stampede::cmd {

class BackupPlace {
 public:
  explicit BackupPlace(std::string to);

  // Where the copy is to be made, behind begin().
  [[nodiscard]] const std::string& unfinished() const { return unfinished_; }
  [[nodiscard]] const std::string& to() const { return to_; }

  // Only looks: whether a backup of `data` may be made here, and can get its name. An Ending names --to.
  [[nodiscard]] node::MayEnd check(const std::string& data) const;
  // Takes the place, and removes what a backup that was killed has left in it.
  [[nodiscard]] node::MayEnd begin();
  // The copy has its name after any crash from here on.
  [[nodiscard]] Status finish();
  // Gives back what it took.
  void abandon();

 private:
  [[nodiscard]] node::MayEnd check_rest() const;
  [[nodiscard]] Status clear() const;

  std::string to_, unfinished_;
  std::optional<orderlog::DirectoryLock> lock_;
};

}  // namespace stampede::cmd
