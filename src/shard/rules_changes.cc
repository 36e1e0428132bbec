#include "shard/rules_changes.h"

#include <sodium.h>

#include <algorithm>

#include "base/diag.h"
#include "shard/admin_json.h"

namespace stampede::shard {
namespace {

using orderlog::BlockWord;

// The texts behind `kind`, with commas between, in as few records' words as they fit into; nothing changed is one too.
std::vector<std::string> packed(std::string_view kind, const std::vector<std::string>& texts) {
  std::vector<std::string> words{std::string(kind)};
  for (const std::string& text : texts) {
    if (words.back().size() + 2 + text.size() > bounds::admin_text_bytes_max)
      words.emplace_back(kind);
    words.back().append(words.back() == kind ? "" : ", ").append(text);
  }
  return words;
}

std::string_view name_of(BlockWord word) {
  return word == BlockWord::blocked ? "blocked" : word == BlockWord::exempt ? "exempt" : "none";
}

// {"user":"alice","word":"blocked"
std::string word_json(bool is_network, std::string_view text, BlockWord word) {
  std::string json = is_network ? "{\"address\":" : "{\"user\":";
  append_quoted(text, json);
  return json.append(",\"word\":\"").append(name_of(word)) += '"';
}

}  // namespace

door::SharedBlockList block_list_of(const stock::StreamState::BlockWords& words) {
  std::vector<door::UserWord> users;
  std::vector<door::NetworkWord> networks;
  for (const auto& [about, said] : words) {
    const door::Word word = said == BlockWord::exempt ? door::Word::exempt : door::Word::blocked;
    if (!about.first)
      users.push_back({about.second, word});
    else if (const std::optional<door::Network> network = door::parse_network(about.second))
      networks.push_back({*network, word});
  }
  if (users.empty() && networks.empty()) return nullptr;
  uint64_t seed;
  randombytes_buf(&seed, sizeof seed);
  return std::make_shared<const door::BlockList>(users, networks, seed);
}

RulesChanges::RulesChanges(ChangeHost& host, const stock::StreamState& state, Process& process)
    : host_(host),
      state_(state),
      process_(process),
      order_rate_flag_(process.rules.load()->limits.order_rate) {}

// ---- what operators ask for ----

// False: the answer is that nothing can be changed now.
bool RulesChanges::admit(ReplyTo place) {
  const bool is_stopping = process_.is_stopping.load(std::memory_order_acquire);
  const bool has_room = changes_.size() < bounds::changes_under_way_max && host_.has_room();
  if (!is_stopping && has_room) return true;
  host_.complete(place, {.refusal = is_stopping ? Verdict::shutting_down : Verdict::overloaded});
  return false;
}

RulesChanges::Change& RulesChanges::begin(const Operator& by) {
  Change& change = changes_.emplace_back();
  change.who = admin_text(by.who);
  change.places.push_back(by.place);
  return change;
}

void RulesChanges::record(Change& change, std::string_view what, Moment now) {
  change.lsn = host_.append(
      orderlog::Admin{.at_ms = now.wall_ms(), .who = change.who, .what = admin_text(what)});
}

void RulesChanges::set_limits(const Operator& by, std::string_view body, Moment now) {
  const Levers before = newest_levers();
  const Result<Levers> asked = changed_levers(
      before, {.order_rate_flag = order_rate_flag_, .connections_max = process_.connections_max},
      body);
  if (!asked) return host_.complete(by.place, refused(Verdict::bad_request, asked.error().message));
  door::Rules wanted = *process_.rules.load();
  wanted.limits = asked->door;
  if (const char* const why = door::contradiction_in(wanted))
    return host_.complete(by.place, refused(Verdict::bad_request, why));
  if (!admit(by.place)) return;
  Change& change = begin(by);
  change.levers = *asked;
  change.answer = {.body = levers_json(*asked)};
  for (const std::string& words : packed("limits ", lever_changes(before, *asked)))
    record(change, words, now);
}

Levers RulesChanges::levers() const {
  return {.lease_max = process_.lease_max.load(std::memory_order_relaxed),
          .drain_lag_max = process_.drain_lag_max.load(std::memory_order_relaxed),
          .door = process_.rules.load()->limits};
}

// With the changes that are under way, which will have been made before one that is asked for now.
Levers RulesChanges::newest_levers() const {
  for (auto change = changes_.rbegin(); change != changes_.rend(); ++change)
    if (change->levers) return *change->levers;
  return levers();
}

BlockWord RulesChanges::word_on(const BlockSubject& subject) const {
  const auto found = state_.block_words().find({subject.is_network, subject.text});
  return found == state_.block_words().end() ? BlockWord::none : found->second;
}

// A network counts as named when any network of the file holds it: only then is there something to be exempt from.
bool RulesChanges::is_in_file(const BlockSubject& subject) const {
  const door::SharedBlockList file = process_.rules.load()->blocked.file;
  if (!file) return false;
  if (!subject.is_network) return file->word_on(subject.text) != door::Word::none;
  const std::optional<door::Network> network = door::parse_network(subject.text);
  return network && file->word_on(*network).word != door::Word::none;
}

void RulesChanges::block(const Operator& by, const BlockSubject& subject, Moment now) {
  say(by, subject, BlockWord::blocked, now);
}

void RulesChanges::unblock(const Operator& by, const BlockSubject& subject, Moment now) {
  const bool is_held = is_in_file(subject) || is_in_blocked_network(subject);
  say(by, subject, is_held ? BlockWord::exempt : BlockWord::none, now);
}

// An operator has blocked a network that holds this one: then nothing but an exemption lets it in.
bool RulesChanges::is_in_blocked_network(const BlockSubject& subject) const {
  if (!subject.is_network) return false;
  stock::StreamState::BlockWords others = state_.block_words();
  others.erase({true, subject.text});
  const door::SharedBlockList said = block_list_of(others);
  const std::optional<door::Network> network = door::parse_network(subject.text);
  return said && network && said->word_on(*network).word == door::Word::blocked;
}

void RulesChanges::say(const Operator& by, const BlockSubject& subject, BlockWord word,
                       Moment now) {
  if (word != BlockWord::none && word_on(subject) == BlockWord::none &&
      state_.block_words().size() >= bounds::blocked_words_max)
    return host_.complete(
        by.place, conflict("too_many_blocked", "Put them into the file of --blocked and reload.",
                           "entries", state_.block_words().size()));
  if (!admit(by.place)) return;
  Change& change = begin(by);
  const BlockWord before = word_on(subject);
  host_.append(
      orderlog::Block{.is_network = subject.is_network, .word = word, .subject = subject.text});
  change.change = [this](door::Rules& rules) {
    rules.blocked.operators = block_list_of(state_.block_words());
  };
  change.answer = {.body = word_json(subject.is_network, subject.text, word) + '}'};
  record(change,
         (subject.is_network ? "blocked address " : "blocked user ") + subject.text + ' ' +
             std::string(name_of(before)) + " -> " + std::string(name_of(word)),
         now);
}

// ---- what is read again ----

void RulesChanges::reload(const Operator& by) {
  if (process_.is_stopping.load(std::memory_order_acquire))
    return host_.complete(by.place, {.refusal = Verdict::shutting_down});
  if (reloads_.size() >= bounds::changes_under_way_max)
    return host_.complete(by.place, {.refusal = Verdict::overloaded});
  const std::string who(admin_text(by.who));
  reloads_.push_back({by.place, who, process_.reload.ask(who)});
}

// Those who asked before the files were read hear what came of it.
void RulesChanges::take_reload() {
  const std::shared_ptr<const Reload> taken = process_.reload.take();
  if (!taken) return;
  Change change{.what = "reload " + taken->what};
  std::vector<std::string> askers;
  std::erase_if(reloads_, [&](const AskedReload& asked) {
    if (asked.number > taken->asked) return false;
    askers.push_back(asked.who);
    change.places.push_back(asked.place);
    return true;
  });
  change.who = askers.empty() ? "SIGHUP" : names_of(std::move(askers));
  if (process_.is_stopping.load(std::memory_order_acquire)) {
    for (const ReplyTo place : change.places)
      host_.complete(place, {.refusal = Verdict::shutting_down});
    return;
  }
  process_.reload.count(taken->problem.empty());
  if (!taken->problem.empty()) {
    for (const ReplyTo place : change.places) host_.complete(place, not_reloaded(taken->problem));
    return;
  }
  if (taken->keys) {
    process_.keys.store(taken->keys);
    process_.keys_number.fetch_add(1, std::memory_order_release);
  }
  if (taken->operators) process_.operators.store(taken->operators);
  door::Rules next = *process_.rules.load();
  if (taken->change_rules) taken->change_rules(next);
  if (taken->change_levers) take_levers(taken->change_levers, next, change);
  change.rules_number = process_.publish_rules(std::move(next));
  change.is_published = true;
  if (taken->catalog) host_.take_catalog(taken->catalog, change.who);
  change.reload = taken;
  changes_.push_back(std::move(change));
}

// When all of it is in force.
std::string RulesChanges::reload_json(const Reload& taken) const {
  static const LeftOfCatalog kNothingLeft;
  const LeftOfCatalog& left = taken.catalog ? host_.left_of_catalog() : kNothingLeft;
  std::vector<std::string> needs_restart = taken.needs_restart;
  needs_restart.insert(needs_restart.end(), left.needs_start.begin(), left.needs_start.end());
  std::string json = "{\"reloaded\":";
  append_quoted(taken.what, json);
  json += ",\"needs_restart\":";
  append_list(needs_restart, json);
  json += ",\"refused\":";
  append_list(left.refused, json);
  return json += '}';
}

// Levers are changed as one value: those of operators that are on their way to the disk get the same change.
void RulesChanges::take_levers(const std::function<void(Levers&)>& change_levers, door::Rules& next,
                               Change& change) {
  const Levers before = levers();
  Levers after = before;
  change_levers(after);
  for (Change& pending : changes_)
    if (pending.levers && !pending.is_published) change_levers(*pending.levers);
  next.limits = after.door;
  process_.lease_max.store(after.lease_max, std::memory_order_relaxed);
  process_.drain_lag_max.store(after.drain_lag_max, std::memory_order_relaxed);
  for (const std::string& words : lever_changes(before, after)) change.what += ", " + words;
}

// ---- what is told ----

std::string RulesChanges::blocked_page(const BlockSubject& after) const {
  const door::SharedBlockList file = process_.rules.load()->blocked.file;
  std::string json = "{\"file\":{\"users\":" + std::to_string(file ? file->users() : 0) +
                     ",\"addresses\":" + std::to_string(file ? file->networks() : 0) +
                     "},\"words\":[";
  auto word = state_.block_words().upper_bound({after.is_network, after.text});
  for (uint32_t count = 0; count < bounds::blocked_per_page && word != state_.block_words().end();
       ++count, ++word) {
    if (count > 0) json += ',';
    json += word_json(word->first.first, word->first.second, word->second) + '}';
  }
  json += ']';
  if (word == state_.block_words().end()) return json += '}';
  const auto& [is_network, text] = std::prev(word)->first;
  json += is_network ? ",\"after_address\":" : ",\"after_user\":";
  append_quoted(text, json);
  return json += '}';
}

std::string RulesChanges::blocked_json(const BlockSubject& subject) const {
  const door::Blocked& blocked = process_.rules.load()->blocked;
  const std::optional<door::Network> network =
      subject.is_network ? door::parse_network(subject.text) : std::nullopt;
  const bool is_blocked = network ? blocked.has_address(*network) : blocked.has_user(subject.text);
  return word_json(subject.is_network, subject.text, word_on(subject)) +
         (is_in_file(subject) ? ",\"file\":true" : ",\"file\":false") +
         (is_blocked ? ",\"blocked\":true}" : ",\"blocked\":false}");
}

// ---- the steps ----

void RulesChanges::turn(Moment now) {
  take_reload();
  wants_turn_ = false;
  if (changes_.empty()) return;
  publish_durable();
  for (Change& change : changes_) advance(change, now);
  std::erase_if(changes_, [](const Change& change) { return change.is_done; });
}

// In the order of their records, as one value.
void RulesChanges::publish_durable() {
  const auto is_due = [&](const Change& change) {
    return !change.is_published && host_.durable() >= change.lsn;
  };
  if (std::ranges::none_of(changes_, is_due)) return;
  door::Rules next = *process_.rules.load();
  for (const Change& change : changes_) {
    if (!is_due(change)) continue;
    if (change.change) change.change(next);
    if (!change.levers) continue;
    next.limits = change.levers->door;
    process_.lease_max.store(change.levers->lease_max, std::memory_order_relaxed);
    process_.drain_lag_max.store(change.levers->drain_lag_max, std::memory_order_relaxed);
  }
  const uint64_t number = process_.publish_rules(std::move(next));
  for (Change& change : changes_) {
    if (!is_due(change)) continue;
    change.rules_number = number;
    change.is_published = true;
  }
}

void RulesChanges::advance(Change& change, Moment now) {
  if (change.lsn == 0 && host_.has_room()) record(change, change.what, now);
  const bool waits_for_items = change.reload && change.reload->catalog && host_.is_taking_catalog();
  if (change.lsn == 0 || waits_for_items) wants_turn_ = true;
  change.is_done = change.lsn != 0 && host_.durable() >= change.lsn && change.is_published &&
                   process_.have_taken_rules(change.rules_number);
  change.is_done = change.is_done && !waits_for_items;
  if (!change.is_done) return;
  if (change.reload) change.answer.body = reload_json(*change.reload);
  for (const ReplyTo place : change.places) host_.complete(place, change.answer);
}

}  // namespace stampede::shard
