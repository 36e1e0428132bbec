#include "operators.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>

#include "base/time_text.h"
#include "stock/sale_state.h"
#include "world_terms.h"

namespace stampede::sim {
namespace {

constexpr int64_t kPatienceNs = 5 * kSecond;
constexpr int64_t kAgainNs = 500 * kMillisecond;
constexpr uint64_t kLeftMax = 60;  // of an item, for the end of the sale

}  // namespace

Operators::Operators(const Plan& plan, Servers& servers, Hosts& hosts, History& history,
                     Truth& truth, Random random, std::function<void(const std::string&)> note)
    : plan_(plan),
      servers_(servers),
      hosts_(hosts),
      history_(history),
      truth_(truth),
      clock_(servers.clock),
      random_(random),
      note_(std::move(note)),
      acts_ns_(servers.clock.now().boot_ns),
      is_paused_(plan.nodes, std::vector<bool>(plan.items)),
      is_barred_(plan.nodes),
      made_(plan.nodes),
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
  note_meant(*wish_);
  if (host_of(*wish_).is_up()) ask();
}

// From now on it may be done, or undone.
void Operators::note_meant(const Wish& wish) {
  if (wish.what == "unblock" || wish.what == "block")
    truth_.set_blocked(wish.node, wish.user, false);
  if (wish.what == "bar" || wish.what == "let_in") truth_.set_network_blocked(wish.node, false);
  if (wish.what == "resume") truth_.set_paused(wish.node, wish.item, false);
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
  made_[host.number()].clear();
  for (const stock::RegisteredItem& item : host.node().shard(0).state().items()) {
    const ItemId number = item.terms.id;
    if (number >= plan_.items) continue;
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

// Whatever a node sells, as it says itself. Every second item of the catalog gets an end as a term.
std::optional<Operators::Wish> Operators::not_over() const {
  for (uint32_t node = 0; node < plan_.nodes; ++node) {
    if (!hosts_[node]->is_up()) continue;
    for (const stock::RegisteredItem& item : hosts_[node]->node().shard(0).state().items()) {
      if (state_of(item.terms, clock_.now().wall_ms()) == stock::SaleState::ended) continue;
      const ItemId number = item.terms.id;
      const bool is_catalogs = number < plan_.items;
      const bool is_closed = is_catalogs && (number + plan_.seed) % 2 == 0;
      return Wish{.node = node,
                  .item = is_catalogs ? number : 0,
                  .what = is_closed ? "close" : "end",
                  .text = std::string(item.terms.code.view())};
    }
  }
  return std::nullopt;
}

void Operators::end_sale(int64_t hours_ns) {
  constexpr int kTries = 6;
  is_ending_ = true;
  for (const auto& host : hosts_) {
    std::vector<std::pair<OrderId, ItemId>>& sold = sold_.emplace_back();
    if (!host->is_up()) continue;
    for (uint32_t shard = 0; shard < host->shards(); ++shard) {
      const stock::StreamState& state = host->node().shard(shard).state();
      for (uint32_t i = 0; i < state.orders_touched(); ++i)
        if (state.order(i).is_live)
          sold.emplace_back(state.order(i).id, state.item_of(state.order(i)));
    }
  }
  for (int i = 0; i < kTries; ++i)
    tries_.push_back({.at_ns = clock_.now().boot_ns +
                               static_cast<int64_t>(random_.below(static_cast<uint64_t>(hours_ns))),
                      .node = draw_node(),
                      .item = static_cast<uint32_t>(random_.below(plan_.items))});
}

void Operators::sell_forgotten() {
  are_forgotten_ = true;
  tries_.clear();
  for (uint32_t node = 0; node < plan_.nodes; ++node)
    for (uint32_t item = 0; item < plan_.items; ++item)
      if (hosts_[node]->is_up()) tries_.push_back({.node = node, .item = item});
}

std::optional<Operators::Wish> Operators::due_try() {
  const auto due = std::ranges::find_if(
      tries_, [&](const Try& one) { return one.at_ns <= clock_.now().boot_ns; });
  if (due == tries_.end()) return std::nullopt;
  const Wish wish{.node = due->node, .item = due->item, .what = "again"};
  tries_.erase(due);
  return wish;
}

// Whoever buys an item that is on sale again gets its order of before for a known key, and is held to the purchase limit.
void Operators::check_remembered(const Wish& wish) {
  Host& host = host_of(wish);
  const auto is_known = [&](OrderId id) {
    for (uint32_t shard = 0; shard < host.shards(); ++shard)
      if (host.node().shard(shard).state().find_order(id) != kNone) return true;
    return false;
  };
  for (const auto& [id, item] : sold_[wish.node])
    if (item == wish.item && !is_known(id))
      return history_.broken(item_code(item) + " was on sale again, and order " +
                             std::to_string(id.value) + " of it is forgotten");
}

// Of the wishes at the end of the sale.
void Operators::take_sale_answer(const Wish& wish, const world::Answer& answer) {
  if (!is_ending_ || answer.status != 200) return;
  if (wish.what != "again" && wish.text == item_code(wish.item)) check_remembered(wish);
  if (wish.what == "again" && are_forgotten_)
    history_.broken(item_code(wish.item) + " is on sale again, and its orders are forgotten");
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
    wish_ = not_over();
    if (!wish_) wish_ = due_try();
    return;
  }
  if (is_closing_) {
    wish_ = paused();
    if (!wish_) wish_ = degraded();
    if (!wish_) wish_ = barred();
    if (wish_ || !(wish_ = too_many())) return;
    wish_->op_id = "op-" + std::to_string(++ops_);
    return truth_.set_in_doubt(wish_->item, static_cast<uint64_t>(-wish_->delta));
  }
  if (plan_.has(Mishap::operators) || plan_.has(Mishap::put) || plan_.has(Mishap::reloads))
    choose_freely();
}

std::optional<Operators::Wish> Operators::barred() const {
  for (uint32_t node = 0; node < plan_.nodes; ++node)
    if (is_barred_[node] && !hosts_[node]->is_leaving())
      return Wish{.node = node, .what = "let_in"};
  return std::nullopt;
}

std::optional<Operators::Wish> Operators::degraded() const {
  for (uint32_t node = 0; node < plan_.nodes; ++node)
    if (degraded_life_[node] == hosts_[node]->life() && !hosts_[node]->is_leaving())
      return Wish{.node = node, .what = "levers", .text = "{\"degrade\":\"none\"}"};
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
                                    "/admin/blocked/users/user-0"};
  if (!random_.chance(0.25)) return false;
  wish.what = "look";
  wish.text = kPages[random_.below(std::size(kPages))];
  return true;
}

