#include "allowances.h"

#include <algorithm>

#include "base/clock.h"

namespace stampede::sim {
namespace {

constexpr size_t kRemembered = 64;
constexpr uint32_t kBucketsPerSecond = 20;  // a bucket holds the tokens of 50 ms

std::string words_for(const Allowances::Who& who) {
  constexpr const char* kNames[] = {"user ", "address ", "sale "};
  return kNames[static_cast<size_t>(who.kind)] + who.name + " at node " + std::to_string(who.node);
}

}  // namespace

void Allowance::note_answer(int64_t sent_ns, int64_t now_ns) {
  for (Span& asked : asked_)
    if (asked.sent_ns == sent_ns && asked.answered_ns == INT64_MAX) {
      asked.answered_ns = now_ns;
      break;
    }
  const int64_t window_ns = rate_.window_ms * kMillisecond;
  std::erase_if(asked_, [&](const Span& asked) {
    return asked.answered_ns < now_ns - window_ns - 100 * kSecond;
  });
}

// Windows touch a stretch of time at both of its ends.
uint64_t Allowance::most_within(int64_t ns) const {
  if (per_second_ == 0)
    return rate_.requests * (static_cast<uint64_t>(ns / (rate_.window_ms * kMillisecond)) + 2);
  const uint64_t content = 1 + per_second_ / kBucketsPerSecond;
  return static_cast<uint64_t>(ns) * per_second_ / 1'000'000'000 + content + 1;
}

bool Allowance::pass(int64_t sent_ns, int64_t now_ns) {
  passed_.push_back({.sent_ns = sent_ns, .answered_ns = now_ns});
  if (passed_.size() > kRemembered) passed_.pop_front();
  return std::ranges::none_of(passed_, [&](const Span& first) {
    const auto count = std::ranges::count_if(
        passed_, [&](const Span& each) { return each.sent_ns >= first.sent_ns; });
    return static_cast<uint64_t>(count) > most_within(now_ns - first.sent_ns);
  });
}

bool Allowance::may_refuse(int64_t sent_ns, int64_t now_ns) const {
  const int64_t since_ns = sent_ns - rate_.window_ms * kMillisecond;
  const auto counted = std::ranges::count_if(asked_, [&](const Span& asked) {
    return asked.sent_ns <= now_ns && asked.answered_ns >= since_ns;
  });
  // Itself is one of them, and is not counted.
  return counted > static_cast<int64_t>(rate_.requests);
}

Allowance* Allowances::of(const Who& who) {
  const door::Rate& rate = who.kind == Kind::user ? limits_.user : limits_.address;
  if (who.kind == Kind::sale) {
    if (limits_.order_rate.per_second == 0) return nullptr;
    return &all_.try_emplace(who, limits_.order_rate.per_second).first->second;
  }
  return rate.is_limited() ? &all_.try_emplace(who, rate).first->second : nullptr;
}

void Allowances::note_sent(const Who& who, int64_t sent_ns) {
  if (Allowance* const allowance = of(who)) allowance->note_sent(sent_ns);
}

void Allowances::note_answer(const Who& who, int64_t sent_ns, int64_t now_ns) {
  if (Allowance* const allowance = of(who)) allowance->note_answer(sent_ns, now_ns);
}

void Allowances::note_pass(const Who& who, int64_t sent_ns, int64_t now_ns) {
  Allowance* const allowance = of(who);
  if (allowance != nullptr && !allowance->pass(sent_ns, now_ns))
    history_.broken(words_for(who) + " was let pass more often than the door allows");
}

void Allowances::note_refusal(const Who& who, int64_t sent_ns, int64_t now_ns) {
  const Allowance* const allowance = of(who);
  if (allowance == nullptr)
    history_.broken(words_for(who) + " was refused by a limit that there is not");
  else if (who.kind != Kind::sale && !allowance->may_refuse(sent_ns, now_ns))
    history_.broken(words_for(who) + " was refused although it had not asked that often");
}

}  // namespace stampede::sim
