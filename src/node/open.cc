// Node::open(): from a directory to shards that have not turned yet. Its order is law: everything is looked at and all that is
// needed is opened (listeners, the access log) before the first write, and nothing is sold before everything that can refuse has
// agreed. So a start that is refused has left the directory as it was, but for the lock, and the operator corrects a flag and
// starts again.
//
// What may still end it behind the first write is what cannot be known in front of it:
//
//   a file that cannot be written                        as in any moment of the sale
//   a change of the number of shards whose rows the      the logs are at their end by then, and rows that were written stay; what
//   database does not take                               is new of the directory, its next generation, is not begun
//   a node that agrees with others on stock or terms     between look_ahead() and the registry's own answer another one was quicker
//   a database that was away and answers now             reconcile_database(): it may contradict
//   a database that cannot be written, behind a loss     its position must pass the lost records before others take their places
#include <unordered_map>

#include "base/diag.h"
#include "base/hash.h"
#include "base/words.h"
#include "cluster/postgres_registry.h"
#include "net/listener.h"
#include "node/node.h"
#include "node/offline_logs.h"
#include "node/products.h"
#include "node/reshard.h"
#include "node/sequence_floor.h"
#include "node/witness.h"

namespace stampede::node {
namespace {

// With a database that is busy when it must have everything.
constexpr int64_t kDrainPatienceNs = 10 * kSecond;
// With one that must take the position behind a loss.
constexpr int64_t kLossPatienceNs = 3 * kSecond;
constexpr std::chrono::milliseconds kDrainPause{bounds::drain_gather_ms};
// What the directory's secret is asked for the table of addresses; no user has this name.
constexpr std::string_view kAddressSecret = "addresses of clients";

std::string access_log_complaint(const Error& error) {
  return "--access-log: " + error.message;
}

}  // namespace

MayEnd Node::open() {
  Findings findings;
  if (MayEnd end = look(findings)) return end;
  const Verdict verdict = judge(findings.evidence);
  if (verdict.course == Course::refuse) return findings.ending_of(verdict);
  for (const std::string& line : findings.lost) notices_.note("lost: %s", line.c_str());
  if (MayEnd end = plan_items()) return end;
  has_lost_ = verdict.course == Course::go_on_after_loss;
  if (has_lost_)
    if (MayEnd end = look_behind_loss()) return end;
  if (MayEnd end = open_listeners()) return end;
  if (MayEnd end = open_access_log()) return end;

  // The first write of the start.
  if (MayEnd end = write_verdict()) return end;
  if (verdict.course == Course::deal_out_anew)
    if (MayEnd end = change_shard_count()) return end;
  if (settings_.redis)
    if (MayEnd end = agree_with_others()) return end;
  if (has_lost_)
    if (MayEnd end = go_on_after_loss()) return end;
  if (MayEnd end = reconcile_database()) return end;
  if (MayEnd end = make_helpers()) return end;
  if (verdict.course != Course::deal_out_anew) remove_old_generations();
  if (MayEnd end = make_shards()) return end;
  start_answers_.reset();
  return std::nullopt;
}

MayEnd Node::check() {
  if (settings_.database.kind != drain::DatabaseUrl::Kind::none)
    if (const auto positions = machine_.look_at_positions(settings_.database);
        !positions && !positions.error().is_damage)
      return ending(kExitFailure, "--db: " + positions.error().message);
  Findings findings;
  if (MayEnd end = look(findings)) return end;
  const Verdict verdict = judge(findings.evidence);
  if (verdict.course == Course::refuse) return findings.ending_of(verdict);
  for (const std::string& line : findings.lost) notices_.note("lost: %s", line.c_str());
  if (Status disk = orderlog::check_directory(data_.dir(), settings_.durability); !disk)
    return ending(disk.error());
  if (MayEnd end = merge_items()) return end;
  if (settings_.redis)
    if (MayEnd end = join_.look_at_others(data_, items_, notices_)) return end;
  return check_places();
}

// ---- look

// The nodes before the database: held against another directory's rows, this one's log would seem damaged.
MayEnd Node::look(Findings& findings) {
  const FreshData fresh{.node = settings_.node,
                        .shard_count = settings_.shard_count,
                        .segment_bytes = settings_.segment_bytes};
  if (MayEnd end = data_.open_to_serve(fresh, findings)) return end;
  // Whose streams would they be?
  if (judge_identity(findings.evidence).course == Course::refuse) return std::nullopt;
  findings.evidence.accepts_loss = settings_.accepts_loss;
  findings.evidence.is_resharded = data_.stream_count() != settings_.shard_count;
  findings.say(
      Reason::reshard_after_loss,
      "a loss and another number of shards are two starts: accept the loss with --shards " +
          std::to_string(data_.stream_count()) + " first");
  if (settings_.redis) join_.refuse_stranger(data_, settings_.node, findings);
  if (judge_identity(findings.evidence).course == Course::refuse) return std::nullopt;
  return restore(findings);
}

MayEnd Node::restore(Findings& findings) {
  if (!is_looking())
    start_answers_ =
        machine_.answer_while_starting(settings_.admin, settings_.passed.admin, data_.progress());
  const DatabaseWitness database(machine_, settings_.database);
  const int64_t began_ns = clock_.now().boot_ns;
  if (MayEnd end = data_.restore({.witnesses = database.of_streams(data_),
                                  .order_cells = order_cells(data_.stream_count()),
                                  .accepts_loss = settings_.accepts_loss},
                                 findings))
    return end;
  const double seconds = static_cast<double>(clock_.now().boot_ns - began_ns) / kSecond;
  database.compare(data_, findings);
  if (!settings_.redis && has_shared_before(data_)) {
    findings.evidence.ledger = LedgerState::left;
    findings.say(Reason::ledger_left, data_.dir() +
                                          " shares its stock with other nodes through Redis: "
                                          "start it with --ledger as before");
  }
  note_recovery(seconds);
  // What the streams hold together is judged when each of them is whole.
  if (settings_.redis || judge(findings.evidence).course == Course::refuse) return std::nullopt;
  if (const MadeBook made = make_book(data_); !made.book) {
    findings.evidence.log = Log::impossible;
    findings.say(Reason::log_impossible, "item " + made.oversold + ": the logs in " + data_.dir() +
                                             " hold more units than were ever supplied");
  }
  return std::nullopt;
}

void Node::note_recovery(double seconds) {
  uint64_t records = 0, orders = 0;
  for (const RestoredStream& stream : data_.streams()) {
    records += stream.records;
    orders += stream.state->orders_live();
    if (stream.report.outcome == orderlog::RecoveryOutcome::torn)
      notices_.note("%s", stream.report.message.c_str());
  }
  if (records > 0)
    notices_.note("recovered %s in %s: %s in memory", counted(records, "record").c_str(),
                  duration_text(static_cast<uint64_t>(seconds * 1e9)).c_str(),
                  counted(orders, "order").c_str());
}

// ---- what is sold

std::unique_ptr<cluster::Registry> Node::make_registry() const {
  const bool is_shared = settings_.database.kind == drain::DatabaseUrl::Kind::postgres;
  if (!settings_.redis || !is_shared) return nullptr;
  if (is_looking())
    return std::make_unique<cluster::PostgresRegistry>(
        settings_.database.url, postgres::Options{.server = postgres::Server::primary});
  return machine_.make_registry(settings_.database);
}

MayEnd Node::plan_items() {
  if (MayEnd end = merge_items()) return end;
  say_what_operators_left();
  name_items(data_, item_names_);
  for (const stock::ItemTerms& terms : items_.new_items) item_names_.set(terms.id, terms.code);
  return settings_.redis ? join_.look_ahead(data_, items_) : std::nullopt;
}

// What they did before this start and still holds; their levers do not.
void Node::say_what_operators_left() {
  size_t blocked = 0, exempt = 0, paused = 0;
  for (const auto& [about, word] : data_.streams()[0].state->block_words())
    ++(word == orderlog::BlockWord::exempt ? exempt : blocked);
  for (const stock::RegisteredItem& item : data_.items())
    paused += item.terms.is_paused && !item.terms.is_ended;
  if (blocked + exempt > 0)
    notices_.note("operators' words hold on: %zu blocked, %zu exempt (GET /admin/blocked)", blocked,
                  exempt);
  if (paused > 0)
    notices_.note("%s as operators left them (POST /admin/items/{code}/resume)",
                  counted(paused, "item is paused", "items are paused").c_str());
}

MayEnd Node::merge_items() {
  if (MayEnd end = name_products()) return end;
  const ItemIds to_end = forgotten_and_over(data_.streams(), clock_.now().wall_ms());
  Result<ItemPlan> plan = merge_catalog(data_.items(), to_end, catalog_, notices_);
  if (!plan) {
    const std::string file = settings_.catalog_file.empty() ? "" : settings_.catalog_file + ": ";
    return ending(Error{"--catalog: " + file + plan.error().message}, kExitUsage);
  }
  items_ = std::move(*plan);
  return look_at_terms();
}

MayEnd Node::name_products() {
  std::span<const door::Key> keys;
  if (settings_.keys) keys = settings_.keys->codes;
  ProductCodes codes = codes_of(data_.items());
  if (!join_.is_solo()) {
    const auto of_other_keys = add_shared_codes(settings_.catalog, keys, join_.registry(), codes);
    if (!of_other_keys)
      return ending(kExitFailure, "new products need the database that the nodes share: " +
                                      of_other_keys.error().message);
    warn_of_other_keys(*of_other_keys);
  }
  catalog_ = settings_.catalog;
  if (Status given = give_codes(catalog_, std::move(codes), keys); !given)
    return ending(Error{"--catalog: " + given.error().message}, kExitUsage);
  return std::nullopt;
}

// What the items that are sold from now on need beside their stock: keys, and lists of users.
MayEnd Node::look_at_terms() {
  std::unordered_map<ItemId, const stock::ItemTerms*> sold;
  for (const stock::RegisteredItem& item : data_.items()) sold[item.terms.id] = &item.terms;
  for (const stock::ItemTerms& terms : items_.changed) sold[terms.id] = &terms;
  for (const stock::ItemTerms& terms : items_.new_items) sold[terms.id] = &terms;
  for (const auto& [id, terms] : sold) {
    if (terms->is_ended) continue;
    keys_needed_ |= shard::kinds_needed(*terms);
    if (!terms->enrolled.empty()) enrolled_files_.emplace(terms->enrolled.view());
  }
  const std::string_view lack = shard::lack_of(settings_.keys.get(), keys_needed_);
  if (!lack.empty()) return ending(Error{std::string(lack)}, kExitUsage);
  Result<std::shared_ptr<const door::Enrolments>> read = read_enrolments();
  if (!read) return ending(Error{"enrolled: " + read.error().message}, kExitUsage);
  enrolments_ = std::move(*read);
  for (const auto& [file, users] : *enrolments_)
    notices_.note("%s: %s, %s", file.c_str(), counted(users->size(), "user").c_str(),
                  size_text(users->bytes()).c_str());
  return std::nullopt;
}

// ---- behind a loss

// Orders that the log no longer knows are in the database or with their buyers: their numbers may not be given again.
MayEnd Node::look_behind_loss() {
  uint64_t newest = data_.sequence_max();
  if (settings_.database.kind != drain::DatabaseUrl::Kind::none) {
    const Result<OrderId> order = machine_.look_at_newest_order(settings_.database, settings_.node);
    if (!order) return ending(order.error());
    newest = std::max(newest, order->sequence());
  }
  const std::optional<uint64_t> floor = sequence_floor(newest, clock_.now().wall_ns);
  if (!floor)
    return ending(kExitFailure, "the numbers of orders are used up: order " +
                                    std::to_string(newest) + " was given");
  sequence_floor_ = *floor;
  return std::nullopt;
}

// ---- where it listens and writes

// Of a start that would open them itself.
MayEnd Node::check_places() const {
  const net::PassedSockets& passed = settings_.passed;
  if (passed.listen.empty() && !settings_.will_be_passed)
    if (Status free = net::check_address(settings_.listen); !free) return ending(free.error());
  if (passed.admin.empty() && !settings_.will_be_passed)
    if (Status free = net::check_address(settings_.admin); !free) return ending(free.error());
  if (settings_.access_log.empty()) return std::nullopt;
  if (Status writable = shard::AccessLog::check(settings_.access_log); !writable)
    return ending(kExitUsage, access_log_complaint(writable.error()));
  return std::nullopt;
}

// From here on whoever asks how far the start is asks at the listener that stays.
MayEnd Node::open_listeners() {
  start_answers_.reset();
  const auto open = [&](const net::Address& address, const std::vector<net::Socket>& passed,
                        uint32_t count) {
    return passed.empty() ? machine_.open_listeners(address, count)
                          : net::share_listeners(passed, count);
  };
  Result<std::vector<net::Socket>> opened =
      open(settings_.listen, settings_.passed.listen, settings_.shard_count);
  if (!opened) return ending(opened.error());
  listeners_ = *opened;
  opened = open(settings_.admin, settings_.passed.admin, 1);
  if (!opened) return ending(opened.error());
  admin_listeners_ = *opened;
  start_answers_ =
      machine_.answer_while_starting(settings_.admin, admin_listeners_, data_.progress());
  return std::nullopt;
}

// Behind a hand-over nobody sells any more if this one does not: then a line is less than the sale.
MayEnd Node::open_access_log() {
  process_ = std::make_unique<shard::Process>(
      settings_.shard_count, keyed_hash(data_.manifest().hash_key, kAddressSecret));
  if (settings_.access_log.empty()) return std::nullopt;
  process_->access_sample = settings_.access_sample;
  auto log = shard::AccessLog::open(settings_.access_log, settings_.shard_count);
  if (log) {
    process_->access_log = std::move(*log);
    return std::nullopt;
  }
  if (!settings_.passed.is_hand_over())
    return ending(kExitUsage, access_log_complaint(log.error()));
  diag::warning("%s; its lines are lost until SIGUSR1 opens it",
                access_log_complaint(log.error()).c_str());
  process_->access_log =
      shard::AccessLog::without_file(settings_.access_log, settings_.shard_count);
  return std::nullopt;
}

// ---- write

MayEnd Node::write_verdict() {
  Result<orderlog::DiskPlan> plan = machine_.plan_disk(data_.dir(), settings_.durability);
  if (!plan) return ending(plan.error());
  disk_plan_ = *plan;
  notices_.note("%s", disk_plan_.description.c_str());
  // A shared ledger must tell this process from those before it.
  if (Status begun = data_.begin({.raises_boot = settings_.redis.has_value(),
                                  .has_lost = has_lost_,
                                  .sequence_floor = sequence_floor_});
      !begun)
    return ending(begun.error());
  if (Status repaired = data_.repair(); !repaired) return ending(repaired.error());
  sink_ = machine_.make_sink(settings_.database);
  return std::nullopt;
}

// The slots are dealt out anew: first everything of the old streams goes into the database, because their positions mean
// nothing afterwards; then the new streams begin with snapshots, and the manifest decides in one rename which are valid.
MayEnd Node::change_shard_count() {
  notices_.note("the data was written by %s and is now dealt out to %u",
                counted(data_.stream_count(), "shard").c_str(), settings_.shard_count);
  if (MayEnd end = drain_before_change()) return end;
  std::vector<std::unique_ptr<stock::StreamState>> states;
  std::vector<orderlog::Position> ends;
  for (RestoredStream& stream : data_.streams()) {
    states.push_back(std::move(stream.state));
    ends.push_back(stream.report.end);
  }
  orderlog::Manifest next =
      orderlog::next_generation(data_.manifest(), settings_.shard_count, ends);
  const uint32_t cells = order_cells(next.shard_count);
  uint64_t orders = 0;
  for (const auto& state : states) orders += state->orders_live();
  data_.progress().begin("dealing the orders out to the shards", orders);
  const Status dealt =
      reshard(states, data_.dir(), next, cells, data_.boot_id(), &data_.progress());
  data_.progress().end();
  if (!dealt) return ending(dealt.error());
  states.clear();
  if (Status switched = data_.switch_to(next); !switched) return ending(switched.error());
  return data_.restore(cells);
}

MayEnd Node::drain_before_change() {
  if (sink_ == nullptr) return std::nullopt;
  const DrainStreams streams(data_);
  drain::Drainer drainer(*sink_, item_names_, clock_, streams.all(), data_.manifest().ended);
  const drain::Drainer::Finding finding = drainer.reconcile();
  if (finding.agreement == drain::Drainer::Agreement::contradicts)
    return ending(kExitLogDamaged, finding.message);
  data_.progress().begin("writing rows before the number of shards changes",
                         streams.records_left());
  if (finding.agreement == drain::Drainer::Agreement::agrees)
    (void)drainer.drain_now(
        kDrainPatienceNs, [&] { data_.progress().set_done(drainer.stats().records.load()); },
        [this] { machine_.pause(kDrainPause); });
  data_.progress().end();
  if (drainer.is_drained()) return std::nullopt;
  return ending(kExitFailure,
                "the number of shards cannot change before the database has everything: " +
                    (finding.message.empty() ? drainer.problem() : finding.message) +
                    "; start with --shards " + std::to_string(data_.stream_count()) +
                    " or bring the database back");
}

MayEnd Node::agree_with_others() {
  if (MayEnd end = join_.agree_on_supply(data_, items_, notices_)) return end;
  return join_.agree_on_terms(data_, items_, notices_);
}

// What lost orders bought may not be sold again before somebody has looked: every item is paused. All of it is durable before the
// position in the database moves behind the lost records. So it moves to a place that this log alone has: where the directory is
// changed for a copy that has those records, the database is either still where it was, or of another history.
MayEnd Node::go_on_after_loss() {
  pause_all(data_.items(), items_);
  notices_.note(
      "%s: compare with `stampede audit`, withdraw what was lost with a restock, then resume",
      counted(items_.changed.size() + items_.new_items.size(), "item is paused", "items are paused")
          .c_str());
  OfflineLogs logs(data_, machine_);
  if (MayEnd end = logs.open(disk_plan_)) return end;
  for (uint32_t i = 0; i < data_.stream_count(); ++i)
    if (MayEnd end = logs.append(i, {orderlog::SequenceFloor{sequence_floor_}})) return end;
  for (const stock::ItemTerms& terms : items_.changed)
    if (MayEnd end = logs.append(0, {stock::record_of(terms)})) return end;
  for (size_t i = 0; i < items_.new_items.size(); ++i)
    if (MayEnd end =
            logs.append(0, {stock::record_of(items_.new_items[i]), supply_record(items_, i)}))
      return end;
  if (MayEnd end = logs.await_durable()) return end;
  data_.go_on_from(logs.ends());
  items_ = {};
  return std::nullopt;
}

// Once more, by the drainer, which goes on from there; the verdict rests on the same comparison.
MayEnd Node::reconcile_database() {
  process_->has_database = sink_ != nullptr;
  if (sink_ == nullptr) return std::nullopt;
  std::vector<orderlog::Marks*> marks;
  for (uint32_t i = 0; i < settings_.shard_count; ++i) {
    marks.push_back(process_->marks[i].get());
    marks.back()->start_at(data_.streams()[i].report.last_lsn);
  }
  drain_streams_ = std::make_unique<DrainStreams>(data_, marks);
  drainer_ = std::make_unique<drain::Drainer>(*sink_, item_names_, clock_, drain_streams_->all(),
                                              data_.manifest().ended);
  drainer_->set_on_rate(
      [this](uint32_t per_second) { process_->order_rates.set_measured(per_second); });
  // Nobody is to wait for a standby that is gone: rows follow when it has confirmed.
  const auto patience = has_lost_ ? drain::Patience::full : drain::Patience::brief;
  drain::Drainer::Finding finding = drainer_->reconcile(has_lost_, patience);
  // What passes by itself, a short lock or a lost answer, is not worth another start.
  const int64_t until_ns = clock_.boot_ns() + kLossPatienceNs;
  while (has_lost_ && finding.agreement == drain::Drainer::Agreement::unavailable &&
         clock_.boot_ns() < until_ns) {
    machine_.pause(kDrainPause);
    finding = drainer_->reconcile(has_lost_, patience);
  }
  if (finding.agreement == drain::Drainer::Agreement::contradicts)
    return ending(kExitLogDamaged, finding.message);
  if (finding.agreement != drain::Drainer::Agreement::unavailable) return std::nullopt;
  // The position must be behind the lost records, durably, before new ones take their places: the next start, which no longer knows of
  // the loss, would take the new for lost and pass over their rows. Nothing has been sold, and the manifest has the loss still.
  if (has_lost_)
    return ending(kExitFailure,
                  finding.message + ": a loss can be accepted when the database can be written");
  diag::warning("%s; selling goes on, rows follow when it answers", finding.message.c_str());
  return std::nullopt;
}

// ---- shards

MayEnd Node::make_helpers() {
  process_->slow_turn_ns = settings_.slow_turn_ns;
  process_->drain_lag_max = settings_.drain_lag_max;
  process_->lease_max = settings_.lease_max;
  process_->connections_max = settings_.connections_max;
  CHECK(process_->reload.need(keys_needed_));
  if (settings_.keys) replace_keys(settings_.keys);
  process_->operators.store(settings_.operators);
  door::Rules rules = settings_.rules;
  rules.blocked.operators = shard::block_list_of(data_.streams()[0].state->block_words());
  rules.enrolments = enrolments_;
  (void)process_->publish_rules(std::move(rules));
  std::vector<orderlog::StreamFiles> files;
  for (uint32_t i = 0; i < settings_.shard_count; ++i) {
    files.push_back(data_.files(i));
    // From its first turn on the shard keeps it up to date.
    process_->metrics[i]->image_bytes.set(data_.streams()[i].state->image_bytes());
  }
  snapshotter_ = std::make_unique<Snapshotter>(
      files, data_.manifest().hash_key, order_cells(settings_.shard_count), data_.boot_id(),
      [this](uint32_t stream) { return process_->metrics[stream]->image_bytes.get(); });
  keeper_ = std::make_unique<orderlog::SegmentKeeper>(disk_plan_.open_flags,
                                                      machine_.segment_maker(), snapshotter_.get());
  for (uint32_t i = 0; i < settings_.shard_count; ++i) {
    const RestoredStream& stream = data_.streams()[i];
    segments_.push_back(
        &keeper_->add(files[i], stream.report.end.segment, stream.snapshot_segment));
  }
  if (Status opened = keeper_->open(); !opened) return ending(opened.error());
  std::vector<orderlog::Position> ends;
  for (const RestoredStream& stream : data_.streams()) ends.push_back(stream.report.end);
  if (Status noted = data_.note_log_ends(ends); !noted) return ending(noted.error());
  return std::nullopt;
}

// A start has recovered the present generation from the disk: the earlier ones have served.
void Node::remove_old_generations() {
  const Result<uint32_t> removed =
      orderlog::remove_generations_before(data_.dir(), data_.manifest());
  if (!removed)
    diag::warning("%s; the logs of earlier numbers of shards stay",
                  removed.error().message.c_str());
  else if (*removed > 0)
    notices_.note("removed the logs of %s of shards", counted(*removed, "earlier number").c_str());
}

std::unique_ptr<Ledgers> Node::make_ledgers() {
  if (settings_.redis)
    return std::make_unique<SharedLedgers>(data_, join_, settings_, *process_, machine_);
  return std::make_unique<EmbeddedLedgers>(data_, items_, process_->ledger);
}

MayEnd Node::make_shards() {
  ledgers_ = make_ledgers();
  const uint64_t sequence_max = std::max(sequence_floor_, data_.sequence_max());
  for (uint32_t i = 0; i < settings_.shard_count; ++i)
    if (MayEnd end = make_shard(i, sequence_max)) return end;
  turns_seen_.resize(settings_.shard_count);
  slow_turns_told_.resize(settings_.shard_count);
  ledgers_->complete();
  return std::nullopt;
}

MayEnd Node::make_shard(uint32_t index, uint64_t sequence_max) {
  auto parts = std::make_unique<Parts>();
  const net::Socket preferred = index == 0 ? admin_listeners_[0] : net::kNoSocket;
  net::Net& net = *nets_.emplace_back(machine_.make_net(descriptors_, preferred));
  Result<std::unique_ptr<orderlog::Disk>> disk = machine_.make_disk(disk_plan_);
  if (!disk) return ending(disk.error());
  const RestoredStream& stream = data_.streams()[index];
  parts->disk = std::move(*disk);
  parts->writer =
      std::make_unique<orderlog::Writer>(data_.files(index), stream.report.end, data_.boot_id(),
                                         *parts->disk, *segments_[index], *process_->marks[index]);
  ledger::Ledger& ledger = ledgers_->add(net);
  parts->catalog = make_catalog();
  if (index == 0 && parts->catalog->filter_bytes() > 0)
    notices_.note("filter over codes: %s a shard",
                  size_text(parts->catalog->filter_bytes()).c_str());
  parts->shard = std::make_unique<shard::Shard>(
      settings_of(index, ledger.group_count()), *process_, clock_, net, *parts->disk,
      *parts->writer, *segments_[index], ledger, *stream.state, *parts->catalog, sequence_max);
  for (const LedgerNews& news : ledgers_->first_news())
    parts->shard->desk().take_news(news, clock_.now());
  parts_.push_back(std::move(parts));
  return std::nullopt;
}

std::unique_ptr<stock::Catalog> Node::make_catalog() const {
  const size_t items = data_.items().size() + items_.new_items.size();
  auto catalog =
      std::make_unique<stock::Catalog>(data_.manifest().hash_key, settings_.bloom_rate, items);
  for (const stock::RegisteredItem& item : data_.items()) catalog->upsert(item.terms);
  for (const stock::ItemTerms& terms : items_.new_items) catalog->upsert(terms);
  for (const stock::ItemTerms& terms : items_.changed) catalog->upsert(terms);
  return catalog;
}

shard::ShardSettings Node::settings_of(uint32_t index, uint32_t group_count) const {
  const std::vector<int>& cpus = settings_.cpus;
  return {.shard = index,
          .node = settings_.node,
          .cpu = cpus.empty() ? -1 : cpus[index % cpus.size()],
          .connections = {.shard = index, .origins = settings_.origins},
          .api = {.node = settings_.node,
                  .hash_key = data_.manifest().hash_key,
                  .by_ticket = settings_.by_ticket},
          .desk = {.node = settings_.node,
                   .shard = index,
                   .shard_count = settings_.shard_count,
                   .group_count = group_count,
                   .lease_max = settings_.lease_max,
                   .orders_max = orders_max_per_shard(settings_.shard_count),
                   .retain_ms = settings_.retain_ms}};
}

}  // namespace stampede::node
