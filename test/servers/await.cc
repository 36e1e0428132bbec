#include "await.h"

#include <thread>

namespace stampede::servers {

bool await(const std::function<bool()>& is_so, std::chrono::milliseconds patience) {
  using Clock = std::chrono::steady_clock;
  for (auto deadline = Clock::now() + patience; !is_so();) {
    if (Clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds{2});
  }
  return true;
}

}  // namespace stampede::servers
