#include "net/descriptor_budget.h"

#include "base/check.h"
#include "base/diag.h"
#include "base/words.h"

namespace stampede::net {

DescriptorBudget::DescriptorBudget(uint32_t connections, uint32_t preferred)
    : connections_max_(connections), connections_(connections), preferred_(preferred) {}

void DescriptorBudget::limit(uint32_t connections) {
  const bool is_less = connections != 0 && connections < connections_max_;
  connections_.store(is_less ? connections : connections_max_, std::memory_order_relaxed);
}

bool DescriptorBudget::take(bool is_preferred) {
  const uint32_t places =
      connections_.load(std::memory_order_relaxed) + (is_preferred ? preferred_ : 0);
  if (open_.fetch_add(1, std::memory_order_relaxed) < places) return true;
  open_.fetch_sub(1, std::memory_order_relaxed);
  note_full();
  return false;
}

void DescriptorBudget::give() {
  const uint32_t before = open_.fetch_sub(1, std::memory_order_relaxed);
  CHECK(before > 0);
  const uint32_t connections = connections_.load(std::memory_order_relaxed);
  if (before <= connections - connections / 8)
    has_said_full_.store(false, std::memory_order_relaxed);
}

void DescriptorBudget::note_full() {
  if (has_said_full_.exchange(true, std::memory_order_relaxed)) return;
  diag::warning(
      "%s open, as many as may be: the longest idle ones are closed for further ones "
      "(--connections, ulimit -n)",
      counted(connections_.load(std::memory_order_relaxed), "connection is", "connections are")
          .c_str());
}

}  // namespace stampede::net
