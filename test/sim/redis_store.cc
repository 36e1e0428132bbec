#include "redis_store.h"

#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <type_traits>

#include "base/check.h"

namespace stampede::sim {
namespace {

constexpr char kWrongKind[] = "WRONGTYPE Operation against a key holding the wrong kind of value";

uint64_t number_of(const std::string& text) {
  uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Reply wrong_count(const std::string& command) {
  std::string name = command;
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  return Reply::error("ERR wrong number of arguments for '" + name + "' command");
}

// How many words a command has with its own name: exactly, or (below 0) at least.
struct Command {
  std::string_view name;
  int words;
  bool is_write, is_of_set;
};
constexpr Command kCommands[] = {
    {"HGET", 3, false, false},    {"HMGET", -3, false, false},  {"HSET", -4, true, false},
    {"HDEL", -3, true, false},    {"HEXISTS", 3, false, false}, {"HKEYS", 2, false, false},
    {"HGETALL", 2, false, false}, {"EXISTS", -2, false, false}, {"UNLINK", -2, true, false},
    {"SADD", -3, true, true},     {"SREM", -3, true, true},     {"SPOP", -2, true, true},
    {"SSCAN", -3, false, true},
};

const Command* find_command(std::string_view name) {
  const auto found = std::ranges::find(kCommands, name, &Command::name);
  return found == std::end(kCommands) ? nullptr : found;
}

}  // namespace

std::string Reply::line() const {
  switch (kind) {
    case Kind::nil:
      return "nil";
    case Kind::integer:
      return std::to_string(integer);
    case Kind::text:
    case Kind::status:
      return text;
    case Kind::error:
      return "-" + text;
    case Kind::array:
      break;
  }
  std::string line = "[";
  for (const Reply& element : elements)
    line += (&element == elements.data() ? "" : ", ") + element.line();
  return line + "]";
}

// ---- Keys

RedisStore::Place RedisStore::place_of(const std::string& name) const {
  // Not 0: that is the cursor of the beginning.
  return {.hash = XXH3_64bits_withSeed(name.data(), name.size(), seed_) | 1, .name = name};
}

template <typename Kind>
Kind* RedisStore::find(const std::string& key) {
  const auto found = keys_.find(key);
  return found == keys_.end() ? nullptr : std::get_if<Kind>(&found->second);
}

template <typename Kind>
bool RedisStore::is_of_other_kind(const std::string& key) const {
  const auto found = keys_.find(key);
  return found != keys_.end() && !std::holds_alternative<Kind>(found->second);
}

std::vector<std::string> RedisStore::keys() const {
  std::vector<std::string> names;
  for (const auto& [name, value] : keys_) names.push_back(name);
  return names;
}

std::vector<std::string> RedisStore::contents(const std::string& key) const {
  std::vector<std::string> lines;
  const auto found = keys_.find(key);
  if (found == keys_.end()) return lines;
  if (const Hash* const hash = std::get_if<Hash>(&found->second))
    for (const auto& [place, value] : *hash) lines.push_back(place.name + "=" + value);
  else
    for (const Place& place : std::get<Set>(found->second)) lines.push_back(place.name);
  std::ranges::sort(lines);
  return lines;
}

// ---- Hashes

Reply RedisStore::get(const std::string& key, const std::string& field) {
  const Hash* const hash = find<Hash>(key);
  if (hash == nullptr) return {};
  const auto found = hash->find(place_of(field));
  return found == hash->end() ? Reply() : Reply::of(found->second);
}

Reply RedisStore::get_all(const std::string& key, bool with_values) {
  Reply all = Reply::array();
  const Hash* const hash = find<Hash>(key);
  if (hash == nullptr) return all;
  for (const auto& [place, value] : *hash) {
    all.elements.push_back(Reply::of(place.name));
    if (with_values) all.elements.push_back(Reply::of(value));
  }
  return all;
}

Reply RedisStore::set(const std::string& key, Arguments fields_and_values) {
  Hash& hash = std::get<Hash>(keys_.try_emplace(key, Hash()).first->second);
  int64_t added = 0;
  for (size_t i = 0; i < fields_and_values.size(); i += 2)
    added += hash.insert_or_assign(place_of(fields_and_values[i]), fields_and_values[i + 1]).second;
  return Reply::of(added);
}

Reply RedisStore::remove_fields(const std::string& key, Arguments fields) {
  Hash* const hash = find<Hash>(key);
  if (hash == nullptr) return Reply::of(int64_t{0});
  size_t removed = 0;
  for (const std::string& field : fields) removed += hash->erase(place_of(field));
  if (hash->empty()) keys_.erase(key);
  return Reply::of(static_cast<int64_t>(removed));
}

Reply RedisStore::run_on_hash(Arguments words) {
  const std::string &command = words[0], &key = words[1];
  if (is_of_other_kind<Hash>(key)) return Reply::error(kWrongKind);
  const Arguments rest = words.subspan(2);
  if (command == "HGET") return get(key, rest[0]);
  if (command == "HKEYS" || command == "HGETALL") return get_all(key, command == "HGETALL");
  if (command == "HDEL") return remove_fields(key, rest);
  if (command == "HEXISTS") return Reply::of(int64_t{get(key, rest[0]).kind != Reply::Kind::nil});
  if (command == "HSET") return rest.size() % 2 == 0 ? set(key, rest) : wrong_count(command);
  CHECK(command == "HMGET");
  Reply values = Reply::array();
  for (const std::string& field : rest) values.elements.push_back(get(key, field));
  return values;
}

// ---- Sets

Reply RedisStore::add(const std::string& key, Arguments members) {
  Set& set = std::get<Set>(keys_.try_emplace(key, Set()).first->second);
  int64_t added = 0;
  for (const std::string& member : members) added += set.insert(place_of(member)).second;
  return Reply::of(added);
}

Reply RedisStore::remove_members(const std::string& key, Arguments members) {
  Set* const set = find<Set>(key);
  if (set == nullptr) return Reply::of(int64_t{0});
  size_t removed = 0;
  for (const std::string& member : members) removed += set->erase(place_of(member));
  if (set->empty()) keys_.erase(key);
  return Reply::of(static_cast<int64_t>(removed));
}

Reply RedisStore::pop(const std::string& key, uint64_t count, std::vector<Words>& effects) {
  Reply popped = Reply::array();
  const Set* const set = find<Set>(key);
  if (set == nullptr) return popped;
  Words removed;
  for (auto at = set->begin(); at != set->end() && removed.size() < count; ++at) {
    popped.elements.push_back(Reply::of(at->name));
    removed.push_back(at->name);
  }
  if (removed.empty()) return popped;
  remove_members(key, removed);
  Words effect{"SREM", key};
  effect.insert(effect.end(), removed.begin(), removed.end());
  effects.push_back(std::move(effect));
  return popped;
}

Reply RedisStore::scan(const std::string& key, uint64_t cursor, uint64_t count) {
  Reply page = Reply::array();
  uint64_t next = 0;
  if (const Set* const set = find<Set>(key)) {
    auto at = set->lower_bound(Place{.hash = cursor, .name = ""});
    // Members with one hash are one place, so that a cursor stands in front of all of them.
    for (uint64_t last = 0; at != set->end(); last = at->hash, ++at) {
      if (page.elements.size() >= count && at->hash != last) break;
      page.elements.push_back(Reply::of(at->name));
    }
    if (at != set->end()) next = at->hash;
  }
  Reply answer = Reply::array();
  answer.elements = {Reply::of(std::to_string(next)), std::move(page)};
  return answer;
}

Reply RedisStore::run_on_set(Arguments words, std::vector<Words>& effects) {
  const std::string &command = words[0], &key = words[1];
  if (is_of_other_kind<Set>(key)) return Reply::error(kWrongKind);
  const Arguments rest = words.subspan(2);
  if (command == "SADD") return add(key, rest);
  if (command == "SREM") return remove_members(key, rest);
  if (command == "SPOP") {
    if (rest.size() != 1) return wrong_count(command);  // without a count it would be no array
    return pop(key, number_of(rest[0]), effects);
  }
  CHECK(command == "SSCAN");
  const bool has_count = rest.size() == 3 && rest[1] == "COUNT";
  if (rest.size() != 1 && !has_count) return Reply::error("ERR syntax error");
  return scan(key, number_of(rest[0]), has_count ? number_of(rest[2]) : 10);
}

// ---- Commands

bool RedisStore::is_write(std::string_view command) {
  const Command* const known = find_command(command);
  return known != nullptr && known->is_write;
}

bool RedisStore::takes_memory(std::string_view command) {
  return command == "HSET" || command == "SADD";
}

Reply RedisStore::run(std::span<const std::string> words, std::vector<Words>& effects) {
  const Command* const command = find_command(words[0]);
  if (command == nullptr) return Reply::error("ERR Unknown Redis command called from script");
  const auto count = static_cast<int>(words.size());
  if (command->words >= 0 ? count != command->words : count < -command->words)
    return Reply::error("ERR Wrong number of args calling Redis command from script");
  if (command->name == "EXISTS" || command->name == "UNLINK") {
    int64_t found = 0;
    for (const std::string& key : words.subspan(1))
      found += command->is_write ? static_cast<int64_t>(keys_.erase(key)) : keys_.contains(key);
    if (command->is_write && found > 0) effects.emplace_back(words.begin(), words.end());
    return Reply::of(found);
  }
  if (command->is_of_set) {
    Reply reply = run_on_set(words, effects);
    const bool has_changed = command->is_write && command->name != "SPOP" && reply.integer > 0;
    if (has_changed) effects.emplace_back(words.begin(), words.end());
    return reply;
  }
  Reply reply = run_on_hash(words);
  if (command->is_write && !reply.is_error()) effects.emplace_back(words.begin(), words.end());
  return reply;
}

void RedisStore::apply(std::span<const Words> effects) {
  std::vector<Words> same;
  for (const Words& effect : effects) CHECK(!run(effect, same).is_error());
}

}  // namespace stampede::sim
