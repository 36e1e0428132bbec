// What is read again while the server runs: by SIGHUP, or by `POST /admin/reload`, which asks for the same. All of it is read
// and checked by the thread that waits for signals, before anything changes; shard 0 then puts the whole of it in force in one
// turn, or nothing.
//
//   operator ── POST ──▶ shard 0 ── asked + 1, wake() ──▶ reader: files ── deliver() ──▶ shard 0 ── rules ──▶ all shards
//
// Keys without a kind that an item needs must not come in force, and shard 0 may be changing an item while the files are read.
// So the slot decides between the two: whichever comes second, the keys or the item's need of them, is refused.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "door/keys.h"
#include "door/operators.h"
#include "door/rules.h"
#include "shard/admission.h"
#include "shard/levers.h"
#include "stock/catalog_json.h"

namespace stampede::shard {

// Secrets that an operator may replace while the server runs; null without --key-file.
using SharedKeys = std::shared_ptr<const door::Keys>;

// The entries of a catalog, as its file has them.
using SharedEntries = std::shared_ptr<const std::vector<stock::CatalogEntry>>;

struct Reload {
  uint64_t asked = 0;   // answers this many asks of operators and all before
  std::string problem;  // not empty: what is wrong, and nothing changes
  std::string what;     // what was read, for the record and the answer
  // Null: stays as it is.
  SharedKeys keys;
  door::SharedOperators operators;
  std::function<void(door::Rules&)> change_rules;
  std::function<void(Levers&)> change_levers;
  SharedEntries catalog;
  std::vector<std::string>
      needs_restart;  // flags of the configuration that have changed and are not taken up
};

// Who asked, in the order of the alphabet and each once, in as much room as the order log has for it: `alice, bob and 3 others`.
[[nodiscard]] std::string names_of(std::vector<std::string> askers);

enum class Delivery : uint8_t {
  done,
  full,        // shard 0 has not taken the last one yet
  lacks_keys,  // of a kind that an item needs
};

class ReloadSlot {
 public:
  // ---- shard 0 ----

  // Asks the reader in an operator's name; the number that the answer must reach.
  uint64_t ask(std::string_view who) {
    uint64_t number = 0;
    {
      const std::lock_guard lock(mutex_);
      number = asked_.fetch_add(1) + 1;
      askers_.emplace_back(who);
    }
    if (wake) wake();
    return number;
  }
  // What was delivered and not taken; null: nothing.
  std::shared_ptr<const Reload> take() {
    if (!is_full_.load(std::memory_order_relaxed)) return nullptr;
    const std::lock_guard lock(mutex_);
    is_full_.store(false, std::memory_order_relaxed);
    return std::move(delivered_);
  }
  // From now on an item needs keys of these kinds, which are in force. False: keys that lack one are on their way here.
  [[nodiscard]] bool need(KeyKinds kinds);

  // What came of them, since the start.
  std::atomic<uint64_t> succeeded{0}, failed{0};
  std::atomic<bool> has_failed{false};  // the last one
  void count(bool is_success) {
    (is_success ? succeeded : failed).fetch_add(1, std::memory_order_relaxed);
    has_failed.store(!is_success, std::memory_order_relaxed);
  }

  // ---- the reader ----

  // To be read before the files: who asked by then gets what they say.
  uint64_t asked() const { return asked_.load(); }
  // The names of those who asked since the last call; empty: nobody, it was the signal.
  std::string take_askers() {
    std::vector<std::string> askers;
    {
      const std::lock_guard lock(mutex_);
      askers.swap(askers_);
    }
    return names_of(std::move(askers));
  }
  [[nodiscard]] Delivery deliver(std::shared_ptr<const Reload> reload);
  // Kinds of keys that items need. Only grows: an item that needs them no more, or did not come to be sold, may again.
  KeyKinds keys_needed() const;

  // Tells the reader that it was asked; set before the shards run.
  std::function<void()> wake;

 private:
  std::atomic<uint64_t> asked_{0};
  std::atomic<bool> is_full_{false};  // so that a turn without a reload takes no lock
  mutable std::mutex mutex_;          // not on the path of a buyer's request
  std::vector<std::string> askers_;
  std::shared_ptr<const Reload> delivered_;
  KeyKinds keys_needed_ = 0;
};

}  // namespace stampede::shard
