// What a kind of trouble has led to: counted for the table at the end, and said at once when a promise was broken. Any thread.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <string>

namespace stampede::soak {

// other: a false `sold_out`, books that do not add up, a start that was refused, an answer that nothing explains.
enum class Wrong { lost, doubled, oversold, unsold, other };
inline constexpr size_t kWrongs = 5;
const char* to_text(Wrong wrong);

// The rest of a sale cannot be judged: what is wrong has been reported.
struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Report {
 public:
  explicit Report(std::string kind) : kind_(std::move(kind)) {}

  const std::string& kind() const { return kind_; }
  void add_round() { ++rounds_; }
  void add_acknowledged() { ++acknowledged_; }
  // Counts it and prints it. A negative control expects to lose: it only counts.
  void add(Wrong wrong, const std::string& what);
  void count(Wrong wrong) { ++wrongs_[static_cast<size_t>(wrong)]; }

  uint64_t rounds() const { return rounds_; }
  uint64_t acknowledged() const { return acknowledged_; }
  uint64_t wrongs(Wrong wrong) const { return wrongs_[static_cast<size_t>(wrong)]; }
  uint64_t wrongs() const;
  bool is_control() const { return is_control_; }
  void set_control() { is_control_ = true; }

  // Findings from now on are of an interrupted round, in which servers were told to stop by somebody else.
  static void interrupt() { is_interrupted_ = true; }
  static bool is_interrupted() { return is_interrupted_; }

 private:
  const std::string kind_;
  bool is_control_ = false;
  std::atomic<uint64_t> rounds_{0}, acknowledged_{0};
  std::array<std::atomic<uint64_t>, kWrongs> wrongs_{};
  static std::atomic<bool> is_interrupted_;
};

}  // namespace stampede::soak
