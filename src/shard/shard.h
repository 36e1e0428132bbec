// One shard: a pinned thread that owns its connections, its users' orders, its part of the stock and its order log.
// Nothing in it is shared; other shards are reached through lanes only.
//
// tick() is the whole server seen from one core, and its order is the design: see there.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/probe.h"
#include "base/thread_owner.h"
#include "ledger/ledger.h"
#include "net/net.h"
#include "orderlog/disk.h"
#include "orderlog/writer.h"
#include "shard/connections.h"
#include "shard/mailbox.h"
#include "shard/process.h"
#include "shard/public_api.h"
#include "shard/stop.h"
#include "shard/turns.h"
#include "stock/desk.h"

namespace stampede::shard {

struct ShardSettings {
  uint32_t shard = 0;
  uint32_t node = 0;
  int cpu = -1;  // −1: not pinned
  ConnectionsSettings connections;
  PublicApiSettings api;
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

  // The doors. Until run() they are open to the thread that puts the server together, from then on to the shard's own.
  Connections& connections() { return mine(connections_); }
  // A listener for buyers.
  void add_listener(net::Socket socket) { connections().add_listener(socket, {.handler = &api_}); }
  // A buyer's connection of a server that was here before.
  void adopt(const net::PassedConnection& passed) {
    connections().adopt(passed, {.handler = &api_});
  }
  // Its thread has left: its connections, for the process that takes this one's place.
  void pass_on(std::vector<net::PassedConnection>& sockets) {
    owner_.release();
    connections().pass_on(sockets);
  }
  stock::Desk& desk() { return mine(desk_); }
  orderlog::Writer& writer() { return mine(writer_); }
  stock::StreamState& state() { return mine(state_); }
  stock::Catalog& catalog() { return mine(catalog_); }
  Moment now() const { return now_; }
  // What the ledger's own socket is watched with.
  static constexpr uint64_t kLedgerToken = Connections::kForeignToken | 3;

  // Called once per turn, after the log has been looked at; the operators' side of shard 0. It returns whether something
  // is still under way there: a stop waits for it.
  void set_turn_hook(std::function<bool(Moment)> hook) { turn_hook_ = std::move(hook); }
  // The next turn begins by then, whether or not something happens. For the hook, once per turn.
  void look_again_at(int64_t boot_ns) { look_again_ns_ = boot_ns; }

  // One turn; false when the shard has left. Sleeps at most until there is something to do.
  bool tick();
  // Turns until the process stops. The thread's whole life: all that the shard has is the calling thread's from now on.
  void run();

  StopPhase stop_phase() const { return stop_.phase(); }
  // Everything that this shard appends goes through here.
  Lsn append(const orderlog::Record& record) override {
    CHECK(stop_.may().appends);
    const Lsn lsn = writer_.append(record);
    PROBE(record_appended, settings_.shard, lsn, record.index());
    return lsn;
  }

 private:
  // stock::Journal
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
  void take_news(const LedgerNews& news) override;
  StreamCount count(ItemId item) override { return desk_.leases().count(item); }
  std::optional<Lsn> promise(uint64_t epoch) override;
  Lsn durable() const override { return writer_.durable(); }
  StreamCount durable_count(ItemId item) const override {
    return desk_.leases().durable_count(item);
  }
  ItemId items_touched() const override { return static_cast<ItemId>(state_.stocks().size()); }
  std::string_view code_of(ItemId item) const override { return catalog_.code(item); }
  void on_open(uint32_t groups, uint32_t stream_count) override {
    desk_.leases().begin_epoch(groups, stream_count);
  }

  template <typename Part>
  Part& mine(Part& part) const {
    CHECK(owner_.is_mine());
    return part;
  }

  void poll_sockets();
  bool has_work() const;
  int64_t gather(int64_t wait_ns);
  int64_t sleep_ns();
  void take_inbox();
  void pass_time();
  void exchange_with_ledger();
  void write_log();
  void serve_operators();
  void release_answers();
  void send_answers();
  void pull_levers();
  void take_rules(door::SharedRules rules);
  void publish();
  void arrive(const OrderRequest& request);
  void decide_arrived();
  bool is_inbox_empty() const;
  bool has_finished() const;
  StopFacts stop_facts();
  void go_on_with_stop();
  void seal();

  ThreadOwner owner_;
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
  Ring<OrderRequest> arrived_{bounds::decided_together_max};  // for this desk, and not decided yet
  Moment now_;
  TurnTimer turn_;
  stock::Desk desk_;
  Connections connections_;
  PublicApi api_;
  Stop stop_;
  std::function<bool(Moment)> turn_hook_;
  bool is_hook_busy_ = false;
  int64_t look_again_ns_ = INT64_MAX;
  std::vector<LedgerAsk> asks_;
  uint64_t keys_number_ = 0;
  uint64_t rules_number_ = 0;
  uint64_t item_survey_ = 0;  // the last one that was answered
  int64_t published_ns_ = 0;
  int64_t write_started_ns_ = 0;
  Lsn write_first_lsn_ = 0;
};

}  // namespace stampede::shard
