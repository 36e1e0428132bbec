// What the door lets pass, as far as clients can know: no more than it allows, and nobody is refused for what he has not asked.
//
// When a server counts a request nobody sees, but it does so between the moment at which that was sent and the one at which its
// answer came. So of each stretch of time is known what certainly fell into it, and what may have.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <tuple>

#include "door/limits.h"
#include "history.h"

namespace stampede::sim {

// Of one who is counted, by one process.
class Allowance {
 public:
  // At most so many in windows that follow each other.
  explicit Allowance(const door::Rate& rate) : rate_(rate) {}
  // At most so many a second, of a bucket that holds one and what comes in 50 ms.
  explicit Allowance(uint32_t per_second) : per_second_(per_second) {}

  // It was sent, and may be counted from now on.
  void note_sent(int64_t sent_ns) { asked_.push_back({.sent_ns = sent_ns}); }
  // Its answer is here: it was counted before now, or never.
  void note_answer(int64_t sent_ns, int64_t now_ns);
  // It was let pass. False: more have passed than can have.
  [[nodiscard]] bool pass(int64_t sent_ns, int64_t now_ns);
  // Whether so much was asked that windows can be full.
  [[nodiscard]] bool may_refuse(int64_t sent_ns, int64_t now_ns) const;

 private:
  struct Span {
    int64_t sent_ns = 0, answered_ns = INT64_MAX;
  };
  [[nodiscard]] uint64_t most_within(int64_t ns) const;

  door::Rate rate_;
  uint32_t per_second_ = 0;
  std::deque<Span> asked_, passed_;
};

// Of all who are counted.
class Allowances {
 public:
  enum class Kind : uint8_t { user, address, sale };
  // A process of a node, and who asks it.
  struct Who {
    Kind kind = Kind::user;
    std::string name;
    uint32_t node = 0;
    uint64_t life = 0;
    friend auto operator<=>(const Who&, const Who&) = default;
  };

  Allowances(const door::Limits& limits, History& history) : limits_(limits), history_(history) {}

  void note_sent(const Who& who, int64_t sent_ns);
  void note_answer(const Who& who, int64_t sent_ns, int64_t now_ns);
  void note_pass(const Who& who, int64_t sent_ns, int64_t now_ns);
  void note_refusal(const Who& who, int64_t sent_ns, int64_t now_ns);

 private:
  // Null: they are not limited.
  Allowance* of(const Who& who);

  const door::Limits& limits_;
  History& history_;
  std::map<Who, Allowance> all_;
};

}  // namespace stampede::sim
