#include "operators.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "world_terms.h"

namespace stampede::sim {
namespace {

constexpr int64_t kPatienceNs = 5 * kSecond;
constexpr int64_t kAgainNs = 500 * kMillisecond;
constexpr uint64_t kLeftMax = 60;  // of an item, for the end of the sale

}  // namespace

Operators::Operators(const Plan& plan, Hosts& hosts, History& history, Truth& truth,
                     world::FakeClock& clock, Random random,
                     std::function<void(const std::string&)> note)
    : plan_(plan),
      hosts_(hosts),
      history_(history),
      truth_(truth),
      clock_(clock),
      random_(random),
      note_(std::move(note)),
      acts_ns_(clock.now().boot_ns),
      is_paused_(plan.nodes, std::vector<bool>(plan.items)),
      is_ended_(is_paused_),
      degraded_life_(plan.nodes),
      supplied_(plan.items, plan.stock) {}

void Operators::step() {
  const int64_t now_ns = clock_.now().boot_ns;
  if (line_ && line_->has_answer()) take_answer();
  if (line_ &&
      (life_ != host_of(*wish_).life() || line_->has_ended() || now_ns - asked_ns_ > kPatienceNs))
    line_.reset();
  if (wish_ && is_for_nobody(*wish_)) wish_.reset();
  if (line_ || now_ns < acts_ns_) return;
  acts_ns_ = now_ns + kAgainNs;
  if (!wish_) choose();
  if (!wish_) return;
  // Any node does a restock that nodes share; a pause is each node's own.
  if (wish_->what == "restock") wish_->node = draw_node();
  if (wish_->what == "unblock" || wish_->what == "block")
    truth_.set_blocked(wish_->node, wish_->user, false);
  if (wish_->what == "resume") truth_.set_paused(wish_->node, wish_->item, false);
  if (host_of(*wish_).is_up()) ask();
}

bool Operators::is_for_nobody(const Wish& wish) const {
  return wish.what != "restock" && hosts_[wish.node]->is_leaving();
}

uint32_t Operators::draw_node() {
  auto node = static_cast<uint32_t>(random_.below(plan_.nodes));
  while (hosts_[node]->is_leaving()) node = (node + 1) % plan_.nodes;
  return node;
}

void Operators::note_loss(Host& host) {
  has_lost_ = true;
  truth_.forget_blocks(host.number());
  for (const stock::RegisteredItem& item : host.node().shard(0).state().items()) {
    const ItemId number = item.terms.id;
    is_paused_[host.number()][number] = item.terms.is_paused;
    truth_.set_paused(host.number(), number, item.terms.is_paused);
  }
}

std::optional<Operators::Wish> Operators::paused() const {
  for (uint32_t node = 0; node < plan_.nodes; ++node)
    for (uint32_t item = 0; item < plan_.items; ++item)
      if (is_paused_[node][item] && !hosts_[node]->is_leaving())
        return Wish{.node = node, .item = item, .what = "resume"};
  return std::nullopt;
}

std::optional<Operators::Wish> Operators::not_ended() const {
  for (uint32_t node = 0; node < plan_.nodes; ++node)
    for (uint32_t item = 0; item < plan_.items; ++item)
      if (!is_ended_[node][item] && !hosts_[node]->is_leaving())
        return Wish{.node = node, .item = item, .what = "end"};
  return std::nullopt;
}

std::optional<Operators::Wish> Operators::too_many() const {
  for (uint32_t item = 0; item < plan_.items; ++item)
    if (const uint64_t unsold = truth_.unsold(item); unsold > kLeftMax)
      return Wish{
          .item = item, .what = "restock", .delta = -static_cast<int64_t>(unsold - kLeftMax / 2)};
  return std::nullopt;
}

void Operators::choose() {
  if (is_ending_) {
    wish_ = not_ended();
    return;
  }
  if (is_closing_) {
    wish_ = paused();
    if (!wish_) wish_ = degraded();
    if (wish_ || !(wish_ = too_many())) return;
    wish_->op_id = "op-" + std::to_string(++ops_);
    return truth_.set_in_doubt(wish_->item, static_cast<uint64_t>(-wish_->delta));
  }
  if (plan_.has(Mishap::operators)) choose_freely();
}

std::optional<Operators::Wish> Operators::degraded() const {
  for (uint32_t node = 0; node < plan_.nodes; ++node)
    if (degraded_life_[node] == hosts_[node]->life() && !hosts_[node]->is_leaving())
      return Wish{.node = node, .what = "degrade", .text = "none"};
  return std::nullopt;
}

bool Operators::choose_harmless(Wish& wish) {
  constexpr const char* kPages[] = {"/healthz",
                                    "/readyz",
                                    "/metrics",
                                    "/metrics?item=item-0",
                                    "/admin/status",
                                    "/admin/audit",
                                    "/admin/audit?item=item-0",
                                    "/admin/limits",
                                    "/admin/blocked",
                                    "/admin/blocked/users/user-0",
                                    "/admin/items/item-0"};
  constexpr const char* kLevels[] = {"none", "no_new_users", "no_polls", "static"};
  if (random_.chance(0.25)) {
    wish.what = "look";
    wish.text = kPages[random_.below(std::size(kPages))];
    return true;
  }
  if (!random_.chance(0.1)) return false;
  wish.what = "degrade";
  wish.text = kLevels[random_.below(std::size(kLevels))];
  return true;
}

void Operators::choose_freely() {
  const int64_t every_ns = plan_.every_ns[static_cast<size_t>(Mishap::operators)];
  acts_ns_ += static_cast<int64_t>(random_.below(static_cast<uint64_t>(2 * every_ns)));
  Wish wish{.node = draw_node(),
            .item = static_cast<uint32_t>(random_.below(plan_.items)),
            .what = "restock"};
  if (choose_harmless(wish)) {
    // Nothing of it is to be known later.
  } else if (plan_.has(Mishap::blocks) && random_.chance(0.3)) {
    // Of those whom a gateway sends there.
    const auto turn = static_cast<uint32_t>(random_.below(4));
    wish.user = "user-" + std::to_string(turn * plan_.nodes + wish.node);
    // Whoever is let off is let off the list of the start, too.
    const bool stays = is_blocked(plan_, wish.user);
    wish.what = stays || random_.chance(0.6) ? "block" : "unblock";
  } else if (random_.chance(0.4)) {
    wish.what = is_paused_[wish.node][wish.item] ? "resume" : "pause";
  } else {
    wish.delta = static_cast<int64_t>(random_.between(1, 6));
    if (random_.chance(0.4)) wish.delta = -wish.delta;
    wish.op_id = "op-" + std::to_string(++ops_);
    truth_.set_in_doubt(wish.item, static_cast<uint64_t>(std::abs(wish.delta)));
  }
  wish_ = wish;
}

void Operators::ask() {
  Host& host = host_of(*wish_);
  life_ = host.life();
  line_ = std::make_unique<world::Buyer>(host.machine().connect_operator());
  asked_ns_ = clock_.now().boot_ns;
  note_("an operator asks node " + std::to_string(wish_->node) + " for " + wish_->what + " " +
        (wish_->user.empty() ? item_code(wish_->item) : wish_->user) + " " + wish_->op_id +
        wish_->text + " " + std::to_string(wish_->delta));
  if (wish_->what == "look") return line_->request("GET", wish_->text);
  if (wish_->what == "degrade") {
    // Whether it is heard or not.
    degraded_life_[wish_->node] = host.life();
    return line_->request("PUT", "/admin/limits", "", "{\"degrade\":\"" + wish_->text + "\"}");
  }
  if (!wish_->user.empty())
    return line_->request(wish_->what == "block" ? "PUT" : "DELETE",
                          "/admin/blocked/users/" + wish_->user, "",
                          wish_->what == "block" ? "{}" : "");
  const std::string body =
      wish_->what == "restock"
          ? "{\"op_id\":\"" + wish_->op_id + "\",\"delta\":" + std::to_string(wish_->delta) + "}"
          : "{}";
  line_->request("POST", "/admin/items/" + item_code(wish_->item) + "/" + wish_->what, "", body);
}

void Operators::note_done(const Wish& wish) {
  if (wish.what == "restock") supplied_[wish.item] += wish.delta;
  if (wish.what == "end") is_ended_[wish.node][wish.item] = true;
  if (wish.what == "degrade" && wish.text == "none") degraded_life_[wish.node] = 0;
  if (!wish.user.empty()) truth_.set_blocked(wish.node, wish.user, wish.what == "block");
  if (wish.what != "pause" && wish.what != "resume") return;
  is_paused_[wish.node][wish.item] = wish.what == "pause";
  if (wish.what == "pause") truth_.set_paused(wish.node, wish.item, true);
}

void Operators::take_answer() {
  const world::Answer answer = line_->take_answer();
  line_.reset();
  const bool is_look = wish_->what == "look";
  note_("an operator hears " + std::to_string(answer.status) + " " + (is_look ? "" : answer.body));
  // A node that is not ready says so with it, too.
  if (answer.status == 503 && !is_look) return;
  if (answer.status == 422 || answer.status == 404 || answer.status == 400)
    history_.broken("a sound change was answered " + std::to_string(answer.status) + ": " +
                    answer.body);
  if (answer.status == 200) note_done(*wish_);
  truth_.set_in_doubt(wish_->item, 0);
  wish_.reset();
}

int64_t Operators::next_ns() const {
  if (line_) return asked_ns_ + kPatienceNs + 1;
  return wish_ || plan_.has(Mishap::operators) || !has_closed() || is_ending_ ? acts_ns_
                                                                              : INT64_MAX;
}

bool Operators::has_ended() const {
  return !wish_ && !line_ && !not_ended();
}

bool Operators::has_closed() const {
  return !wish_ && !line_ && !paused() && !degraded() && !too_many();
}

}  // namespace stampede::sim
