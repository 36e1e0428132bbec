#include "node/node.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "base/diag.h"
#include "base/hash.h"
#include "base/thread.h"
#include "cluster/postgres_registry.h"
#include "cluster/redis_operators.h"
#include "cluster/solo_registry.h"
#include "net/listener.h"
#include "node/reshard.h"
#include "shard/admin_json.h"

namespace stampede::node {
namespace {

constexpr int64_t kDrainAtStopNs = 3 * kSecond;
constexpr int64_t kDrainPatienceNs =
    10 * kSecond;  // with a database that is busy when it must have everything

Ending failure(int exit_code, const std::string& message) {
  return {.exit_code = exit_code, .message = message};
}
Ending failure(const Error& error) {
  return failure(exit_code_of(error), error.message);
}

// Equal exactly for entries that say the same, whatever their spelling; the stock is not part of it.
uint64_t sum_of(const stock::ItemTerms& entry) {
  const std::string json = stock::terms_json(entry);
  return checksum(std::as_bytes(std::span(json)));
}

}  // namespace

// What one shard is made of, in the order of construction.
struct Node::Seams {
  explicit Seams(net::DescriptorBudget& descriptors) : net(&descriptors) {}

  net::EpollNet net;
  std::unique_ptr<orderlog::Disk> disk;
  std::unique_ptr<orderlog::Writer> writer;
  std::unique_ptr<ledger::Ledger> ledger;
  std::unique_ptr<stock::Catalog> catalog;
  std::unique_ptr<shard::Shard> shard;
};

Node::Node(NodeSettings settings)
    : settings_(std::move(settings)),
      boot_id_(read_boot_id()),
      descriptors_(settings_.connections_max, net::operator_connections) {}

Node::~Node() = default;

template <typename... Args>
void Node::note(const char* format, Args... args) {
  char text[512];
  std::snprintf(text, sizeof text, format, args...);
  notices_.emplace_back(text);
}

uint32_t Node::orders_max_per_shard(uint32_t shard_count) const {
  const uint64_t share = settings_.orders_max / shard_count;
  return static_cast<uint32_t>(std::min<uint64_t>(share, bounds::orders_per_shard_max));
}

// More than a shard takes in by itself: after a change of their number one may have got a larger share.
uint32_t Node::order_cells(uint32_t shard_count) const {
  const uint64_t share = orders_max_per_shard(shard_count);
  return static_cast<uint32_t>(
      std::min<uint64_t>(share + share / 8 + 1024, bounds::orders_per_shard_max));
}

// ---- open ----

std::optional<Ending> Node::open() {
  if (auto ending = open_directory()) return ending;
  sink_ = drain::make_sink(settings_.database);
  // Before log and database are held against each other: of another directory's rows it would hear that its log is damaged.
  if (auto ending = refuse_stranger()) return ending;
  if (auto ending = restore()) return ending;
  if (manifest_.shard_count != settings_.shard_count)
    if (auto ending = change_shard_count()) return ending;
  if (auto ending = merge_catalog()) return ending;
  if (auto ending = agree_on_supply()) return ending;
  if (auto ending = open_listeners()) return ending;
  if (auto ending = agree_on_terms()) return ending;
  if (auto ending = look_into_database()) return ending;
  return make_shards();
}

std::optional<Ending> Node::open_directory() {
  orderlog::LockAttempt attempt = orderlog::lock_directory(settings_.data_dir);
  if (!attempt.lock)
    return failure(attempt.is_in_use   ? kExitDirInUse
                   : attempt.is_damage ? kExitLogDamaged
                                       : kExitFailure,
                   attempt.message);
  lock_ = std::move(attempt.lock);
  Result<std::optional<orderlog::Manifest>> manifest = orderlog::read_manifest(settings_.data_dir);
  if (!manifest)
    return failure(exit_code_of(manifest.error(), kExitUsage), manifest.error().message);
  if (*manifest) {
    manifest_ = **manifest;
    has_lost_ = manifest_.is_loss_pending;
    if (manifest_.node != settings_.node)
      return failure(kExitUsage, settings_.data_dir + " belongs to node " +
                                     std::to_string(manifest_.node) + ": start with --node " +
                                     std::to_string(manifest_.node) + ", or give another --data");
    if (Status whole = orderlog::check_streams(settings_.data_dir, manifest_); !whole)
      return failure(whole.error());
  } else {
    if (Status empty = orderlog::check_new(settings_.data_dir); !empty)
      return failure(empty.error());
    manifest_ =
        orderlog::new_manifest(settings_.node, settings_.shard_count, settings_.segment_bytes);
    if (Status status = orderlog::write_manifest(settings_.data_dir, manifest_); !status)
      return failure(status.error());
  }
  if (settings_.redis) {
    ++manifest_.boot;
    if (Status status = orderlog::write_manifest(settings_.data_dir, manifest_); !status)
      return failure(status.error());
  }
  Result<orderlog::DiskPlan> plan = orderlog::plan_disk(settings_.data_dir, settings_.durability);
  if (!plan) return failure(plan.error());
  disk_plan_ = *plan;
  note("%s", disk_plan_.description.c_str());
  return std::nullopt;
}

// What the database has of each stream: a batch that it has seen was durable, so recovery may not cut it.
std::vector<std::vector<orderlog::Witness>> Node::witnesses() {
  std::vector<std::vector<orderlog::Witness>> witnesses(manifest_.shard_count);
  if (sink_ == nullptr) return witnesses;
  Result<std::vector<drain::StreamPosition>> positions = sink_->positions();
  if (!positions)
    return witnesses;  // it does not answer; the drainer will hold log and database against each other
  for (const drain::StreamPosition& position : *positions) {
    const StreamKey& key = position.stream;
    if (key.node == manifest_.node && key.generation == manifest_.generation &&
        key.shard < manifest_.shard_count)
      witnesses[key.shard].push_back({.name = "database", .lsn = position.position.next_lsn - 1});
  }
  return witnesses;
}

std::vector<Result<RestoredStream>> Node::restore_streams(bool accepts_loss) {
  const std::vector<std::vector<orderlog::Witness>> witnesses = this->witnesses();
  const uint32_t count = manifest_.shard_count;
  std::vector<Result<RestoredStream>> restored;
  for (uint32_t i = 0; i < count; ++i) restored.emplace_back(Error{});
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < count; ++i)
    threads.push_back(start_thread("reading the order log", [&, i] {
      restored[i] =
          restore_stream({.files = orderlog::stream_files(settings_.data_dir, manifest_, i),
                          .hash_key = manifest_.hash_key,
                          .orders_max = order_cells(count),
                          .boot_id = boot_id_,
                          .wall_ns = clock_.now().wall_ns,
                          .witnesses = witnesses[i],
                          .accepts_loss = accepts_loss});
    }));
  for (std::thread& thread : threads) thread.join();
  return restored;
}

