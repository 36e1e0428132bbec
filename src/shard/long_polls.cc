#include "shard/long_polls.h"

namespace stampede::shard {

void LongPolls::begin(const OrderRequest& request, unsigned wait_ms) {
  CHECK(request.kind == RequestKind::watch);
  CHECK(wait_ms <= bounds::wait_ms_max);
  CHECK(!polls_.contains(request.reply_to.place));
  polls_[request.reply_to.place] = {.request = request, .wait_ms = wait_ms};
}

bool LongPolls::wait(const ReplyTo& place, Moment now) {
  const auto poll = polls_.find(place.place);
  CHECK(poll != polls_.end());
  if (!answers_.may_linger(place)) return false;
  wheel_.schedule(place.place, now.boot_ns + poll->second.wait_ms * kMillisecond);
  return true;
}

std::optional<OrderRequest> LongPolls::end(uint32_t place) {
  const auto poll = polls_.find(place);
  if (poll == polls_.end()) return std::nullopt;
  OrderRequest request = poll->second.request;
  forget(place);
  request.kind = RequestKind::read;
  return request;
}

void LongPolls::forget(uint32_t place) {
  wheel_.cancel(place);
  polls_.erase(place);
}

}  // namespace stampede::shard
