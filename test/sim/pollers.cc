#include "pollers.h"

#include <algorithm>

#include "bounds.h"
#include "world_terms.h"

namespace stampede::sim {
namespace {

constexpr size_t kPollsMax = 40;
constexpr int64_t kLateNs = kSecond;  // of an answer that waits for nothing

}  // namespace

std::string why_not_between(const std::optional<KnownState>& at_asking, const KnownState& shown,
                            const std::optional<KnownState>& at_answer) {
  if (at_asking && (!History::may_follow(at_asking->state, shown.state) ||
                    shown.refund_due < at_asking->refund_due))
    return "had been " + at_asking->state + " when that was asked";
  if (at_answer && (!History::may_follow(shown.state, at_answer->state) ||
                    shown.refund_due > at_answer->refund_due))
    return "is " + at_answer->state;
  return {};
}

Pollers::Pollers(const Plan& plan, Hosts& hosts, History& history, world::FakeClock& clock,
                 Random random, std::function<void(const std::string&)> note)
    : plan_(plan),
      hosts_(hosts),
      history_(history),
      clock_(clock),
      random_(random),
      note_(std::move(note)) {
  if (plan.has(Mishap::polls)) comes_ns_ = now_ns();
}

void Pollers::step() {
  std::erase_if(polls_, [this](Poll& poll) { return look(poll); });
  if (now_ns() < comes_ns_) return;
  const int64_t every_ns = plan_.every_ns[static_cast<size_t>(Mishap::polls)];
  comes_ns_ =
      now_ns() + 1 + static_cast<int64_t>(random_.below(static_cast<uint64_t>(2 * every_ns)));
  if (polls_.size() < kPollsMax) begin();
}

int64_t Pollers::next_ns() const {
  int64_t next_ns = comes_ns_;
  for (const Poll& poll : polls_) next_ns = std::min(next_ns, poll.leaves_ns);
  return next_ns;
}

void Pollers::fall_silent() {
  comes_ns_ = INT64_MAX;
  for (Poll& poll : polls_)
    if (poll.life == hosts_[poll.node]->life()) poll.line.end().reset();
  polls_.clear();
}

// Mostly one that may still change.
std::optional<std::string> Pollers::pick_order(uint32_t node) {
  const bool is_reserved = random_.chance(0.8);
  std::vector<std::string> orders;
  for (const auto& [id, told] : history_.orders())
    if (OrderId{world::order_number(id)}.node() == node &&
        (!is_reserved || told.state == "reserved"))
      orders.push_back(id);
  if (orders.empty()) return std::nullopt;
  return orders[random_.below(orders.size())];
}

void Pollers::begin() {
  const auto node = static_cast<uint32_t>(random_.below(plan_.nodes));
  Host& host = *hosts_[node];
  if (!host.is_up()) return;
  const std::optional<std::string> order = pick_order(node);
  if (!order) return;
  const std::string user = history_.find_order(*order)->user;
  world::FakeClient& end =
      host.machine().connect(static_cast<uint32_t>(random_.below(host.shards())));
  end.set_address({.ip = {10, 4, 0, static_cast<uint8_t>(random_.below(200))}});
  const auto wait_ms = static_cast<uint32_t>(
      random_.chance(0.2) ? random_.between(1, 50) : random_.between(50, bounds::wait_ms_max));
  Poll poll{.line = world::Buyer(end),
            .node = node,
            .life = host.life(),
            .order = *order,
            .wait_ns = wait_ms * kMillisecond,
            .asked_ns = now_ns(),
            .before = host.state_of(world::order_number(*order))};
  if (plan_.has(Mishap::tickets))
    poll.line.set_ticket(ticket_of(user, clock_.now().wall_ns / kSecond, false));
  note_(user + " polls " + *order + " for " + std::to_string(wait_ms) + " ms");
  poll.line.read(user, *order, wait_ms);
  if (random_.chance(0.1)) {
    poll.line.read(user, *order);
    poll.is_hurried = true;
  } else if (random_.chance(0.1)) {
    end.half_close();
    poll.is_hurried = true;
  }
  if (random_.chance(0.25))
    poll.leaves_ns =
        now_ns() + static_cast<int64_t>(random_.below(static_cast<uint64_t>(poll.wait_ns)));
  polls_.push_back(std::move(poll));
}

bool Pollers::look(Poll& poll) {
  Host& host = *hosts_[poll.node];
  if (poll.life != host.life() || !host.is_up()) return true;
  const std::optional<KnownState> now = host.state_of(world::order_number(poll.order));
  if (now != poll.before) poll.changed_ns = std::min(poll.changed_ns, now_ns());
  while (poll.line.has_answer()) judge(poll, poll.line.take_answer());
  if (poll.line.unanswered() == 0 || poll.line.has_ended()) {
    if (!poll.line.has_ended()) poll.line.end().reset();
    return true;
  }
  if (now_ns() < poll.leaves_ns) return false;
  poll.line.end().reset();
  return true;
}

// What is not an answer with the order says nothing of it: there is no room, or nobody may poll just now.
void Pollers::judge(Poll& poll, const world::Answer& answer) {
  note_("a poll of " + poll.order + " hears " + std::to_string(answer.status) + " " +
        answer.member("state"));
  if (answer.status == 404) history_.deny(poll.order);
  if (answer.status != 200 || history_.is_lost(world::order_number(poll.order))) return;
  if (answer.member("order_id") != poll.order)
    return history_.broken("a poll of " + poll.order + " is answered " + answer.body);
  const KnownState shown{.state = answer.member("state"),
                         .quantity = static_cast<uint32_t>(std::stoul(answer.member("qty"))),
                         .refund_due = std::stol(answer.member("refund_due"))};
  const std::string why_not = why_not_between(
      poll.before, shown, hosts_[poll.node]->state_of(world::order_number(poll.order)));
  if (!why_not.empty())
    history_.broken("a poll shows " + poll.order + " as " + shown.state + ", and it " + why_not);
  judge_times(poll, poll.before && shown != *poll.before);
}

// A server that cannot do anything is not to blame, and one that is short of places may hurry.
void Pollers::judge_times(const Poll& poll, bool is_changed) {
  const int64_t took_ns = now_ns() - poll.asked_ns;
  const int64_t held_up_ns = hosts_[poll.node]->held_up_ns();
  const auto say = [&](const std::string& what) {
    history_.broken("a poll of " + poll.order + " for " +
                    std::to_string(poll.wait_ns / kMillisecond) + " ms " + what + " after " +
                    std::to_string(took_ns / kMillisecond) + " ms");
  };
  if (held_up_ns >= poll.asked_ns - kLateNs) return;
  if (took_ns > poll.wait_ns + kLateNs) say("is answered");
  if (poll.changed_ns < now_ns() - kLateNs) say("hears late of a change, and is answered");
  // Operators may have nodes give up polls for a while.
  const bool may_give_up_polls =
      plan_.has(Mishap::operators) || plan_.has(Mishap::put) || plan_.has(Mishap::reloads);
  // A payment of another amount changes nothing that is shown, and polls end with it all the same.
  const Told* const told = history_.find_order(poll.order);
  const bool may_end_early = poll.is_hurried || may_give_up_polls || plan_.places != 0 ||
                             poll.changed_ns != INT64_MAX || told == nullptr || told->may_be_paid;
  if (!is_changed && !may_end_early && took_ns < poll.wait_ns) say("ends without a change");
}

}  // namespace stampede::sim