std::optional<Ending> Node::restore() {
  const auto began = std::chrono::steady_clock::now();
  std::vector<Result<RestoredStream>> restored = restore_streams(false);
  uint64_t records = 0, orders = 0;
  const auto is_damaged = [](const Result<RestoredStream>& stream) {
    return stream && stream->report.outcome == orderlog::RecoveryOutcome::damaged;
  };
  for (const Result<RestoredStream>& stream : restored)
    if (stream && stream->state->has_overflowed())
      return failure(kExitUsage,
                     "--orders-max " + std::to_string(settings_.orders_max) +
                         ": the data directory holds more orders; start with a higher one");
  if (settings_.accepts_loss && std::any_of(restored.begin(), restored.end(), is_damaged)) {
    for (const Result<RestoredStream>& stream : restored)
      if (is_damaged(stream)) note("lost: %s", stream->report.message.c_str());
    if (auto ending = accept_loss()) return ending;
    restored = restore_streams(true);
  }
  for (Result<RestoredStream>& stream : restored) {
    if (!stream) return failure(stream.error());
    if (is_damaged(stream)) return failure(kExitLogDamaged, stream->report.message);
    if (stream->report.outcome == orderlog::RecoveryOutcome::torn)
      note("%s", stream->report.message.c_str());
    records += stream->records;
    orders += stream->state->orders_live();
    streams_.push_back(std::move(*stream));
  }
  if (Status fits = check_together(streams_); !fits) return failure(fits.error());
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (records > 0)
    note("recovered %lu records in %.3f s: %lu orders in memory", (unsigned long)records, seconds,
         (unsigned long)orders);
  return std::nullopt;
}

// Written before anything is cut: a start that ends between the cut and the records that follow from it (items paused, a
// gap in the numbers of orders) leaves a log in which nothing is wrong, and the next start would sell on.
std::optional<Ending> Node::accept_loss() {
  has_lost_ = true;
  manifest_.format_version = orderlog::kManifestVersion;
  manifest_.is_loss_pending = true;
  for (orderlog::KnownStream& known : manifest_.streams) known.last_lsn = known.chain = 0;
  if (Status status = orderlog::write_manifest(settings_.data_dir, manifest_); !status)
    return failure(status.error());
  return std::nullopt;
}

// Once nothing can prevent the start any more, and again at the end: how far each log reaches.
Status Node::note_log_ends(const std::vector<orderlog::Position>& ends) {
  manifest_.format_version = orderlog::kManifestVersion;
  for (uint32_t i = 0; i < manifest_.shard_count; ++i) {
    orderlog::KnownStream& known = manifest_.streams[i];
    orderlog::note_log_end(known, ends[i]);
    if (!known.begins_with_snapshot || known.first_snapshot_sum != 0) continue;
    // Version 1 did not say which snapshot that is.
    const Result<orderlog::SnapshotFacts> first =
        orderlog::read_snapshot_facts(orderlog::stream_files(settings_.data_dir, manifest_, i), 1);
    if (first) known.first_snapshot_sum = first->sum;
  }
  return orderlog::write_manifest(settings_.data_dir, manifest_);
}

