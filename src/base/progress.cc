#include "base/progress.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>

#include "base/diag.h"
#include "base/thread.h"
#include "base/words.h"

namespace stampede {
namespace {

constexpr std::chrono::milliseconds kRedraw{200};
constexpr std::chrono::seconds kUntilFirst{1}, kBetweenLines{10};

int64_t now_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds{1};
}

}  // namespace

void Progress::begin(const char* what, uint64_t total) {
  what_.store(nullptr, std::memory_order_release);
  done_.store(0, std::memory_order_relaxed);
  total_.store(total, std::memory_order_relaxed);
  began_ns_.store(now_ns(), std::memory_order_relaxed);
  what_.store(what, std::memory_order_release);
}

std::optional<Progress::Look> Progress::look() const {
  Look look{.what = what_.load(std::memory_order_acquire), .seconds_left = {}};
  if (look.what == nullptr) return std::nullopt;
  const auto total = static_cast<double>(total_.load(std::memory_order_relaxed));
  const auto done = std::min(total, static_cast<double>(done_.load(std::memory_order_relaxed)));
  const double seconds =
      static_cast<double>(now_ns() - began_ns_.load(std::memory_order_relaxed)) / 1e9;
  if (total > 0) look.percent = 100 * done / total;
  if (done > 0 && seconds >= 1) look.seconds_left = seconds * (total - done) / done;
  return look;
}

std::string text_of(const Progress::Look& look) {
  const std::string far = std::string(look.what) + ": " +
                          std::to_string(static_cast<int>(std::floor(look.percent))) + " %";
  return look.seconds_left ? far + ", " + seconds_text(*look.seconds_left) + " left" : far;
}

ProgressLines::ProgressLines(const Progress& progress)
    : progress_(progress),
      is_terminal_(isatty(STDERR_FILENO) == 1 && !diag::is_json()),
      thread_(start_thread("progress", [this] { run(); })) {}

ProgressLines::~ProgressLines() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
  if (is_drawn_) draw("");
}

void ProgressLines::run() {
  std::unique_lock lock(mutex_);
  const auto has_ended_within = [&](auto time) {
    return changed_.wait_for(lock, time, [this] { return is_ending_; });
  };
  if (has_ended_within(kUntilFirst)) return;
  do {
    const std::optional<Progress::Look> look = progress_.look();
    if (look && is_terminal_) draw(text_of(*look));
    if (look && !is_terminal_)
      diag::line(diag::Level::notice, {{"percent", static_cast<uint64_t>(look->percent)}}, "%s",
                 text_of(*look).c_str());
  } while (!(is_terminal_ ? has_ended_within(kRedraw) : has_ended_within(kBetweenLines)));
}

void ProgressLines::draw(const std::string& line) {
  std::fprintf(stderr, "\r%s\033[K", line.c_str());
  std::fflush(stderr);
  is_drawn_ = !line.empty();
}

}  // namespace stampede
