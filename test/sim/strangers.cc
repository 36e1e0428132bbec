#include "strangers.h"

#include <algorithm>
#include <charconv>

#include "door/signature.h"
#include "world_terms.h"

namespace stampede::sim {
namespace {

constexpr int64_t kPatienceNs = 30 * kSecond;  // more than any deadline of a connection
constexpr size_t kVisitsMax = 60;
constexpr uint32_t kCrowd = 40;

std::string with_body(std::string_view line, std::string_view headers, std::string_view body) {
  return std::string(line) + " HTTP/1.1|Host: here|" + std::string(headers) +
         "Content-Type: application/json|Content-Length: " + std::to_string(body.size()) + "||" +
         std::string(body);
}

void replace_all(std::string& text, std::string_view what, std::string_view by) {
  for (size_t at = text.find(what); at != text.npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

// Enough to know it by.
std::string words_of(std::string_view text) {
  return std::string(text.substr(0, 160));
}

}  // namespace

Strangers::Strangers(const Plan& plan, Hosts& hosts, History& history, world::FakeClock& clock,
                     Random random, std::function<void(const std::string&)> note)
    : plan_(plan),
      hosts_(hosts),
      history_(history),
      clock_(clock),
      random_(random),
      note_(std::move(note)) {
  if (plan.has(Mishap::strangers)) comes_ns_ = now_ns();
}

void Strangers::step() {
  std::erase_if(visits_, [this](Visit& visit) { return look(visit); });
  if (now_ns() < comes_ns_) return;
  const int64_t every_ns = plan_.every_ns[static_cast<size_t>(Mishap::strangers)];
  comes_ns_ =
      now_ns() + 1 + static_cast<int64_t>(random_.below(static_cast<uint64_t>(2 * every_ns)));
  if (visits_.size() < kVisitsMax) come();
}

int64_t Strangers::next_ns() const {
  int64_t next_ns = comes_ns_;
  for (const Visit& visit : visits_) next_ns = std::min(next_ns, visit.came_ns + kPatienceNs + 1);
  return next_ns;
}

void Strangers::fall_silent() {
  comes_ns_ = INT64_MAX;
  for (const Visit& visit : visits_)
    if (visit.life == hosts_[visit.node]->life()) visit.end->reset();
  visits_.clear();
}

// ---- what they say ----

void Strangers::come() {
  const uint64_t how = random_.below(100);
  if (how < 3) return come_in_crowd();
  if (how < 45) return say_body();
  const bool is_operator = random_.chance(0.35);
  Visit& visit = begin(is_operator);
  if (visit.end == nullptr) return visits_.pop_back();
  if (how < 50) return say_half(visit);
  if (how < 55) return ask_much(visit);
  const bool is_extra = !is_operator && plan_.has_extras && random_.chance(0.4);
  const std::span<const Oddity> oddities = is_operator ? operator_oddities()
                                           : is_extra  ? extra_oddities()
                                                       : public_oddities();
  say(visit, oddities[random_.below(oddities.size())]);
}

// Without an end: its node is not there.
Strangers::Visit& Strangers::begin(bool is_operator) {
  Visit& visit = visits_.emplace_back();
  visit.node = static_cast<uint32_t>(random_.below(plan_.nodes));
  visit.came_ns = now_ns();
  Host& host = *hosts_[visit.node];
  if (!host.is_up()) return visit;
  visit.life = host.life();
  visit.end = is_operator
                  ? &host.machine().connect_operator()
                  : &host.machine().connect(static_cast<uint32_t>(random_.below(host.shards())));
  visit.end->set_address({.ip = {10, 2, 0, static_cast<uint8_t>(random_.below(200))}});
  return visit;
}

void Strangers::come_in_crowd() {
  note_("a crowd comes and says nothing");
  for (uint32_t i = 0; i < kCrowd; ++i) {
    Visit& visit = begin(random_.chance(0.1));
    visit.what = "nothing";
    visit.is_whole = false;
    if (visit.end == nullptr) visits_.pop_back();
  }
}

// What has the form of a change, and is none.
void Strangers::say_body() {
  const uint64_t what = random_.below(5);
  Visit& visit = begin(what >= 2);
  if (visit.end == nullptr) return visits_.pop_back();
  const std::span<const std::string_view> bodies = what == 0   ? no_orders()
                                                   : what == 1 ? no_payments()
                                                   : what == 2 ? no_items()
                                                   : what == 3 ? no_restocks()
                                                               : no_levers();
  const std::string_view body = bodies[random_.below(bodies.size())];
  const std::string signature =
      door::make_signature(body, clock_.now().wall_ns / kSecond, payment_key());
  const std::string text = what == 0   ? with_body("POST /v1/orders", "{u}", body)
                           : what == 1 ? with_body("POST /v1/orders/00000000000000aa/payment",
                                                   "Stampede-Signature: " + signature + "|", body)
                           : what == 2 ? with_body("PUT /admin/items/none", "{t}", body)
                           : what == 3 ? with_body("POST /admin/items/item-0/restock", "{t}", body)
                                       : with_body("PUT /admin/limits", "{t}", body);
  // A signature is of its moment, and the wall clock may be set meanwhile.
  const bool is_certain = what != 1 || !plan_.has(Mishap::wall_clock);
  say(visit, {.text = text, .status = is_certain ? 400 : 0});
}

void Strangers::say(Visit& visit, const Oddity& oddity) {
  visit.status = oddity.status;
  visit.what = words_of(oddity.text);
  const std::string text = written_out(oddity.text);
  note_("a stranger says " + visit.what);
  visit.end->send_pieces(text, random_.chance(0.3) ? random_.between(1, 40) : SIZE_MAX);
  if (random_.chance(0.15)) visit.end->half_close();
}

// Its deadline ends it, or its own patience.
void Strangers::say_half(Visit& visit) {
  const std::string text =
      written_out(with_body("POST /v1/orders", "{u}", "{\"item\":\"item-0\",\"qty\":1}"));
  visit.what = "half a request";
  visit.status = 408;
  visit.is_whole = false;
  note_("a stranger says half a request");
  visit.end->send(std::string_view(text).substr(0, random_.between(1, text.size() - 1)));
  if (random_.chance(0.3)) visit.end->half_close();
}

// More than it reads.
void Strangers::ask_much(Visit& visit) {
  visit.what = "many requests";
  visit.is_slow = true;
  note_("a stranger asks for much and reads little");
  visit.end->set_window(random_.between(1, 2'000));
  const uint64_t count = random_.between(20, 120);
  for (uint64_t i = 0; i < count; ++i)
    visit.end->send(written_out(random_.chance(0.5) ? "GET /v1/items HTTP/1.1|Host: here||"
                                                    : "GET /v1/time HTTP/1.1|Host: here||"));
}

std::string Strangers::written_out(std::string_view text) const {
  std::string out(text);
  replace_all(out, "|", "\r\n");
  replace_all(out, "{a}", std::string(3'000, 'a'));
  replace_all(out, "{t}", "Authorization: Bearer " + operator_token() + "\r\n");
  const int64_t now_unix = clock_.now().wall_ns / kSecond;
  replace_all(out, "{u}", user_header(plan_, "stranger", now_unix));
  replace_all(out, "{m}", user_header(plan_, "member-1", now_unix));
  replace_all(out, "{p}", "Stampede-Proof: " + proof_for("stranger", "proven", now_unix) + "\r\n");
  return out;
}

// ---- what they hear ----

bool Strangers::look(Visit& visit) {
  Host& host = *hosts_[visit.node];
  if (visit.life != host.life() || !host.is_up()) return true;
  visit.bytes += visit.end->read(visit.is_slow ? random_.below(200) : SIZE_MAX);
  if (!visit.is_answered) take_head(visit);
  const bool reads_on = visit.is_slow && now_ns() - visit.came_ns < kPatienceNs / 3;
  if (visit.is_answered && !reads_on) {
    visit.end->reset();
    return true;
  }
  if (visit.is_answered) return visit.end->was_reset();
  if (visit.end->sees_end() || visit.end->was_reset()) return true;
  if (now_ns() - visit.came_ns <= kPatienceNs) return false;
  const bool is_owed = visit.status != 0 || !visit.is_whole;
  if (is_owed && host.held_up_ns() < visit.came_ns)
    history_.broken("a stranger had no answer: " + visit.what);
  visit.end->reset();
  return true;
}

// Its first line, behind what goes before it.
void Strangers::take_head(Visit& visit) {
  constexpr std::string_view kVersion = "HTTP/1.1 ";
  while (visit.bytes.find("\r\n\r\n") != visit.bytes.npos) {
    int status = 0;
    if (visit.bytes.starts_with(kVersion))
      std::from_chars(visit.bytes.data() + kVersion.size(), visit.bytes.data() + visit.bytes.size(),
                      status);
    if (status != 100) {
      visit.is_answered = true;
      return judge(visit, status);
    }
    visit.bytes.erase(0, visit.bytes.find("\r\n\r\n") + 4);
  }
}

void Strangers::judge(const Visit& visit, int status) {
  note_("a stranger hears " + std::to_string(status));
  const bool is_full = status == 429 || status == 503;
  if (visit.status == 0 ? status >= 200 && status != 500 : status == visit.status || is_full)
    return;
  history_.broken("a stranger says " + visit.what + " and is answered " +
                  visit.bytes.substr(0, visit.bytes.find('\r')) + " in place of " +
                  std::to_string(visit.status));
}

}  // namespace stampede::sim