// The slots are dealt out anew: first everything of the old streams goes into the database, because their positions mean
// nothing afterwards; then the new streams begin with snapshots, and the manifest decides in one rename which are valid.
std::optional<Ending> Node::change_shard_count() {
  note("the data was written by %u shards and is now dealt out to %u", manifest_.shard_count,
       settings_.shard_count);
  if (auto ending = drain_before_change(streams_)) return ending;
  orderlog::Manifest next = orderlog::next_generation(manifest_, settings_.shard_count);
  std::vector<std::unique_ptr<stock::StreamState>> states;
  for (RestoredStream& stream : streams_) states.push_back(std::move(stream.state));
  streams_.clear();
  if (Status status =
          node::reshard(states, settings_.data_dir, next, order_cells(next.shard_count), boot_id_);
      !status)
    return failure(status.error());
  states.clear();
  if (Status status = orderlog::write_manifest(settings_.data_dir, next); !status)
    return failure(status.error());
  manifest_ = next;
  return restore();
}

std::optional<Ending> Node::drain_before_change(const std::vector<RestoredStream>& streams) {
  if (sink_ == nullptr) return std::nullopt;
  for (const stock::RegisteredItem& item : streams[0].state->items())
    item_names_.set(item.terms.id, item.terms.code);
  std::vector<std::unique_ptr<orderlog::Marks>> marks;
  std::vector<std::unique_ptr<drain::LogSource>> sources;
  std::vector<drain::Stream> tails;
  for (uint32_t i = 0; i < streams.size(); ++i) {
    marks.push_back(std::make_unique<orderlog::Marks>());
    marks.back()->start_at(streams[i].report.last_lsn);
    sources.push_back(std::make_unique<drain::LogSource>(
        orderlog::stream_files(settings_.data_dir, manifest_, i)));
    tails.push_back({.key = {manifest_.node, manifest_.generation, i},
                     .source = sources.back().get(),
                     .marks = marks.back().get(),
                     .log_end = streams[i].report.end});
  }
  drain::Drainer drainer(*sink_, item_names_, clock_, std::move(tails));
  const drain::Drainer::Finding finding = drainer.reconcile(settings_.accepts_loss);
  if (finding.agreement == drain::Drainer::Agreement::contradicts)
    return failure(kExitLogDamaged, finding.message);
  if (finding.agreement == drain::Drainer::Agreement::agrees)
    (void)drainer.drain_now(kDrainPatienceNs);
  if (!drainer.is_drained())
    return failure(kExitFailure,
                   "the number of shards cannot change before the database has everything: " +
                       drainer.problem() + "; start with --shards " +
                       std::to_string(manifest_.shard_count) + " or bring the database back");
  return std::nullopt;
}

// Items that are new get the next numbers; shard 0 logs them before any shard may sell them. Of a known item the stock is
// the ledger's alone. Its terms follow the catalog when the catalog has changed since the last start; otherwise what an
// operator has changed meanwhile stays, for a restart must not undo it.
std::optional<Ending> Node::merge_catalog() {
  const std::vector<stock::RegisteredItem>& known = streams_[0].state->items();
  std::unordered_map<std::string_view, const stock::RegisteredItem*> by_code;
  for (const stock::RegisteredItem& item : known) {
    by_code.emplace(item.terms.code, &item);
    item_names_.set(item.terms.id, item.terms.code);
  }
  uint32_t known_entries = 0;
  for (const stock::CatalogEntry& entry : settings_.catalog) {
    stock::ItemTerms terms = entry.terms;
    terms.catalog_sum = sum_of(entry.terms);
    if (const auto found = by_code.find(entry.terms.code); found != by_code.end()) {
      ++known_entries;
      take_over(*found->second, terms, entry.stock);
      continue;
    }
    terms.id = static_cast<ItemId>(known.size() + new_items_.size());
    if (terms.id >= bounds::item_count_max)
      return failure(kExitUsage, "more than " + std::to_string(bounds::item_count_max) + " items");
    new_items_.push_back(terms);
    new_supplies_.push_back({.item = std::string(terms.code.view()), .supplied = entry.stock});
    item_names_.set(terms.id, terms.code);
  }
  if (known_entries < known.size())
    note("%zu items of this data directory are not in the catalog; they stay as they are",
         known.size() - known_entries);
  return std::nullopt;
}

