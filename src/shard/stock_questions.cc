#include "shard/stock_questions.h"

#include <algorithm>
#include <utility>

#include "shard/text_answers.h"
#include "stock/sale_state.h"

namespace stampede::shard {
namespace {

// Then what is known is answered, however old it is.
constexpr int64_t kPatienceNs = 500 * kMillisecond;
constexpr int64_t kFreshNs = kSecond;

std::string_view state_text(const stock::SaleTerms& sale, Units available, Moment now) {
  const stock::SaleState state = stock::state_of(sale, now.wall_ms());
  if (state == stock::SaleState::open && available == 0) return "sold_out";
  return stock::name_of(state);
}

}  // namespace

void StockQuestions::ask(const ReplyTo& place, ItemId item, Moment now) {
  const Orders::Glance glance = orders_.glance(item);
  const bool waits = !glance.is_known || (glance.age_ns > kFreshNs && glance.is_news_coming);
  if (!waits) return answer(place, item, glance, now);
  waiting_[item].push_back(place);
  deadlines_.push_back({.item = item, .place = place, .boot_ns = now.boot_ns + kPatienceNs});
}

void StockQuestions::answer_waiting(ItemId item, Moment now) {
  const auto waiting = waiting_.find(item);
  if (waiting == waiting_.end()) return;
  const Orders::Glance glance = orders_.glance(item);
  if (!glance.is_known || glance.age_ns > kFreshNs) return;
  const std::deque<ReplyTo> places = std::move(waiting->second);
  waiting_.erase(waiting);
  for (const ReplyTo& place : places) answer(place, item, glance, now);
}

void StockQuestions::pass_time(Moment now) {
  while (!deadlines_.empty() && deadlines_.front().boot_ns <= now.boot_ns) {
    const Deadline due = deadlines_.front();
    deadlines_.pop_front();
    // Questions of one item are answered all together or the oldest first, so one that still waits is the first.
    const auto waiting = waiting_.find(due.item);
    if (waiting == waiting_.end() || waiting->second.front().serial != due.place.serial ||
        waiting->second.front().place != due.place.place)
      continue;
    waiting->second.pop_front();
    if (waiting->second.empty()) waiting_.erase(waiting);
    answer(due.place, due.item, orders_.glance(due.item), now);
  }
}

void StockQuestions::answer(const ReplyTo& place, ItemId item, const Orders::Glance& glance,
                            Moment now) {
  if (!glance.is_known) return answers_.refuse(place, {.verdict = Verdict::try_again});
  std::string body = "{\"state\":\"";
  body.append(state_text(catalog_.sale(item), glance.available, now))
      .append("\",\"available\":")
      .append(std::to_string(glance.available))
      .append(",\"server_time\":")
      .append(time_json(now.wall_ms()));
  if (glance.age_ns > kFreshNs)
    body.append(",\"age_ms\":").append(std::to_string(glance.age_ns / kMillisecond));
  answers_.complete(
      place, TextAnswer{.headers = "Cache-Control: no-store\r\n", .body = std::move(body) + "}"});
}

}  // namespace stampede::shard
