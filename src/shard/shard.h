// One shard: a pinned thread that owns its connections, its users' orders, its part of the stock and its order log.
// Nothing in it is shared; other shards are reached through lanes only.
//
// tick() is the whole server seen from one core, and its order is the design: see there.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "ledger/embedded.h"
#include "ledger/ledger.h"
#include "net/doorbell.h"
#include "net/net.h"
#include "orderlog/disk.h"
#include "orderlog/writer.h"
#include "shard/front.h"
#include "shard/mailbox.h"
#include "shard/metrics.h"
#include "stock/desk.h"

namespace stampede::shard {

// What all shards of the process share: lanes, doorbells, and levers that are read once per turn.
struct Process {
  explicit Process(uint32_t shard_count);

  uint32_t shard_count;
  OrderLanes orders;
  ledger::LedgerLanes ledger;
  // Terms of items from the operators' shard to each shard.
  std::vector<std::unique_ptr<Lane<stock::ItemTerms>>> terms;
  std::vector<std::unique_ptr<net::Doorbell>> doorbells;
  std::vector<std::unique_ptr<Metrics>> metrics;
  std::vector<std::unique_ptr<orderlog::Marks>> marks;

  // Set by the signal handler's thread; shards look at it once per turn.
  std::atomic<bool> is_stopping{false};
  // Shards that have nothing left to do; when all have, all leave.
  std::atomic<uint32_t> shards_stopped{0};
  std::atomic<uint32_t> shards_running{0};
  // Behind this many undrained records of one stream, new orders are refused; 0: never (no database).
  std::atomic<uint64_t> drain_lag_max{0};
  std::atomic<bool> has_database{true};
  std::atomic<Units> lease_max{256};
  // Called by shard 0 when an item is new or changed, before its own sale of it; for the drainer's names of items.
  std::function<void(const stock::ItemTerms&)> on_terms;
  // Replaced by the key reader on SIGHUP; the number is raised after the keys.
  std::atomic<SharedKeys> keys;
  std::atomic<uint64_t> keys_number{0};

  void ring(uint64_t shards);  // a bit for each
};

struct ShardSettings {
  uint32_t shard = 0;
  uint32_t node = 0;
  int cpu = -1;  // −1: not pinned
  FrontSettings front;
  stock::DeskSettings desk;
};

class Shard final : private stock::Journal,
                    private stock::AnswerSink,
                    private Orders,
                    private ledger::Client {
 public:
  // The references must outlive the shard. `state` is what recovery found; `sequence_max` is over all streams.
  Shard(const ShardSettings& settings, Process& process, Clock& clock, net::Net& net,
        orderlog::Disk& disk, orderlog::Writer& writer, orderlog::StreamSegments& segments,
        ledger::Ledger& ledger, stock::StreamState& state, stock::Catalog& catalog,
        uint64_t sequence_max);

  Front& front() { return front_; }
  stock::Desk& desk() { return desk_; }
  orderlog::Writer& writer() { return writer_; }
  stock::StreamState& state() { return state_; }
  stock::Catalog& catalog() { return catalog_; }
  Moment now() const { return now_; }
  // What the ledger's own socket is watched with.
  static constexpr uint64_t kLedgerToken = Front::kForeignToken | 3;

  // Called once per turn, after the log has been looked at; the operators' side of shard 0.
  void set_turn_hook(std::function<void(Moment)> hook) { turn_hook_ = std::move(hook); }
  // The next turn begins by then, whether or not something happens. For the hook, once per turn.
  void look_again_at(int64_t boot_ns) { look_again_ns_ = boot_ns; }

  // One turn; false when the shard has stopped. Sleeps at most until there is something to do.
  bool tick();
  // Turns until the process stops. The thread's whole life.
  void run();

 private:
  // stock::Journal
  Lsn append(const orderlog::Record& record) override { return writer_.append(record); }
  bool has_room_for_order() const override {
    return writer_.room_for_new_orders() > bounds::record_bytes_max;
  }
  // Without a segment to write to, even a payment could only wait: better a 503 now than no answer.
  bool has_room_for_change() const override {
    return !writer_.is_blocked() && writer_.room() > bounds::change_room_bytes;
  }
  // stock::AnswerSink
  void deliver(const OrderAnswer& answer) override;
  // Orders
  bool submit(const OrderRequest& request) override;
  Glance glance(ItemId item) override;
  // ledger::Client
  void hear(const LedgerTell& tell) override { desk_.hear(tell, now_); }
  StreamCount count(ItemId item) override { return desk_.count(item); }
  Lsn promise(uint64_t epoch) override;
  Lsn durable() const override { return writer_.durable(); }
  StreamCount durable_count(ItemId item) const override { return desk_.durable_count(item); }
  ItemId items_touched() const override { return static_cast<ItemId>(state_.stocks().size()); }
  std::string_view code_of(ItemId item) const override { return catalog_.code(item); }
  void on_open(uint32_t groups, uint32_t stream_count) override {
    desk_.begin_epoch(groups, stream_count);
  }

  void poll_sockets();
  bool has_work() const;
  int64_t gather(int64_t wait_ns);
  int64_t sleep_ns();
  void take_inbox();
  void exchange_with_ledger();
  void write_log();
  void release_answers();
  void pull_levers();
  void publish();
  bool wind_up();

  ShardSettings settings_;
  Process& process_;
  Clock& clock_;
  net::Net& net_;
  orderlog::Disk& disk_;
  orderlog::Writer& writer_;
  orderlog::StreamSegments& segments_;
  ledger::Ledger& ledger_;
  stock::StreamState& state_;
  stock::Catalog& catalog_;
  net::Doorbell& doorbell_;
  Metrics& metrics_;
  orderlog::Marks& marks_;
  Mailbox mailbox_;
  Moment now_;
  stock::Desk desk_;
  Front front_;
  std::function<void(Moment)> turn_hook_;
  int64_t look_again_ns_ = INT64_MAX;
  std::vector<LedgerAsk> asks_;
  uint64_t keys_number_ = 0;
  int64_t published_ns_ = 0;
  int64_t stop_began_ns_ = 0;
  int64_t write_started_ns_ = 0;
  Lsn write_first_lsn_ = 0;
  bool is_stopping_ = false;
  bool has_stopped_ = false;
};

}  // namespace stampede::shard