void Node::take_over(const stock::RegisteredItem& live, stock::ItemTerms terms, Units stock) {
  const std::string code(terms.code.view());
  if (live.total() != stock)
    note(
        "item %s: stock stays %lu, the catalog's %lu is for a new item (restock on the operators' "
        "listener)",
        code.c_str(), (unsigned long)live.total(), (unsigned long)stock);
  if (terms.catalog_sum == live.terms.catalog_sum) return;
  terms.id = live.terms.id;
  terms.is_paused = live.terms.is_paused;
  terms.is_ended = live.terms.is_ended;
  changed_items_.push_back(terms);
  note("item %s: new terms from the catalog", code.c_str());
}

// With a shared ledger the stock of an item is what the first node said, whatever the catalogs of the others say.
std::optional<Ending> Node::agree_on_supply() {
  const bool has_shared_before =
      std::any_of(streams_.begin(), streams_.end(),
                  [](const RestoredStream& stream) { return stream.state->promised_epoch() != 0; });
  if (!settings_.redis && has_shared_before)
    return failure(
        kExitUsage,
        settings_.data_dir +
            " shares its stock with other nodes through Redis: start it with --ledger as before");
  if (!settings_.redis) return std::nullopt;
  std::vector<cluster::Supply> known;
  for (const stock::RegisteredItem& item : streams_[0].state->items())
    known.push_back({std::string(item.terms.code.view()), item.supplied, item.withdrawn});
  if (!registry_) registry_ = std::make_unique<cluster::SoloRegistry>(known);
  // What this log supplied before its stock was shared is news to the registry once.
  std::vector<cluster::Supply> wanted = new_supplies_;
  if (!has_shared_before) wanted.insert(wanted.end(), known.begin(), known.end());
  if (wanted.empty()) return std::nullopt;
  Result<std::vector<cluster::Supply>> standing = registry_->add_items(wanted);
  if (!standing)
    return failure(kExitFailure,
                   "new items need the database that the nodes share: " + standing.error().message);
  for (size_t i = 0; i < new_supplies_.size(); ++i) {
    const cluster::Supply& supply = (*standing)[i];
    if (supply.supplied - supply.withdrawn != new_supplies_[i].supplied)
      note(
          "item %s: stock is %lu, as the ledger has it; the catalog's %lu is for an item that no "
          "node knows yet",
          supply.item.c_str(), (unsigned long)(supply.supplied - supply.withdrawn),
          (unsigned long)new_supplies_[i].supplied);
    new_supplies_[i] = supply;
  }
  return std::nullopt;
}

// A number belongs to one data directory for ever, and what a retired node held is back on sale or sold elsewhere. Without an
// answer the start goes on: Redis and the drainer's transactions refuse such a node too.
std::optional<Ending> Node::refuse_stranger() {
  if (!settings_.redis || !shares_registry()) return std::nullopt;
  registry_ = std::make_unique<cluster::PostgresRegistry>(settings_.database.url);
  Result<std::vector<cluster::Member>> members = registry_->members();
  if (!members) {
    registry_problem_ = members.error().message;
    return std::nullopt;
  }
  const std::string uuid = orderlog::text_of(manifest_.log_uuid);
  for (const cluster::Member& member : *members) {
    if (member.uuid == uuid && member.state == cluster::MemberState::retired)
      return failure(kExitLogDamaged,
                     settings_.data_dir + " was retired as node " + std::to_string(member.node) +
                         ": start with an empty --data and a --node that no other had");
    if (member.node == settings_.node && member.uuid != uuid)
      return failure(kExitUsage,
                     "--node " + std::to_string(member.node) +
                         " is another data directory of this ledger (" + member.uuid + ", " +
                         settings_.data_dir + " is " + uuid +
                         "): start with an empty --data and a --node that no other had");
  }
  return std::nullopt;
}

// A catalog that was given now and contradicts the other nodes is not sold by: whoever gave it is there to correct it. What
// this node has sold by before it goes on to sell by, with a warning: a restart must not take a node away.
std::optional<Ending> Node::agree_on_terms() {
  if (!settings_.redis || !shares_registry()) return std::nullopt;
  std::vector<cluster::TermsOffer> given, kept;
  std::unordered_map<ItemId, const stock::ItemTerms*> changed;
  for (const stock::ItemTerms& terms : changed_items_) changed.emplace(terms.id, &terms);
  for (const stock::RegisteredItem& item : streams_[0].state->items()) {
    if (item.terms.is_ended) continue;
    const std::string code(item.terms.code.view()), before = stock::terms_json(item.terms);
    if (const auto now = changed.find(item.terms.id); now != changed.end())
      given.push_back({code, before, stock::terms_json(*now->second)});
    else
      kept.push_back({code, before, before});
  }
  for (const stock::ItemTerms& terms : new_items_)
    given.push_back({std::string(terms.code.view()), "", stock::terms_json(terms)});
  const auto later = [&](const std::string& why) {
    note("the terms of the items are compared with the other nodes' later: %s", why.c_str());
    open_offers_ = std::move(given);
    open_offers_.insert(open_offers_.end(), kept.begin(), kept.end());
    return std::nullopt;
  };
  if (!registry_problem_.empty()) return later(registry_problem_);
  Result<std::vector<cluster::TermsDifference>> differences =
      cluster::settle_terms(*registry_, given, cluster::Settling::all_or_nothing);
  if (!differences) return later(differences.error().message);
  if (!differences->empty())
    return failure(kExitUsage,
                   cluster::text_of(*differences) +
                       ": correct the catalog, or, if this one is right, let `stampede ledger "
                       "preheat --new-terms` say so first");
  differences = cluster::settle_terms(*registry_, kept, cluster::Settling::each);
  if (!differences) return later(differences.error().message);
  cluster::warn_of(*differences);
  return std::nullopt;
}

