// What buyers hear at the door, and what they try there.
#include <algorithm>

#include "bounds.h"
#include "people.h"
#include "world_terms.h"

namespace stampede::sim {

// An order waits for units for a moment and for nothing else, unless its node is held up.
void People::check_patience(const Person& person, const Ask& ask) {
  constexpr int64_t kMostNs = bounds::wait_for_units_ms * kMillisecond + kSecond;
  const bool is_held_up = host_of(person).held_up_ns() >= ask.sent_ns || person.reads_ns != 0;
  if (ask.kind != Kind::order || ask.is_behind_wait || is_held_up) return;
  if (const int64_t waited_ns = now_ns() - ask.sent_ns; waited_ns > kMostNs)
    history_.broken(ask.user + " waited " + std::to_string(waited_ns / kMillisecond) +
                    " ms for an answer to an order");
}

// By user: new orders and links. By address: everything but what is done with an order that is there.
Allowances::Who People::counted(Allowances::Kind kind, const Person& person, const Ask& ask) const {
  const std::string name = kind == Allowances::Kind::user      ? ask.user
                           : kind == Allowances::Kind::address ? net::text_of(ask.address)
                                                               : "";
  return {.kind = kind, .name = name, .node = person.node, .life = ask.life};
}

void People::note_counted(const Person& person, const Ask& ask) {
  using enum Allowances::Kind;
  if ((ask.kind == Kind::order || ask.kind == Kind::link) && !ask.is_forged)
    allowances_.note_sent(counted(user, person, ask), ask.sent_ns);
  if (ask.kind == Kind::order || ask.kind == Kind::stock || ask.kind == Kind::link ||
      ask.kind == Kind::look)
    allowances_.note_sent(counted(address, person, ask), ask.sent_ns);
}

// No allowance is exceeded, no limit is said without a reason, whoever is blocked gets nothing, and a winner is never refused.
void People::check_door(const Person& person, const Ask& ask, const world::Answer& answer) {
  using enum Allowances::Kind;
  const bool is_order = ask.kind == Kind::order;
  const std::string code = answer.member("code"), limit = answer.member("limit");
  const bool is_new = is_order && answer.status == 201;
  const bool is_link = ask.kind == Kind::link && answer.status == 200;
  if (is_new || is_link || code == "sold_out" || code == "not_enough") {
    allowances_.note_pass(counted(user, person, ask), ask.sent_ns, now_ns());
    allowances_.note_pass(counted(address, person, ask), ask.sent_ns, now_ns());
  }
  if (is_new) allowances_.note_pass(counted(sale, person, ask), ask.sent_ns, now_ns());
  if (ask.kind == Kind::stock && answer.status == 200)
    allowances_.note_pass(counted(address, person, ask), ask.sent_ns, now_ns());
  if (limit == "user") allowances_.note_refusal(counted(user, person, ask), ask.sent_ns, now_ns());
  if (limit == "address")
    allowances_.note_refusal(counted(address, person, ask), ask.sent_ns, now_ns());
  if (limit == "sale") allowances_.note_refusal(counted(sale, person, ask), ask.sent_ns, now_ns());
  allowances_.note_answer(counted(user, person, ask), ask.sent_ns, now_ns());
  allowances_.note_answer(counted(address, person, ask), ask.sent_ns, now_ns());

  const bool is_in_network = is_in_operators_network(ask.address);
  const bool has_blocked_address =
      is_blocked(plan_, ask.address) ||
      (is_in_network && truth_.is_network_blocked_since(person.node, ask.sent_ns));
  const bool may_have_blocked_address =
      has_blocked_address || (is_in_network && truth_.was_network_ever_blocked());
  const bool is_barred = is_blocked(plan_, ask.user) || has_blocked_address ||
                         truth_.is_blocked_since(person.node, ask.user, ask.sent_ns);
  if (is_barred && (is_new || (ask.kind == Kind::link && answer.status == 200)))
    history_.broken(ask.user + " is blocked and was given " + answer.body);
  if (has_blocked_address && ask.kind != Kind::pay && answer.status < 400)
    history_.broken("a blocked address was answered " + answer.body);
  if (code == "blocked" && !is_barred && !may_have_blocked_address &&
      !truth_.was_ever_blocked(ask.user))
    history_.broken(ask.user + " is not blocked and was told so");
  const bool is_repeated = answer.status == 200 || answer.status == 503 ||
                           may_have_blocked_address ||
                           history_.has_lost(ask.user, item_code(ask.item));
  if (ask.is_leaked && answer.status < 400 && truth_.is_key_gone_since(person.node, ask.sent_ns))
    history_.broken(ask.order + " was paid by a key that its node goes without");
  if (ask.is_winner && !is_repeated)
    history_.broken(ask.user + " has the order of " + ask.key + " and was answered " +
                    std::to_string(answer.status) + " " + answer.body);
}

// An honest client waits as long as it is told to; some ask again at once, and some give up.
void People::take_limit(Person& person, const Ask& ask, const world::Answer& answer) {
  constexpr int64_t kPatienceMs = 40'000;  // more than a crowd is spread over
  const std::string said = answer.member("retry_after_ms");
  const int64_t wait_ms = said.empty() ? 1'000 : std::stol(said);
  const bool waits = is_closing_ || random_.chance(0.8);
  if (waits && wait_ms <= kPatienceMs)
    person.acts_ns = std::max(person.acts_ns, now_ns() + wait_ms * kMillisecond);
  if (ask.kind != Kind::order) return;
  if (is_closing_ ? wait_ms <= kPatienceMs : random_.chance(0.7))
    return person.unsure.push_back(ask);
  const std::string item = item_code(ask.item);
  purchases_.take_refusal({.user = ask.user,
                           .item = item,
                           .key = ask.key,
                           .quantity = ask.quantity,
                           .sent_ns = ask.sent_ns});
}

void People::take_link(Person& person, const Ask& ask, const world::Answer& answer) {
  if (answer.status != 200) return;
  const std::string link = answer.member("link");
  if (truth_.is_paused_since(person.node, ask.item, ask.sent_ns))
    history_.broken(ask.user + " was given a link of a sale that is paused");
  // Good when it was made; whoever reads it late may find that its time is over.
  const int64_t made_unix =
      std::stol("0" + link.substr(std::min<size_t>(3, link.size()))) - bounds::link_valid_s;
  if (!is_link_for(link, ask.user, ask.item, made_unix))
    history_.broken(ask.user + " was given a link that is worth nothing");
  person.links.resize(plan_.items);
  person.links[ask.item] = link;
}

// The one that the door gave, while it is good, or one like it.
std::string People::link_of(const Person& person, const Ask& ask) const {
  if (ask.is_wrong || !is_hidden(plan_, ask.item)) return ask.link;
  const int64_t now_unix = moment().wall_ns / kSecond;
  if (ask.item < person.links.size() &&
      is_link_for(person.links[ask.item], ask.user, ask.item, now_unix + 5))
    return person.links[ask.item];
  return link_for(ask.user, ask.item, now_unix);
}

// A ticket that nobody has signed; a link of somebody else, of another item, or of yesterday.
std::optional<People::Ask> People::pick_forged(Person& person) {
  Ask ask{.kind = Kind::order, .key = "forged-" + std::to_string(++person.keys), .is_wrong = true};
  if (plan_.has(Mishap::tickets) && random_.chance(0.4)) {
    ask.is_forged = true;
    return ask;
  }
  if (!plan_.has(Mishap::links) || random_.chance(0.5)) return std::nullopt;
  const int64_t now_unix = moment().wall_ns / kSecond;
  const uint64_t how = random_.below(3);
  ask.link = how == 0   ? link_for(person.name + "x", 0, now_unix)
             : how == 1 ? link_for(person.name, 1, now_unix)
                        : link_for(person.name, 0, now_unix - 24 * 3'600);
  return ask;
}

}  // namespace stampede::sim