// Those that buyers do not notice, or for which they are told to wait.
bool Operators::choose_levers(Wish& wish) {
  constexpr const char* kLevels[] = {"none", "no_new_users", "no_polls", "static"};
  if (!random_.chance(0.15)) return false;
  const uint64_t which = random_.below(4);
  wish.what = "levers";
  if (which <= 1)
    wish.text = std::string("{\"degrade\":\"") + kLevels[random_.below(std::size(kLevels))] + "\"}";
  else if (which == 2)
    wish.text = "{\"lease_max\":" + std::to_string(random_.below(300)) +
                ",\"connections\":500,\"connections_address\":1000}";
  else
    wish.text = "{\"rate_user\":\"" + door::text_of(plan_.limits.user) + "\",\"rate_address\":\"" +
                door::text_of(plan_.limits.address) +
                "\",\"open_per_user\":" + std::to_string(plan_.limits.open_per_user) +
                ",\"drain_lag_max\":" +
                std::to_string(plan_.has_database ? random_.between(20, 2'000) : 0) + "}";
  return true;
}

// New terms, a new item, or an order of one that was made.
bool Operators::choose_item(Wish& wish) {
  constexpr uint32_t kMadeMax = 3;
  if (!plan_.has(Mishap::put) || !random_.chance(0.5)) return false;
  const std::vector<std::string>& made = made_[wish.node];
  wish.what = "put";
  if (!made.empty() && random_.chance(0.4)) {
    wish.what = "try";
    wish.text = made[random_.below(made.size())];
  } else if (items_made_ < kMadeMax && random_.chance(0.3)) {
    wish.what = "make";
    wish.text = "made-" + std::to_string(++items_made_);
  } else if (items_made_ > 0 && random_.chance(0.3)) {
    wish.what = "make";
    wish.text = "made-" + std::to_string(random_.between(1, items_made_));
  }
  return true;
}

// Somebody has written something into the files before, or has not finished.
bool Operators::choose_reload(Wish& wish) {
  if (!plan_.has(Mishap::reloads) || !random_.chance(0.4)) return false;
  Inputs& inputs = servers_.inputs;
  inputs.is_broken = random_.chance(0.2);
  // Nodes that share agree on the terms: a start with others is refused until somebody has said which are right.
  if (!plan_.is_shared && random_.chance(0.3)) ++inputs.edition;
  if (random_.chance(0.3)) inputs.has_leaked_key = false;
  wish.what = "reload";
  return true;
}

void Operators::choose_block(Wish& wish) {
  if (random_.chance(0.4)) {
    wish.what = is_barred_[wish.node] ? "let_in" : "bar";
    return;
  }
  // Of those whom a gateway sends there.
  const auto turn = static_cast<uint32_t>(random_.below(4));
  wish.user = "user-" + std::to_string(turn * plan_.nodes + wish.node);
  // Whoever is let off is let off the list of the start, too.
  const bool stays = is_blocked(plan_, wish.user);
  wish.what = stays || random_.chance(0.6) ? "block" : "unblock";
}

void Operators::choose_sale(Wish& wish) {
  if (random_.chance(0.4)) {
    wish.what = is_paused_[wish.node][wish.item] ? "resume" : "pause";
    return;
  }
  wish.delta = static_cast<int64_t>(random_.between(1, 6));
  if (random_.chance(0.4)) wish.delta = -wish.delta;
  wish.op_id = "op-" + std::to_string(++ops_);
  truth_.set_in_doubt(wish.item, static_cast<uint64_t>(std::abs(wish.delta)));
}

void Operators::choose_freely() {
  const auto every_ns = static_cast<uint64_t>(
      plan_.every_ns[static_cast<size_t>(plan_.has(Mishap::operators) ? Mishap::operators
                                         : plan_.has(Mishap::put)     ? Mishap::put
                                                                      : Mishap::reloads)]);
  acts_ns_ += static_cast<int64_t>(random_.below(2 * every_ns));
  Wish wish{.node = draw_node(),
            .item = static_cast<uint32_t>(random_.below(plan_.items)),
            .what = "restock"};
  if (choose_harmless(wish) || choose_item(wish) || choose_reload(wish)) {
    // Nothing of it is to be known later but what is noted when it is done.
  } else if (!plan_.has(Mishap::operators)) {
    return;
  } else if (plan_.has(Mishap::blocks) && random_.chance(0.3)) {
    choose_block(wish);
  } else if (!choose_levers(wish)) {
    choose_sale(wish);
  }
  wish_ = wish;
}

// With another title and more time to pay, which hold for what is ordered from now on.
std::string Operators::terms_of(uint32_t item) {
  return "{" +
         terms_members(
             plan_, item, "title " + std::to_string(random_.below(1'000)),
             static_cast<int64_t>(random_.between(static_cast<uint64_t>(plan_.pay_window_s), 60))) +
         "}";
}

std::string Operators::ended_terms_of(uint32_t item) {
  std::string terms = terms_of(item);
  terms.pop_back();
  const TimeText now(clock_.now().wall_ms());
  return terms.append(",\"ends_at\":\"").append(now.view()).append("\"}");
}

Operators::Request Operators::request_of(const Wish& wish) {
  const std::string item = "/admin/items/" + item_code(wish.item);
  const std::string blocked = "/admin/blocked/users/" + wish.user;
  constexpr const char* kBar = "/admin/blocked/addresses/10.0.0.4%2F31";
  if (wish.what == "look") return {.method = "GET", .target = wish.text};
  if (wish.what == "levers") return {.method = "PUT", .target = "/admin/limits", .body = wish.text};
  if (wish.what == "block") return {.method = "PUT", .target = blocked, .body = "{}"};
  if (wish.what == "unblock") return {.method = "DELETE", .target = blocked};
  if (wish.what == "bar") return {.method = "PUT", .target = kBar, .body = "{}"};
  if (wish.what == "let_in") return {.method = "DELETE", .target = kBar};
  if (wish.what == "reload") return {.method = "POST", .target = "/admin/reload", .body = "{}"};
  if (wish.what == "end")
    return {.method = "POST", .target = "/admin/items/" + wish.text + "/end", .body = "{}"};
  if (wish.what == "put" || wish.what == "again")
    return {.method = "PUT", .target = item, .body = terms_of(wish.item)};
  if (wish.what == "close")
    return {.method = "PUT", .target = item, .body = ended_terms_of(wish.item)};
  if (wish.what == "make")
    return {.method = "PUT",
            .target = "/admin/items/" + wish.text,
            .body = "{\"stock\":7,\"pay_window_s\":5,\"ends_at\":\"2027-01-17T00:00:00Z\"}"};
  if (wish.what == "try")
    return {.method = "POST",
            .target = "/v1/orders",
            .headers = user_header(plan_, "operator", clock_.now().wall_ns / kSecond),
            .body = "{\"item\":\"" + wish.text + "\",\"qty\":1}"};
  if (wish.what == "restock")
    return {
        .method = "POST",
        .target = item + "/restock",
        .body = "{\"op_id\":\"" + wish.op_id + "\",\"delta\":" + std::to_string(wish.delta) + "}"};
  return {.method = "POST", .target = item + "/" + wish.what, .body = "{}"};
}

void Operators::ask() {
  Host& host = host_of(*wish_);
  life_ = host.life();
  const bool is_buyer = wish_->what == "try";
  line_ = std::make_unique<world::Buyer>(
      is_buyer ? host.machine().connect(static_cast<uint32_t>(random_.below(host.shards())))
               : host.machine().connect_operator());
  line_->end().set_address({.ip = {10, 3, 0, 1}});
  asked_ns_ = clock_.now().boot_ns;
  asked_without_leak_ = !servers_.inputs.has_leaked_key;
  note_("an operator asks node " + std::to_string(wish_->node) + " for " + wish_->what + " " +
        (wish_->user.empty() ? item_code(wish_->item) : wish_->user) + " " + wish_->op_id +
        wish_->text + " " + std::to_string(wish_->delta));
  // Whether it is heard or not.
  if (wish_->what == "levers") degraded_life_[wish_->node] = host.life();
  const Request request = request_of(*wish_);
  const std::string headers = is_buyer || !plan_.has(Mishap::reloads)
                                  ? request.headers
                                  : "Authorization: Bearer " + operator_token() + "\r\n";
  line_->request(request.method, request.target, headers, request.body);
}

void Operators::note_done(const Wish& wish) {
  if (wish.what == "restock") supplied_[wish.item] += wish.delta;
  if (wish.what == "levers" && wish.text == "{\"degrade\":\"none\"}") degraded_life_[wish.node] = 0;
  if (wish.what == "bar" || wish.what == "let_in") {
    is_barred_[wish.node] = wish.what == "bar";
    truth_.set_network_blocked(wish.node, wish.what == "bar");
  }
  if (wish.what == "reload" && asked_without_leak_) truth_.note_key_gone(wish.node);
  if (!wish.user.empty()) truth_.set_blocked(wish.node, wish.user, wish.what == "block");
  if (wish.what != "pause" && wish.what != "resume") return;
  is_paused_[wish.node][wish.item] = wish.what == "pause";
  if (wish.what == "pause") truth_.set_paused(wish.node, wish.item, true);
}

// What is made is on sale, on every shard, from the moment at which its operator knows of it.
void Operators::take_item_answer(const Wish& wish, const world::Answer& answer) {
  std::vector<std::string>& made = made_[wish.node];
  const bool is_known = answer.status == 201 || answer.member("code") == "stock_differs";
  if (wish.what == "make" && is_known && std::ranges::find(made, wish.text) == made.end())
    made.push_back(wish.text);
  if (wish.what == "try" && answer.status == 404 &&
      std::ranges::find(made, wish.text) != made.end())
    history_.broken("the item " + wish.text + " was put on sale, and is unknown");
}

void Operators::take_answer() {
  const world::Answer answer = line_->take_answer();
  line_.reset();
  const bool is_look = wish_->what == "look", is_try = wish_->what == "try";
  note_("an operator hears " + std::to_string(answer.status) + " " + (is_look ? "" : answer.body));
  // A node that is not ready says so with it, too; and nobody needs what was tried.
  if (answer.status == 503 && !is_look && !is_try) return;
  const bool is_no_change = answer.status == 422 || answer.status == 404 || answer.status == 400 ||
                            answer.status == 401 || answer.status == 403;
  if (is_no_change && !is_try)
    history_.broken("a sound change was answered " + std::to_string(answer.status) + ": " +
                    answer.body);
  take_item_answer(*wish_, answer);
  take_sale_answer(*wish_, answer);
  if (answer.status == 200) note_done(*wish_);
  truth_.set_in_doubt(wish_->item, 0);
  wish_.reset();
}

int64_t Operators::next_ns() const {
  if (line_) return asked_ns_ + kPatienceNs + 1;
  const bool acts_freely =
      plan_.has(Mishap::operators) || plan_.has(Mishap::put) || plan_.has(Mishap::reloads);
  return wish_ || acts_freely || !has_closed() || is_ending_ ? acts_ns_ : INT64_MAX;
}

bool Operators::has_ended() const {
  return !wish_ && !line_ && !not_over();
}

bool Operators::has_closed() const {
  return !wish_ && !line_ && !paused() && !degraded() && !barred() && !too_many();
}

}  // namespace stampede::sim