bool Node::shares_registry() const {
  return settings_.database.kind == drain::DatabaseUrl::Kind::postgres;
}

std::optional<Ending> Node::open_listeners() {
  Result<std::vector<net::Socket>> opened =
      net::open_listeners(settings_.listen, settings_.shard_count);
  if (!opened) return failure(opened.error());
  listeners_ = *opened;
  opened = net::open_listeners(settings_.admin, 1);
  if (!opened) return failure(opened.error());
  admin_listeners_ = *opened;
  return std::nullopt;
}

ledger::Book Node::make_book(std::optional<Ending>& problem) const {
  ledger::Book book(settings_.shard_count);
  const std::vector<stock::RegisteredItem>& known = streams_[0].state->items();
  std::vector<StreamCount> counts(settings_.shard_count);
  for (const stock::RegisteredItem& item : known) {
    for (uint32_t i = 0; i < settings_.shard_count; ++i) {
      const stock::ItemStock& stock = streams_[i].state->stock(item.terms.id);
      counts[i] = {.accepted = stock.accepted, .returned = stock.returned, .pool = stock.pool()};
    }
    if (!book.start(item.terms.id, item.supplied, item.withdrawn, counts))
      problem = failure(kExitLogDamaged, "item " + std::string(item.terms.code.view()) +
                                             ": the logs hold more units than were ever supplied");
  }
  counts.assign(settings_.shard_count, {});
  for (size_t i = 0; i < new_items_.size(); ++i)
    (void)book.start(new_items_[i].id, new_supplies_[i].supplied, 0, counts);
  return book;
}

std::optional<Ending> Node::make_shards() {
  const uint32_t count = settings_.shard_count;
  process_->drain_lag_max = settings_.drain_lag_max;
  process_->lease_max = settings_.lease_max;
  if (settings_.keys) replace_keys(settings_.keys);

  std::vector<orderlog::StreamFiles> files;
  for (uint32_t i = 0; i < count; ++i)
    files.push_back(orderlog::stream_files(settings_.data_dir, manifest_, i));
  snapshotter_ =
      std::make_unique<Snapshotter>(files, manifest_.hash_key, order_cells(count), boot_id_);
  keeper_ = std::make_unique<orderlog::SegmentKeeper>(disk_plan_.open_flags, segment_maker_,
                                                      snapshotter_.get());
  for (uint32_t i = 0; i < count; ++i)
    segments_.push_back(
        &keeper_->add(files[i], streams_[i].report.end.segment, streams_[i].snapshot_segment));
  if (Status status = keeper_->start(); !status) return failure(status.error());
  std::vector<orderlog::Position> ends;
  for (const RestoredStream& stream : streams_) ends.push_back(stream.report.end);
  if (Status status = note_log_ends(ends); !status) return failure(status.error());

  uint64_t sequence_max = sequence_floor_;
  for (const RestoredStream& stream : streams_)
    sequence_max = std::max(sequence_max, stream.state->sequence_max());
  std::optional<Ending> problem;
  for (uint32_t i = 0; i < count; ++i) {
    auto seams = std::make_unique<Seams>(descriptors_);
    Result<std::unique_ptr<orderlog::Disk>> disk = orderlog::make_disk(disk_plan_);
    if (!disk) return failure(disk.error());
    seams->disk = std::move(*disk);
    seams->writer =
        std::make_unique<orderlog::Writer>(files[i], streams_[i].report.end, boot_id_, *seams->disk,
                                           *segments_[i], *process_->marks[i]);
    // The first buyers need not wait for the embedded ledger's first news.
    std::vector<LedgerNews> first_news;
    if (settings_.redis) {
      epoch_links_.push_back(std::make_unique<cluster::EpochLink>(
          [this, i] { process_->doorbells[i]->ring(); }, [this] { coordinator_->wake(); }));
      seams->ledger = std::make_unique<cluster::RedisLedger>(
          cluster::RedisLedgerSettings{.shard = i,
                                       .node = settings_.node,
                                       .generation = manifest_.generation,
                                       .boot = manifest_.boot,
                                       .token = shard::Shard::kLedgerToken,
                                       .timeout_ns = settings_.ledger_timeout_ms * kMillisecond,
                                       .group_count = settings_.redis->group_count()},
          seams->net, *epoch_links_[i], process_->ledger);
    } else {
      ledger::Book book = make_book(problem);
      if (problem) return problem;
      for (ItemId item = 0; item < streams_[0].state->items().size() + new_items_.size(); ++item)
        first_news.push_back(book.news_for(i, item));
      seams->ledger =
          std::make_unique<ledger::EmbeddedLedger>(i, process_->ledger, std::move(book));
    }
    seams->catalog = std::make_unique<stock::Catalog>(manifest_.hash_key);
    for (const stock::RegisteredItem& item : streams_[0].state->items())
      seams->catalog->upsert(item.terms);
    for (const stock::ItemTerms& terms : new_items_) seams->catalog->upsert(terms);
    for (const stock::ItemTerms& terms : changed_items_) seams->catalog->upsert(terms);
    const shard::ShardSettings shard_settings{
        .shard = i,
        .node = settings_.node,
        .cpu = settings_.cpus.empty() ? -1 : settings_.cpus[i % settings_.cpus.size()],
        .connections = {.shard = i},
        .api = {.node = settings_.node,
                .hash_key = manifest_.hash_key,
                .by_ticket = settings_.by_ticket},
        .desk = {.node = settings_.node,
                 .shard = i,
                 .shard_count = count,
                 .group_count = seams->ledger->group_count(),
                 .lease_max = settings_.lease_max,
                 .orders_max = orders_max_per_shard(count),
                 .retain_ms = settings_.retain_ms}};
    seams->shard = std::make_unique<shard::Shard>(
        shard_settings, *process_, clock_, seams->net, *seams->disk, *seams->writer, *segments_[i],
        *seams->ledger, *streams_[i].state, *seams->catalog, sequence_max);
    for (const LedgerNews& news : first_news) seams->shard->desk().take_news(news, clock_.now());
    seams_.push_back(std::move(seams));
  }
  turns_seen_.resize(count);
  if (settings_.redis) make_coordinator();
  return std::nullopt;
}

