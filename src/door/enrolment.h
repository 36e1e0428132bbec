// Lists of users that an item is sold to, and to nobody else: read whole, never changed, shared by all shards.
//
// A set keeps the ids themselves and not hashes of them, so it is exact: one behind the other with a byte of length, found
// through an open-addressed table of 32-bit offsets that is three quarters full. A user takes its id and 6.3 bytes; a million
// users with ids of 20 bytes take 26 MB, whatever the number of shards and of items that are sold to them. A look-up is one
// keyed hash, which the door has computed anyway, and about two cache misses.
//
// A file has one user id a line. Empty lines, a carriage return at the end of a line and an id that is there twice do no
// harm. There are no comments: a user id may begin with a #. A file without a user is refused: it is a mistake that would
// close the sale to everybody.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/result.h"

namespace stampede::door {

class UserSet {
 public:
  // The error is `file:line: reason`. `key` is the secret of the data directory.
  [[nodiscard]] static Result<UserSet> parse(std::string_view text, std::string_view file_name,
                                             const HashKey& key);

  // `user_hash`: the keyed hash of the id.
  [[nodiscard]] bool contains(std::string_view user, uint64_t user_hash) const;
  [[nodiscard]] size_t size() const { return count_; }
  // Of memory.
  [[nodiscard]] size_t bytes() const {
    return ids_.capacity() + slots_.capacity() * sizeof slots_[0];
  }

 private:
  void insert(std::string_view user, uint64_t user_hash);
  size_t slot_of(std::string_view user, uint64_t user_hash) const;

  std::vector<char> ids_;        // each behind a byte with its length; the first byte is unused
  std::vector<uint32_t> slots_;  // where an id begins; 0: free
  size_t count_ = 0;
};

// By the name of the file, as terms have it.
using Enrolments = std::map<std::string, std::shared_ptr<const UserSet>, std::less<>>;

// A user of the file's list. A file that was not read lets nobody in.
[[nodiscard]] inline bool is_enrolled(const Enrolments& enrolments, std::string_view file,
                                      std::string_view user, uint64_t user_hash) {
  const auto found = enrolments.find(file);
  return found != enrolments.end() && found->second->contains(user, user_hash);
}

}  // namespace stampede::door
