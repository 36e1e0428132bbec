#include "shard/mailbox.h"

#include <utility>

#include "base/check.h"

namespace stampede::shard {

static_assert(bounds::answer_slots >= 2 * bounds::order_credits + 1,
              "an answer to every credit, and notices beside");

OrderLanes::OrderLanes(uint32_t shard_count) : shard_count_(shard_count) {
  for (uint32_t i = 0; i < shard_count * shard_count; ++i)
    pairs_.push_back(std::make_unique<Pair>());
}

Mailbox::Mailbox(uint32_t shard, OrderLanes& lanes)
    : shard_(shard),
      lanes_(lanes),
      credits_(lanes.shard_count(), {bounds::order_credits, bounds::order_credits}),
      waiting_notices_(bounds::watchers_max) {}

bool Mailbox::send(uint32_t to, const OrderRequest& request) {
  CHECK(owner_.is_mine());
  CHECK(to != shard_);
  CHECK(request.reply_to.shard == shard_);
  const bool urgent = is_urgent(request.kind);
  uint32_t& credits = credits_[to][urgent];
  const uint32_t kept = request.objection == Verdict::ok ? 0 : bounds::order_credits / 2;
  if (credits <= kept) return false;
  --credits;
  ++unanswered_;
  OrderLanes::Pair& pair = lanes_.pair(shard_, to);
  CHECK((urgent ? pair.urgent : pair.creates).push(request));
  touched_ |= uint64_t{1} << to;
  return true;
}

void Mailbox::take_back_credit(uint32_t from, const OrderAnswer& answer) {
  CHECK(answer.reply_to.shard == shard_);
  if (answer.is_notice) return;
  uint32_t& credits = credits_[from][is_urgent(answer.kind)];
  CHECK(credits < bounds::order_credits);
  ++credits;
  CHECK(unanswered_ > 0);
  --unanswered_;
}

void Mailbox::answer(const OrderAnswer& answer) {
  CHECK(owner_.is_mine());
  const uint32_t to = answer.reply_to.shard;
  CHECK(to != shard_);
  Lane<OrderAnswer>& lane = lanes_.pair(shard_, to).answers;
  if (answer.is_notice && lane.room() <= 2 * bounds::order_credits) {
    // A long poll whose notice finds no place here either ends at its deadline, with the truth.
    if (!waiting_notices_.is_full()) waiting_notices_.push() = answer;
    return;
  }
  CHECK(lane.push(answer));
  touched_ |= uint64_t{1} << to;
}

void Mailbox::send_waiting_notices() {
  for (uint32_t count = waiting_notices_.size(); count > 0; --count) {
    const OrderAnswer notice = waiting_notices_.front();
    waiting_notices_.pop();
    answer(notice);
  }
}

bool Mailbox::has_mail() const {
  for (uint32_t from = 0; from < lanes_.shard_count(); ++from) {
    const OrderLanes::Pair& pair = lanes_.pair(from, shard_);
    if (pair.answers.has_some() || pair.urgent.has_some() || pair.creates.has_some()) return true;
  }
  return false;
}

}  // namespace stampede::shard