void Node::make_coordinator() {
  uint64_t promised = 0;
  for (const RestoredStream& stream : streams_)
    promised = std::max(promised, stream.state->promised_epoch());
  std::vector<cluster::EpochLink*> links;
  for (const auto& link : epoch_links_) links.push_back(link.get());
  coordinator_ = std::make_unique<cluster::Coordinator>(
      cluster::CoordinatorSettings{.node = settings_.node,
                                   .uuid = orderlog::text_of(manifest_.log_uuid),
                                   .generation = manifest_.generation,
                                   .shard_count = settings_.shard_count,
                                   .boot = manifest_.boot,
                                   .timeout_ms = settings_.ledger_timeout_ms,
                                   .url = *settings_.redis,
                                   .is_solo = !shares_registry(),
                                   .promised = promised},
      *registry_, links, clock_, [this] { process_->doorbells[0]->ring(); });
  coordinator_->offer_terms(std::exchange(open_offers_, {}));
  shared_operators_ = std::make_unique<cluster::RedisOperators>(
      static_cast<cluster::RedisLedger&>(*seams_[0]->ledger), *coordinator_);
}

shard::LedgerStatus Node::ledger_status() const {
  if (!coordinator_) return {};
  const cluster::CoordinatorStatus status = coordinator_->status();
  shard::LedgerStatus shown{.is_shared = true,
                            .is_available = status.is_open,
                            .epoch = status.epoch,
                            .epochs_begun = status.epochs_begun,
                            .epochs_joined = status.epochs_joined,
                            .server = status.server,
                            .problem = status.problem,
                            .missing = status.missing};
  for (const auto& seams : seams_) {
    const cluster::RedisLedgerStats& stats =
        static_cast<const cluster::RedisLedger&>(*seams->ledger).stats();
    shown.calls += stats.calls.load(std::memory_order_relaxed);
    shown.lines += stats.lines.load(std::memory_order_relaxed);
    shown.repeats += stats.repeats.load(std::memory_order_relaxed);
    shown.connects += stats.connects.load(std::memory_order_relaxed);
    shown.disputes += stats.disputes.load(std::memory_order_relaxed);
  }
  return shown;
}

std::vector<drain::Stream> Node::drain_streams() {
  std::vector<drain::Stream> tails;
  for (uint32_t i = 0; i < settings_.shard_count; ++i) {
    sources_.push_back(std::make_unique<drain::LogSource>(
        orderlog::stream_files(settings_.data_dir, manifest_, i)));
    tails.push_back({.key = {manifest_.node, manifest_.generation, i},
                     .source = sources_.back().get(),
                     .marks = process_->marks[i].get(),
                     .log_end = streams_[i].report.end});
  }
  return tails;
}

