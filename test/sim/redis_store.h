// What a simulated Redis holds: hashes and sets, and the commands that the ledger's scripts use on them, with Redis' answers.
//
// Redis promises no order of a hash's fields or of a set's members, so both lie in the order of a hash of their names under a
// seed: the same seed, the same order; another seed, another. The cursor of SSCAN is a place in that order, so whatever is in the
// set from the first page to the last comes in one of them.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace stampede::sim {

struct Reply {
  enum class Kind : uint8_t { nil, integer, text, status, error, array };

  static Reply of(int64_t integer) { return {.kind = Kind::integer, .integer = integer}; }
  static Reply of(std::string_view text) { return {.kind = Kind::text, .text = std::string(text)}; }
  static Reply error(std::string_view text) {
    return {.kind = Kind::error, .text = std::string(text)};
  }
  static Reply array() { return {.kind = Kind::array}; }

  bool is_error() const { return kind == Kind::error; }
  // As servers::RedisReply has it: "[a, 3, nil]", "-READONLY You …".
  std::string line() const;

  Kind kind = Kind::nil;
  int64_t integer = 0;
  std::string text;  // of a text, status or error
  std::vector<Reply> elements;
};

using Words = std::vector<std::string>;

class RedisStore {
 public:
  explicit RedisStore(uint64_t seed = 0) : seed_(seed) {}

  // HGET HMGET HSET HDEL HEXISTS HKEYS HGETALL EXISTS SADD SREM SPOP SSCAN UNLINK. `words` begins with the command's name.
  // A command that changed something is added to `effects`, as one that changes the same in a copy of this store.
  Reply run(std::span<const std::string> words, std::vector<Words>& effects);
  // Those of another store's run().
  void apply(std::span<const Words> effects);

  [[nodiscard]] static bool is_write(std::string_view command);
  [[nodiscard]] static bool takes_memory(std::string_view command);

  void clear() { keys_.clear(); }
  [[nodiscard]] std::vector<std::string> keys() const;
  // Of a hash or a set, one line for each field or member, sorted; empty: there is no such key.
  [[nodiscard]] std::vector<std::string> contents(const std::string& key) const;

 private:
  struct Place {
    uint64_t hash;
    std::string name;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  using Hash = std::map<Place, std::string>;
  using Set = std::set<Place>;
  using Value = std::variant<Hash, Set>;
  using Arguments = std::span<const std::string>;  // behind the key

  Place place_of(const std::string& name) const;
  template <typename Kind>
  Kind* find(const std::string& key);  // null: no such key
  template <typename Kind>
  bool is_of_other_kind(const std::string& key) const;

  Reply get(const std::string& key, const std::string& field);
  Reply get_all(const std::string& key, bool with_values);
  Reply set(const std::string& key, Arguments fields_and_values);
  Reply remove_fields(const std::string& key, Arguments fields);
  Reply add(const std::string& key, Arguments members);
  Reply remove_members(const std::string& key, Arguments members);
  Reply pop(const std::string& key, uint64_t count, std::vector<Words>& effects);
  Reply scan(const std::string& key, uint64_t cursor, uint64_t count);
  Reply run_on_hash(Arguments words);
  Reply run_on_set(Arguments words, std::vector<Words>& effects);

  uint64_t seed_;
  std::map<std::string, Value> keys_;
};

}  // namespace stampede::sim
