#include "shard/limit_watch.h"

#include "base/diag.h"
#include "base/words.h"
#include "shard/server_metrics.h"

namespace stampede::shard {
namespace {

// What is said when it is over.
const char* end_of(ShardLimit limit) {
  switch (limit) {
    case ShardLimit::drain_lag:
      return "the database has caught up";
    case ShardLimit::segments:
      return "a log segment is ready";
    case ShardLimit::memory:
      return "memory has room for orders";
  }
  return "";
}

uint64_t refusals_by(const Metrics& metrics, CrowdLimit limit) {
  switch (limit) {
    case CrowdLimit::order_rate:
      return metrics.limited[static_cast<unsigned>(Limit::sale)].get();
    case CrowdLimit::item_rate:
      return metrics.limited[static_cast<unsigned>(Limit::item)].get();
    case CrowdLimit::waiting_line:
      return metrics.waits_refused.get();
    case CrowdLimit::long_polls:
      return metrics.watches_refused.get();
  }
  return 0;
}

// What happened to so many, and why.
std::string crowd_words(CrowdLimit limit, uint64_t count) {
  switch (limit) {
    case CrowdLimit::order_rate:
      return counted(count, "order was", "orders were") +
             " refused for the rate of new orders (--order-rate)";
    case CrowdLimit::item_rate:
      return counted(count, "order was", "orders were") +
             " refused for the rate of an item (order_rate in the catalog)";
    case CrowdLimit::waiting_line:
      return counted(count, "order was", "orders were") +
             " refused, for as many wait for units as may";
    case CrowdLimit::long_polls:
      return counted(count, "long poll was", "long polls were") +
             " answered at once, for as many wait as may";
  }
  return "";
}

}  // namespace

std::vector<ReachedLimit> reached_limits(const Process& process) {
  std::vector<ReachedLimit> reached;
  const uint64_t lag_max = process.drain_lag_max.load(std::memory_order_relaxed);
  for (uint32_t shard = 0; shard < process.shard_count; ++shard) {
    const Metrics& metrics = *process.metrics[shard];
    const auto add = [&](ShardLimit limit, const std::string& why) {
      reached.push_back(
          {.shard = shard,
           .limit = limit,
           .words = "shard " + std::to_string(shard) + ": " + why + ", so new orders are refused"});
    };
    const uint64_t lag = lag_records_of(process, shard);
    if (lag_max != 0 && lag > lag_max)
      add(ShardLimit::drain_lag, "the database is " + counted(lag, "record") + " behind");
    if (metrics.segments_ready.get() == 0)
      add(ShardLimit::segments, "no log segment is ready (is the disk full?)");
    if (metrics.orders_max.get() != 0 && metrics.orders_live.get() >= metrics.orders_max.get())
      add(ShardLimit::memory, "memory holds --orders-max orders");
  }
  return reached;
}

void LimitWatch::look(Moment now) {
  // In its first second a shard has not said yet what it has.
  if (looked_boot_ns_ == 0) looked_boot_ns_ = now.boot_ns;
  if (now.boot_ns - looked_boot_ns_ < kSecond) return;
  looked_boot_ns_ = now.boot_ns;
  for (auto& [limit, is_still_so] : told_) is_still_so = false;
  for (const ReachedLimit& reached : reached_limits(process_)) {
    const auto [told, is_new] = told_.try_emplace({reached.shard, reached.limit}, true);
    told->second = true;
    if (is_new)
      diag::line(diag::Level::warning, {{"shard", reached.shard}}, "%s", reached.words.c_str());
  }
  std::erase_if(told_, [](const auto& told) {
    const auto& [limit, is_still_so] = told;
    if (is_still_so) return false;
    diag::line(diag::Level::notice, {{"shard", limit.first}},
               "shard %u: %s, so new orders are taken again", limit.first, end_of(limit.second));
    return true;
  });
  tell_closed_connections();
  for (size_t limit = 0; limit < kCrowdLimits; ++limit)
    tell_crowd(static_cast<CrowdLimit>(limit), now);
}

// The first line at once: an operator who sees refusals looks here for the reason.
void LimitWatch::tell_crowd(CrowdLimit limit, Moment now) {
  Told& told = crowd_told_[static_cast<size_t>(limit)];
  uint64_t count = 0;
  for (const auto& metrics : process_.metrics) count += refusals_by(*metrics, limit);
  const bool is_soon = told.has_said && now.boot_ns - told.since_ns < kCrowdLineNs;
  if (count == told.count || is_soon) return;
  diag::line(diag::Level::warning, {{"refused", count - told.count}}, "%s",
             crowd_words(limit, count - told.count).c_str());
  told = {.count = count, .since_ns = now.boot_ns, .has_said = true};
}

void LimitWatch::tell_closed_connections() {
  uint64_t closed = 0;
  for (const auto& metrics : process_.metrics)
    closed += metrics->connections_shed.get() + metrics->connections_evicted.get() +
              metrics->connections_refused.get();
  if (closed > closed_told_)
    diag::line(diag::Level::warning, {{"connections", closed - closed_told_}},
               "%s closed or refused for lack of room or for a limit of addresses",
               counted(closed - closed_told_, "connection was", "connections were").c_str());
  closed_told_ = closed;
}

}  // namespace stampede::shard
