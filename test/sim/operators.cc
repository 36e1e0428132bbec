#include "operators.h"

#include <algorithm>

#include "world_terms.h"

namespace stampede::sim {
namespace {

constexpr int64_t kPatienceNs = 5 * kSecond;
constexpr int64_t kAgainNs = 500 * kMillisecond;

}  // namespace

Operators::Operators(const Plan& plan, Host& host, History& history, world::FakeClock& clock,
                     Random random, std::function<void(const std::string&)> note)
    : plan_(plan),
      host_(host),
      history_(history),
      clock_(clock),
      random_(random),
      note_(std::move(note)),
      acts_ns_(clock.now().boot_ns),
      is_paused_(plan.items),
      supplied_(plan.items, plan.stock) {}

void Operators::step() {
  const int64_t now_ns = clock_.now().boot_ns;
  if (line_ && line_->has_answer()) take_answer();
  if (line_ && (life_ != host_.life() || line_->has_ended() || now_ns - asked_ns_ > kPatienceNs))
    line_.reset();
  if (line_ || now_ns < acts_ns_ || !host_.is_up()) return;
  acts_ns_ = now_ns + kAgainNs;
  if (!wish_) choose();
  if (wish_) ask();
}

void Operators::choose() {
  if (is_closing_) {
    const auto paused = std::ranges::find(is_paused_, true);
    if (paused == is_paused_.end()) return;
    wish_ = Wish{.item = static_cast<uint32_t>(paused - is_paused_.begin()), .what = "resume"};
    return;
  }
  if (!plan_.has(Fault::operators)) return;
  acts_ns_ += static_cast<int64_t>(random_.below(
      static_cast<uint64_t>(2 * plan_.every_ns[static_cast<size_t>(Fault::operators)])));
  Wish wish{.item = static_cast<uint32_t>(random_.below(plan_.items))};
  const uint64_t what = random_.below(10);
  wish.what = what < 6                ? "restock"
              : is_paused_[wish.item] ? "resume"
              : what < 8              ? "pause"
                                      : "restock";
  if (wish.what == "restock") {
    wish.delta = static_cast<int64_t>(random_.between(1, 6));
    if (random_.chance(0.4)) wish.delta = -wish.delta;
    wish.op_id = "op-" + std::to_string(++ops_);
  }
  wish_ = wish;
}

void Operators::ask() {
  life_ = host_.life();
  line_ = std::make_unique<world::Buyer>(host_.machine().connect_operator());
  asked_ns_ = clock_.now().boot_ns;
  const std::string body =
      wish_->what == "restock"
          ? "{\"op_id\":\"" + wish_->op_id + "\",\"delta\":" + std::to_string(wish_->delta) + "}"
          : "{}";
  note_("an operator asks for " + wish_->what + " " + item_code(wish_->item) + " " + body);
  line_->request("POST", "/admin/items/" + item_code(wish_->item) + "/" + wish_->what, "", body);
}

void Operators::take_answer() {
  const world::Answer answer = line_->take_answer();
  line_.reset();
  note_("an operator hears " + std::to_string(answer.status) + " " + answer.body);
  if (answer.status == 503) return;
  if (answer.status == 422 || answer.status == 404 || answer.status == 400)
    history_.broken("a sound change was answered " + std::to_string(answer.status) + ": " +
                    answer.body);
  if (answer.status == 200) {
    if (wish_->what == "restock")
      supplied_[wish_->item] += wish_->delta;
    else
      is_paused_[wish_->item] = wish_->what == "pause";
  }
  wish_.reset();
}

int64_t Operators::next_ns() const {
  if (line_) return asked_ns_ + kPatienceNs + 1;
  if (!host_.is_up()) return INT64_MAX;
  return wish_ || plan_.has(Fault::operators) || !has_closed() ? acts_ns_ : INT64_MAX;
}

bool Operators::has_closed() const {
  return !wish_ && !line_ && std::ranges::find(is_paused_, true) == is_paused_.end();
}

}  // namespace stampede::sim