// Holds the database against the logs before anything is sold.
std::optional<Ending> Node::look_into_database() {
  process_ = std::make_unique<shard::Process>(settings_.shard_count);
  process_->has_database = sink_ != nullptr;
  if (sink_ == nullptr) return has_lost_ ? go_on_after_loss() : std::nullopt;
  for (uint32_t i = 0; i < settings_.shard_count; ++i)
    process_->marks[i]->start_at(streams_[i].report.last_lsn);
  drainer_ = std::make_unique<drain::Drainer>(*sink_, item_names_, clock_, drain_streams());
  drain::Drainer::Finding finding = drainer_->reconcile(false);
  if (finding.agreement == drain::Drainer::Agreement::contradicts) {
    if (!settings_.accepts_loss) return failure(kExitLogDamaged, finding.message);
    note("lost: %s", finding.message.c_str());
    if (auto ending = accept_loss()) return ending;
    finding = drainer_->reconcile(true);
    if (finding.agreement == drain::Drainer::Agreement::contradicts)
      return failure(kExitLogDamaged, finding.message);
  }
  if (finding.agreement == drain::Drainer::Agreement::unavailable)
    diag::warning("%s; selling goes on, rows follow when it answers", finding.message.c_str());
  return has_lost_ ? go_on_after_loss() : std::nullopt;
}

// Orders that the log no longer knows are in the database or with their buyers: their numbers may not be given again, and
// what they bought may not be sold again before somebody has looked. So every item is paused, durably, before the start.
std::optional<Ending> Node::go_on_after_loss() {
  uint64_t newest = 0;
  for (const RestoredStream& stream : streams_)
    newest = std::max(newest, stream.state->sequence_max());
  if (sink_ != nullptr) {
    Result<std::unique_ptr<drain::DatabaseReader>> reader =
        drain::open_database_reader(settings_.database);
    if (!reader) return failure(reader.error());
    const Result<OrderId> order = (*reader)->newest_order(manifest_.node);
    if (!order) return failure(order.error());
    newest = std::max(newest, order->sequence());
  }
  // Orders that never reached the database had higher numbers still; a server does not give this many in a turn.
  sequence_floor_ = newest + bounds::sequence_gap_after_loss;
  for (const stock::RegisteredItem& item : streams_[0].state->items()) {
    const bool has_changed =
        std::any_of(changed_items_.begin(), changed_items_.end(),
                    [&](const stock::ItemTerms& terms) { return terms.id == item.terms.id; });
    if (!has_changed) changed_items_.push_back(item.terms);
  }
  for (stock::ItemTerms& terms : changed_items_) terms.is_paused = true;
  note(
      "%zu items are paused: compare with `stampede audit`, withdraw what was lost with a restock, "
      "then resume",
      changed_items_.size());
  return std::nullopt;
}

// ---- run ----

// The next four on the shard's thread, before its first turn. A stop ends them early: nothing is sold then, and the next
// start logs the rest.
bool Node::is_stopping() const {
  return process_->is_stopping.load(std::memory_order_acquire);
}

