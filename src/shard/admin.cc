#include "shard/admin.h"

#include <algorithm>

#include "base/diag.h"
#include "base/words.h"
#include "http/fields.h"
#include "shard/admin_json.h"
#include "shard/turns_text.h"
#include "stock/sale_state.h"

namespace stampede::shard {
namespace {

constexpr int64_t kObserveEveryNs = 10 * kMillisecond;
constexpr const char* kNoStore = "Cache-Control: no-store\r\n";

// The records of the largest change: an item, its supply and who did it.
constexpr size_t kChangeBytes = 3 * bounds::record_bytes_max;

void add(std::string& json, std::string_view name, uint64_t value) {
  json.append(",\"").append(name).append("\":").append(std::to_string(value));
}

std::string shard_json(const Process& process, uint32_t shard) {
  const orderlog::Marks& marks = *process.marks[shard];
  const Metrics& metrics = *process.metrics[shard];
  // Each mark is read before the one that stands above it, so that their order holds in what is
  // told.
  const Lsn drained = marks.drained.get();
  const Lsn acked = marks.acked.get();
  const Lsn durable = marks.durable.get();
  const Lsn appended = marks.appended.get();
  std::string json = "{\"shard\":" + std::to_string(shard);
  add(json, "appended", appended);
  add(json, "durable", durable);
  add(json, "acked", acked);
  add(json, "drained", drained);
  add(json, "connections", metrics.connections_open.get());
  add(json, "orders", metrics.orders_live.get());
  add(json, "orders_max", metrics.orders_max.get());
  add(json, "waiting", metrics.requests_waiting.get());
  add(json, "segments_ready", metrics.segments_ready.get());
  return json += '}';
}

std::string drainer_json(const DrainStatus& drain, uint64_t lag_records, int64_t lag_ms) {
  std::string json = drain.has_database ? "{\"database\":true" : "{\"database\":false";
  add(json, "lag_records", lag_records);
  add(json, "lag_ms", static_cast<uint64_t>(lag_ms));
  add(json, "rows", drain.rows);
  add(json, "rejected", drain.rejected);
  add(json, "retries", drain.retries);
  add(json, "completions", drain.completions);
  json += ",\"problem\":";
  append_quoted(drain.problem, json);
  return json += '}';
}

// What stands behind "kind".
std::string ledger_json(const LedgerStatus& ledger) {
  std::string json = ledger.is_available ? ",\"available\":true" : ",\"available\":false";
  if (!ledger.is_shared) return json;
  add(json, "epoch", ledger.epoch);
  add(json, "epochs_begun", ledger.epochs_begun);
  add(json, "epochs_joined", ledger.epochs_joined);
  add(json, "calls", ledger.calls);
  add(json, "repeats", ledger.repeats);
  add(json, "disputes", ledger.disputes);
  json += ",\"server\":";
  append_quoted(ledger.server, json);
  json += ",\"problem\":";
  append_quoted(ledger.problem, json);
  json += ",\"missing\":[";
  for (size_t i = 0; i < ledger.missing.size(); ++i)
    json += (i > 0 ? "," : "") + std::to_string(ledger.missing[i]);
  return json += ']';
}

// {"sold_out":12,"rate_limited_user":3}
std::string refused_json(const stock::ItemRefusals& item) {
  std::string json = "{";
  for (unsigned reason = 0; reason < stock::kRefusalReasons; ++reason) {
    if (item.by_reason[reason] == 0) continue;
    const RefusalReason words = words_of(reason);
    if (json.size() > 1) json += ',';
    json.append("\"").append(words.code);
    if (!words.limit.empty()) json.append("_").append(words.limit);
    json.append("\":").append(std::to_string(item.by_reason[reason]));
  }
  return json += '}';
}

}  // namespace

Admin::Admin(Shard& shard, const ledger::OperatorsLink& ledger, Process& process, AdminInfo info,
             DrainView drain_view, LedgerView ledger_view)
    : shard_(shard),
      process_(process),
      info_(std::move(info)),
      drain_view_(std::move(drain_view)),
      ledger_view_(std::move(ledger_view)),
      changes_(*this, shard.state(), shard.catalog(), ledger, process),
      rules_(*this, shard.state(), process),
      audits_(ledger, shard.catalog(),
              [this](ReplyTo place, TextAnswer answer) { complete(place, std::move(answer)); }),
      scrapes_(process,
               [this](ReplyTo place, std::span<const ItemId> items,
                      std::span<const stock::ItemFigures> figures) {
                 complete(place, metrics_of(items, figures));
               }),
      drained_boot_ns_(process.shard_count, shard.now().boot_ns) {}

// ---- requests ----

void Admin::handle(const http::Request& request, ReplyTo place) {
  if (const char* const reason = http::foreign_reason(request, info_.hosts))
    return complete(place, refused(Verdict::forbidden, reason));
  const AdminRoute route = route_admin(request);
  const bool is_probe = route.refusal == Verdict::ok &&
                        (route.kind == AdminKind::health || route.kind == AdminKind::readiness);
  const std::optional<std::string> who = operator_of(request);
  if (!is_probe && !who)
    return complete(place, refused(Verdict::unauthenticated,
                                   "The operators' token is missing or not the right one."));
  if (route.refusal != Verdict::ok)
    return complete(
        place, {.body = std::string(route.reason), .refusal = route.refusal, .allow = route.allow});
  answer(route, request, {.place = place, .who = who.value_or("")});
}

void Admin::answer(const AdminRoute& route, const http::Request& request, const Operator& by) {
  switch (route.kind) {
    case AdminKind::health:
      return complete(by.place, {.headers = kNoStore, .body = "{\"ok\":true}"});
    case AdminKind::readiness:
      return complete(by.place, readiness());
    case AdminKind::describe_server:
      return complete(
          by.place, {.headers = "Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS\r\n", .body = "{}"});
    case AdminKind::metrics:
      return metrics(route, by.place);
    case AdminKind::status: {
      const std::optional<ItemId> first = page_start(route);
      return complete(by.place,
                      first ? status(*first) : TextAnswer{.refusal = Verdict::unknown_item});
    }
    case AdminKind::audit:
      return audit(route, by.place);
    case AdminKind::turns:
      return complete(by.place, turns(route.shard));
    case AdminKind::read_limits:
      return complete(by.place, {.headers = kNoStore, .body = levers_json(rules_.levers())});
    case AdminKind::set_limits:
      return rules_.set_limits(by, request.body, shard_.now());
    case AdminKind::reload:
      return rules_.reload(by);
    case AdminKind::list_blocked:
    case AdminKind::read_blocked:
    case AdminKind::block:
    case AdminKind::unblock:
      return answer_blocked(route, by);
    case AdminKind::put_item:
      return changes_.put(by, route.item, request.body, shard_.now());
    default:
      return answer_item(route, request, by);
  }
}

void Admin::answer_blocked(const AdminRoute& route, const Operator& by) {
  if (route.kind == AdminKind::block) return rules_.block(by, route.subject, shard_.now());
  if (route.kind == AdminKind::unblock) return rules_.unblock(by, route.subject, shard_.now());
  const bool is_list = route.kind == AdminKind::list_blocked;
  complete(by.place, {.headers = kNoStore,
                      .body = is_list ? rules_.blocked_page(route.subject)
                                      : rules_.blocked_json(route.subject)});
}

void Admin::answer_item(const AdminRoute& route, const http::Request& request, const Operator& by) {
  const ItemId item = shard_.catalog().find(route.item);
  if (item == kNoItem) return complete(by.place, {.refusal = Verdict::unknown_item});
  if (route.kind == AdminKind::restock)
    return changes_.restock(by, item, request.body, shard_.now());
  changes_.set_sale(by, route.kind, item, shard_.now());
}

void Admin::audit(const AdminRoute& route, ReplyTo place) {
  const stock::Catalog& catalog = shard_.catalog();
  const bool is_one = !route.item.empty();
  const std::optional<ItemId> first = page_start(route);
  if (!first) return complete(place, {.refusal = Verdict::unknown_item});
  const ItemId end =
      std::min<ItemId>(catalog.id_end(), *first + (is_one ? 1 : bounds::items_per_page));
  if (!audits_.ask(place, *first, end, !is_one && end < catalog.id_end()))
    complete(place, {.refusal = Verdict::overloaded});
}

std::optional<ItemId> Admin::page_start(const AdminRoute& route) const {
  if (route.item.empty() && route.after.empty()) return 0;
  const ItemId named = shard_.catalog().find(route.item.empty() ? route.after : route.item);
  if (named == kNoItem) return std::nullopt;
  return route.item.empty() ? named + 1 : named;
}

// The name under which a change is recorded; nothing: the request may ask nothing.
std::optional<std::string> Admin::operator_of(const http::Request& request) const {
  const door::SharedOperators operators = process_.operators.load();
  if (!operators) return std::string(door::Operators::kLocal);
  const auto name = operators->name_of(http::bearer_token(request.authorization));
  if (!name) return std::nullopt;
  return std::string(*name);
}

// ---- what is told ----

// Why this server should not be sent buyers now.
std::vector<std::string> Admin::reasons_against() const {
  std::vector<std::string> reasons;
  if (process_.is_stopping.load(std::memory_order_relaxed))
    reasons.push_back("the server is stopping");
  const uint32_t running = process_.shards_running.load(std::memory_order_relaxed);
  if (running < process_.shard_count)
    reasons.push_back(std::to_string(running) + " of " +
                      counted(process_.shard_count, "shard is running", "shards are running"));
  for (ReachedLimit& reached : reached_limits(process_))
    reasons.push_back(std::move(reached.words));
  return reasons;
}

TextAnswer Admin::readiness() const {
  const DrainStatus drain = drain_view_();
  std::vector<std::string> warnings;
  if (!drain.problem.empty())
    warnings.push_back("the database is not written to: " + drain.problem);
  if (drain.rejected > 0)
    warnings.push_back("the database has refused " + counted(drain.rejected, "row"));
  warnings.insert(warnings.end(), drain.gaps.begin(), drain.gaps.end());
  // Not a reason to be sent nobody: what is leased sells on, and payments and reads go on.
  if (const LedgerStatus ledger = ledger_view_(); !ledger.problem.empty())
    warnings.push_back("units are not granted: " + ledger.problem);
  return readiness_answer(reasons_against(), warnings);
}

// A server that stops has shards that do not turn any more: they are not waited for.
void Admin::metrics(const AdminRoute& route, ReplyTo place) {
  if (process_.is_stopping.load(std::memory_order_relaxed))
    return complete(place, metrics_of({}, {}));
  std::vector<ItemId> items;
  for (const http::ItemCode& code : route.items) {
    items.push_back(shard_.catalog().find(code));
    if (items.back() == kNoItem) return complete(place, {.refusal = Verdict::unknown_item});
  }
  if (route.items.empty()) items = items_to_show(process_, shard_.catalog().id_end());
  std::ranges::sort(items);
  items.erase(std::ranges::unique(items).begin(), items.end());
  if (!scrapes_.ask(place, std::move(items))) complete(place, {.refusal = Verdict::overloaded});
}

TextAnswer Admin::metrics_of(std::span<const ItemId> items,
                             std::span<const stock::ItemFigures> figures) const {
  std::vector<stock::ItemFigures> shown(figures.begin(), figures.end());
  // The embedded ledger's free units follow from what the shards hold; a shared one's are known by its news alone.
  if (const LedgerStatus ledger = ledger_view_(); !ledger.is_shared)
    for (size_t i = 0; i < shown.size(); ++i) {
      const Units total = shard_.state().items()[items[i]].total();
      shown[i].free = total > shown[i].held ? total - shown[i].held : 0;
    }
  const ServerView view{.version = info_.version,
                        .ledger = info_.ledger,
                        .node = info_.node,
                        .started_wall_ms = info_.started_wall_ms,
                        .is_ready = reasons_against().empty(),
                        .items = shard_.catalog().id_end(),
                        .drain = drain_view_(),
                        .drainer_lag_ms = drainer_lag_ms(),
                        .catalog = &shard_.catalog(),
                        .items_shown = items,
                        .figures = shown,
                        .constants = constants_,
                        .shared_ledger = ledger_view_()};
  return {.content_type = http::kPrometheusText,
          .headers = kNoStore,
          .body = render_metrics(process_, view)};
}

TextAnswer Admin::status(ItemId first) const {
  std::string json = reasons_against().empty() ? "{\"ready\":true" : "{\"ready\":false";
  add(json, "node", info_.node);
  json += ",\"version\":";
  append_quoted(info_.version, json);
  json += ",\"data\":";
  append_quoted(info_.data_dir, json);
  add(json, "uptime_s",
      std::max<int64_t>(0, shard_.now().wall_ms() - info_.started_wall_ms) / 1000);
  uint64_t lag_records = 0;
  json += ",\"shards\":[";
  for (uint32_t shard = 0; shard < process_.shard_count; ++shard) {
    if (shard > 0) json += ',';
    lag_records += lag_records_of(process_, shard);
    json += shard_json(process_, shard);
  }
  json += "],\"ledger\":{\"kind\":";
  append_quoted(info_.ledger, json);
  json += ledger_json(ledger_view_()) +
          "},\"drainer\":" + drainer_json(drain_view_(), lag_records, drainer_lag_ms()) + ",";
  append_items(first, json);
  return {.headers = kNoStore, .body = std::move(json) + "}"};
}

TextAnswer Admin::turns(uint32_t shard) const {
  if (shard >= process_.shard_count)
    return refused(Verdict::bad_request, "There is no such shard: this server has " +
                                             counted(process_.shard_count, "shard") +
                                             ", counted from 0.");
  return {.headers = kNoStore,
          .body = turns_json(shard, *process_.turns[shard], process_.slow_turn_ns, shard_.now())};
}

void Admin::append_items(ItemId first, std::string& json) const {
  const stock::Catalog& catalog = shard_.catalog();
  const ItemId end = std::min<ItemId>(catalog.id_end(), first + bounds::items_per_page);
  const std::vector<stock::ItemRefusals> refusals = refusals_of(process_);
  json += "\"items\":[";
  for (ItemId item = first; item < end; ++item) {
    const stock::RegisteredItem& known = shard_.state().items()[item];
    if (item > first) json += ',';
    json += "{\"item\":";
    append_quoted(catalog.code(item), json);
    json += ",\"state\":\"";
    json.append(stock::name_of(stock::state_of(catalog.sale(item), shard_.now().wall_ms()))) += '"';
    add(json, "total", known.total());
    add(json, "supplied", known.supplied);
    add(json, "withdrawn", known.withdrawn);
    const auto refused = std::ranges::find(refusals, item, &stock::ItemRefusals::item);
    if (refused != refusals.end()) json += ",\"refused\":" + refused_json(*refused);
    json += '}';
  }
  json += ']';
  if (end == catalog.id_end()) return;
  json += ",\"next\":";
  append_quoted(catalog.code(end - 1), json);
}

// ---- turns ----

void Admin::take_catalog(SharedEntries entries, std::string_view who) {
  changes_.take_catalog(std::move(entries), who);
}

bool Admin::turn(Moment now) {
  audits_.turn();
  scrapes_.turn();
  changes_.turn(now);
  rules_.turn(now);
  observe_drainer(now);
  limit_watch_.look(now);
  const orderlog::Writer& writer = shard_.writer();
  // A record of this turn stands behind the turn's write: the next turn writes it.
  if (!writer.is_idle() && !writer.is_writing() && !writer.is_blocked())
    shard_.look_again_at(now.boot_ns);
  else if (changes_.wants_turn() || rules_.wants_turn())
    shard_.look_again_at(now.boot_ns + kMillisecond);
  return changes_.has_some() || rules_.has_some() || audits_.has_some() || scrapes_.has_some();
}

// How long the database has been behind is not written down anywhere, but when it last was not can
// be seen.
void Admin::observe_drainer(Moment now) {
  if (now.boot_ns - observed_boot_ns_ < kObserveEveryNs) return;
  observed_boot_ns_ = now.boot_ns;
  for (uint32_t shard = 0; shard < process_.shard_count; ++shard)
    if (lag_records_of(process_, shard) == 0) drained_boot_ns_[shard] = now.boot_ns;
}

int64_t Admin::drainer_lag_ms() const {
  const Moment now = shard_.now();
  int64_t lag_ns = 0;
  for (uint32_t shard = 0; shard < process_.shard_count; ++shard) {
    if (lag_records_of(process_, shard) == 0) continue;
    // Under load a look rarely meets a moment without a lag; then the age of the newest drained
    // batch is the better bound.
    const int64_t drained_wall_ns =
        process_.marks[shard]->drained_wall_ns.load(std::memory_order_relaxed);
    const int64_t since_seen_ns = now.boot_ns - drained_boot_ns_[shard];
    lag_ns = std::max(lag_ns,
                      std::min(since_seen_ns, std::max<int64_t>(0, now.wall_ns - drained_wall_ns)));
  }
  return lag_ns / kMillisecond;
}

// ---- ChangeHost ----

Lsn Admin::append(const orderlog::Record& record) {
  if (const auto* const act = std::get_if<orderlog::Admin>(&record)) tell_act(*act);
  const Lsn lsn = shard_.append(record);
  // What was decided here must follow from the state: anything else would not survive a restart
  // either.
  CHECK(bool(shard_.state().apply(record, lsn, shard_.now())));
  return lsn;
}

// Every operator's act is a record, so here each leaves its line; but of what is read again its reader tells more
// (cmd/reload.h).
void Admin::tell_act(const orderlog::Admin& act) const {
  if (act.what.starts_with("reload ")) return;
  const auto& items = shard_.state().items();
  const std::string item =
      act.item < items.size() ? std::string(items[act.item].terms.code.view()) : std::string();
  const std::string words = std::string(act.who) + ": " + std::string(act.what) +
                            (item.empty() ? "" : " (item " + item + ")");
  diag::line(diag::Level::notice, {{"who", act.who}, {"what", act.what}, {"item", item}}, "%s",
             words.c_str());
}

bool Admin::has_room() const {
  return shard_.writer().room() > bounds::change_room_bytes + kChangeBytes;
}

void Admin::complete(ReplyTo place, TextAnswer answer) {
  shard_.connections().answers().complete(place, std::move(answer));
}

void Admin::publish(const stock::ItemTerms& terms) {
  if (process_.on_terms) process_.on_terms(terms);
  shard_.catalog().upsert(terms);
  shard_.desk().on_new_terms(terms.id);
}

}  // namespace stampede::shard
