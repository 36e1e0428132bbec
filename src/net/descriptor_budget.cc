#include "net/descriptor_budget.h"

#include "base/check.h"
#include "base/diag.h"

namespace stampede::net {

DescriptorBudget::DescriptorBudget(uint32_t connections, uint32_t preferred)
    : connections_(connections), preferred_(preferred) {}

bool DescriptorBudget::take(bool is_preferred) {
  const uint32_t places = connections_ + (is_preferred ? preferred_ : 0);
  if (open_.fetch_add(1, std::memory_order_relaxed) < places) return true;
  open_.fetch_sub(1, std::memory_order_relaxed);
  note_full();
  return false;
}

void DescriptorBudget::give() {
  const uint32_t before = open_.fetch_sub(1, std::memory_order_relaxed);
  CHECK(before > 0);
  if (before <= connections_ - connections_ / 8)
    has_said_full_.store(false, std::memory_order_relaxed);
}

void DescriptorBudget::note_full() {
  if (has_said_full_.exchange(true, std::memory_order_relaxed)) return;
  diag::warning(
      "%u connections are open, as many as may be: further ones are closed (--connections, ulimit "
      "-n)",
      connections_);
}

}  // namespace stampede::net
