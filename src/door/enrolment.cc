#include "door/enrolment.h"

#include <algorithm>

#include "base/check.h"
#include "base/trimmed.h"
#include "door/ticket.h"

namespace stampede::door {
namespace {

// Without its end.
std::string_view take_line(std::string_view& text) {
  const size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

Result<UserSet> UserSet::parse(std::string_view text, std::string_view file_name,
                               const HashKey& key) {
  CHECK(text.size() < UINT32_MAX);
  text = without_byte_order_mark(text);
  const size_t lines_max = std::count(text.begin(), text.end(), '\n') + 1;
  UserSet set;
  set.ids_.reserve(text.size() + 2);
  set.ids_.push_back('\0');
  set.slots_.resize(lines_max + lines_max / 3 + 1);
  for (size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = take_line(text);
    if (line.empty()) continue;
    if (!is_user_id(line))
      return Error{std::string(file_name) + ":" + std::to_string(number) +
                   ": expected a user id, 1 to 64 visible ASCII characters"};
    set.insert(line, keyed_hash(key, line));
  }
  if (set.count_ == 0) return Error{std::string(file_name) + ": holds no user"};
  return set;
}

bool UserSet::contains(std::string_view user, uint64_t user_hash) const {
  return slots_[slot_of(user, user_hash)] != 0;
}

void UserSet::insert(std::string_view user, uint64_t user_hash) {
  uint32_t& slot = slots_[slot_of(user, user_hash)];
  if (slot != 0) return;
  slot = static_cast<uint32_t>(ids_.size());
  ids_.push_back(static_cast<char>(user.size()));
  ids_.insert(ids_.end(), user.begin(), user.end());
  ++count_;
}

// Where the user is, or else the free slot where it would be; there always is one.
size_t UserSet::slot_of(std::string_view user, uint64_t user_hash) const {
  size_t slot =
      static_cast<size_t>((static_cast<unsigned __int128>(user_hash) * slots_.size()) >> 64);
  while (slots_[slot] != 0) {
    const char* const id = ids_.data() + slots_[slot];
    if (std::string_view(id + 1, static_cast<unsigned char>(*id)) == user) break;
    slot = slot + 1 == slots_.size() ? 0 : slot + 1;
  }
  return slot;
}

}  // namespace stampede::door
