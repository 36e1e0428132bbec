#include "node/ledgers.h"

#include <sodium.h>

#include <algorithm>

namespace stampede::node {
namespace {

ledger::Book book_of(const Data& data, const ItemPlan& plan) {
  MadeBook made = make_book(data);
  CHECK(made.book.has_value());  // the start has looked
  const std::vector<StreamCount> nothing(data.stream_count());
  for (size_t i = 0; i < plan.new_items.size(); ++i)
    CHECK(made.book->start(plan.new_items[i].id, plan.new_supplies[i].supplied, 0, nothing));
  return std::move(*made.book);
}

}  // namespace

MadeBook make_book(const Data& data) {
  const uint32_t count = data.stream_count();
  MadeBook made{.book = ledger::Book(count), .oversold = ""};
  std::vector<StreamCount> counts(count);
  for (const stock::RegisteredItem& item : data.items()) {
    for (uint32_t i = 0; i < count; ++i) {
      const stock::ItemStock& stock = data.streams()[i].state->stock(item.terms.id);
      counts[i] = {.accepted = stock.accepted, .returned = stock.returned, .pool = stock.pool()};
    }
    if (made.book->start(item.terms.id, item.supplied, item.withdrawn, counts)) continue;
    return {.book = std::nullopt, .oversold = std::string(item.terms.code.view())};
  }
  return made;
}

// ---- embedded

ledger::Ledger& EmbeddedLedgers::add(net::Net&) {
  const auto shard = static_cast<uint32_t>(ledgers_.size());
  ledger::Book book = book_of(data_, plan_);
  // The first buyers need not wait for the first exchange.
  news_.clear();
  for (ItemId item = 0; item < data_.items().size() + plan_.new_items.size(); ++item)
    news_.push_back(book.news_for(shard, item));
  return *ledgers_.emplace_back(
      std::make_unique<ledger::EmbeddedLedger>(shard, lanes_, std::move(book)));
}

// ---- shared

SharedLedgers::SharedLedgers(const Data& data, Join& join, const NodeSettings& settings,
                             shard::Process& process, Machine& machine)
    : data_(data), join_(join), settings_(settings), process_(process), machine_(machine) {}

ledger::Ledger& SharedLedgers::add(net::Net& net) {
  const auto shard = static_cast<uint32_t>(ledgers_.size());
  links_.push_back(std::make_unique<cluster::EpochLink>(
      [this, shard] { process_.doorbells[shard]->ring(); }, [this] { coordinator_->wake(); }));
  return *ledgers_.emplace_back(std::make_unique<cluster::RedisLedger>(
      cluster::RedisLedgerSettings{.shard = shard,
                                   .node = settings_.node,
                                   .generation = data_.manifest().generation,
                                   .boot = data_.manifest().boot,
                                   .token = shard::Shard::kLedgerToken,
                                   .timeout_ns = settings_.ledger_timeout_ms * kMillisecond,
                                   .group_count = settings_.redis->group_count()},
      machine_.redis(), net, *links_.back(), process_.ledger));
}

void SharedLedgers::complete() {
  uint64_t promised = 0;
  for (const RestoredStream& stream : data_.streams())
    promised = std::max(promised, stream.state->promised_epoch());
  std::vector<cluster::EpochLink*> links;
  for (const auto& link : links_) links.push_back(link.get());
  coordinator_ = std::make_unique<cluster::Coordinator>(
      cluster::CoordinatorSettings{.node = settings_.node,
                                   .uuid = orderlog::text_of(data_.manifest().log_uuid),
                                   .generation = data_.manifest().generation,
                                   .shard_count = data_.stream_count(),
                                   .boot = data_.manifest().boot,
                                   .timeout_ms = settings_.ledger_timeout_ms,
                                   .url = *settings_.redis,
                                   .is_solo = join_.is_solo(),
                                   .promised = promised,
                                   .seed = randombytes_random()},
      machine_.redis(), join_.registry(), links, machine_.clock(),
      [this] { process_.doorbells[0]->ring(); });
  coordinator_->offer_terms(join_.take_open_offers());
  operators_ = std::make_unique<cluster::RedisOperators>(*ledgers_[0], *coordinator_);
}

shard::LedgerStatus SharedLedgers::status() const {
  const cluster::CoordinatorStatus status = coordinator_->status();
  shard::LedgerStatus shown{.is_shared = true,
                            .is_available = status.is_open,
                            .epoch = status.epoch,
                            .epochs_begun = status.epochs_begun,
                            .epochs_joined = status.epochs_joined,
                            .server = status.server,
                            .problem = status.problem,
                            .missing = status.missing};
  for (const auto& ledger : ledgers_) {
    const cluster::RedisLedgerStats& stats = ledger->stats();
    shown.calls += stats.calls.load(std::memory_order_relaxed);
    shown.lines += stats.lines.load(std::memory_order_relaxed);
    shown.repeats += stats.repeats.load(std::memory_order_relaxed);
    shown.connects += stats.connects.load(std::memory_order_relaxed);
    shown.disputes += stats.disputes.load(std::memory_order_relaxed);
    shown.call_ns.push_back(&stats.call_ns);
  }
  return shown;
}

}  // namespace stampede::node