void Node::write_before_turning(uint32_t shard) {
  orderlog::Writer& writer = *seams_[shard]->writer;
  while (!writer.is_idle() && !is_stopping()) {
    writer.start_write(clock_.now());
    if (!writer.poll(clock_.now())) std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  seams_[shard]->disk->drain_events();
}

void Node::log_before_turning(uint32_t shard, const orderlog::Record& record) {
  const Lsn lsn = seams_[shard]->writer->append(record);
  CHECK(bool(streams_[shard].state->apply(record, lsn, clock_.now())));
}

// By shard 0, before any other shard turns: nothing may be sold whose item is not on disk. The records of one item are in
// one batch, so none is without its stock.
void Node::log_new_items() {
  const auto has_room = [&] {
    if (seams_[0]->writer->room() < 2 * bounds::record_bytes_max) write_before_turning(0);
    return !is_stopping();
  };
  for (size_t i = 0; i < changed_items_.size() && has_room(); ++i)
    log_before_turning(0, stock::record_of(changed_items_[i]));
  for (size_t i = 0; i < new_items_.size() && has_room(); ++i) {
    log_before_turning(0, stock::record_of(new_items_[i]));
    log_before_turning(0, orderlog::Supply{.item = new_items_[i].id,
                                           .supplied = new_supplies_[i].supplied,
                                           .withdrawn = new_supplies_[i].withdrawn});
  }
}

void Node::run_shard(uint32_t index) {
  Seams& seams = *seams_[index];
  const orderlog::RecoveryReport& report = streams_[index].report;
  if (report.outcome == orderlog::RecoveryOutcome::torn)
    seams.writer->append(orderlog::Recovery{.truncated_batch = report.end.batch_seq,
                                            .truncated_offset = report.end.offset});
  if (has_lost_) log_before_turning(index, orderlog::SequenceFloor{sequence_floor_});
  if (index == 0) log_new_items();
  if (index == 0 || has_lost_) write_before_turning(index);
  if (index == 0) {
    items_are_durable_.store(true, std::memory_order_release);
    items_are_durable_.notify_all();
  } else {
    items_are_durable_.wait(false, std::memory_order_acquire);
  }
  seams.shard->run();
}

void Node::start(const std::function<bool()>& is_asked_to_stop) {
  for (uint32_t i = 0; i < settings_.shard_count; ++i)
    seams_[i]->shard->add_listener(listeners_[i]);
  admin_ = std::make_unique<shard::Admin>(
      *seams_[0]->shard,
      shared_operators_ ? *shared_operators_
                        : static_cast<ledger::EmbeddedLedger&>(*seams_[0]->ledger),
      *process_,
      shard::AdminInfo{.node = settings_.node,
                       .data_dir = settings_.data_dir,
                       .ledger = settings_.redis ? cluster::text_of(*settings_.redis) : "embedded",
                       .version = settings_.version,
                       .started_wall_ms = clock_.now().wall_ms(),
                       .token = settings_.admin_token,
                       .hosts = settings_.admin_hosts},
      [this] { return drain_status(); }, [this] { return ledger_status(); });
  process_->on_terms = [this](const stock::ItemTerms& terms) {
    item_names_.set(terms.id, terms.code);
  };
  shard::Shard& shard0 = *seams_[0]->shard;
  seams_[0]->net.prefer(admin_listeners_[0]);
  shard0.connections().add_listener(admin_listeners_[0],
                                    {.handler = admin_.get(), .is_public = false});
  shard0.set_turn_hook([this](Moment now) { return admin_->turn(now); });
  for (uint32_t i = 0; i < settings_.shard_count; ++i)
    threads_.push_back(start_thread("a shard", [this, i] { run_shard(i); }));
  while (process_->shards_running.load() < settings_.shard_count) {
    if (is_asked_to_stop()) begin_stop();
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  // No shard has ended its part early, so all of it is durable.
  if (!is_stopping() && std::exchange(manifest_.is_loss_pending, false))
    if (Status status = orderlog::write_manifest(settings_.data_dir, manifest_); !status)
      diag::warning("%s; the next start pauses all items again", status.error().message.c_str());
  if (coordinator_) coordinator_->start();
  if (drainer_) drainer_->start();
}

shard::DrainStatus Node::drain_status() const {
  shard::DrainStatus status{.has_database = drainer_ != nullptr};
  if (!drainer_) return status;
  status.rows = drainer_->stats().rows.load(std::memory_order_relaxed);
  status.rejected = drainer_->stats().rejected.load(std::memory_order_relaxed);
  status.retries = drainer_->stats().retries.load(std::memory_order_relaxed);
  status.problem = drainer_->problem();
  return status;
}

void Node::replace_keys(shard::SharedKeys keys) {
  process_->keys.store(std::move(keys));
  process_->keys_number.fetch_add(1, std::memory_order_release);
}

void Node::begin_stop() {
  process_->is_stopping.store(true, std::memory_order_release);
  process_->ring_all();
}

bool Node::has_stopped() const {
  return process_->has_stopped();
}

bool Node::is_alive() {
  bool all = true;
  for (uint32_t i = 0; i < settings_.shard_count; ++i) {
    const uint64_t turns = process_->metrics[i]->turns.get();
    all = all && turns != turns_seen_[i];
    turns_seen_[i] = turns;
  }
  return all;
}

void Node::release_segments() {
  if (drainer_ && drainer_->is_fenced())
    fatal(kExitLogDamaged, "%s: this node was retired, and its rows are refused",
          drainer_->problem().c_str());
  for (uint32_t i = 0; i < settings_.shard_count; ++i) {
    uint32_t below = snapshotter_->covered_below(i);
    if (process_->has_database)
      below = std::min(below, process_->marks[i]->drained_segment.load(std::memory_order_acquire));
    segments_[i]->release_below(below);
  }
}

void Node::finish() {
  for (std::thread& thread : threads_) thread.join();
  std::vector<orderlog::Position> ends;
  for (uint32_t i = 0; i < seams_.size(); ++i) {
    const orderlog::Writer& writer = *seams_[i]->writer;
    ends.push_back(writer.is_idle() ? writer.position() : streams_[i].report.end);
  }
  if (Status status = note_log_ends(ends); !status)
    diag::warning("%s; the manifest does not know how far the log reaches",
                  status.error().message.c_str());
  if (coordinator_) coordinator_->stop();
  if (drainer_ && !drainer_->stop(clock_.now().boot_ns + kDrainAtStopNs))
    diag::notice(
        "the database does not have everything yet; the next start, or `stampede drain`, goes on");
  keeper_->stop();
  net::remove_socket_file(settings_.listen);
  net::remove_socket_file(settings_.admin);
}

net::Address Node::listen_address() const {
  return net::address_of(listeners_[0]);
}
net::Address Node::admin_address() const {
  return net::address_of(admin_listeners_[0]);
}

}  // namespace stampede::node
