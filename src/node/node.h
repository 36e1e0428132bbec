// One running server: the data directory brought back to life, the shards and their helpers put together from the real
// seams (SystemMachine: system clock, epoll, io_uring, SQLite) or simulated ones, started, and stopped in order.
//
//   open()   look: lock → manifest → other nodes → database → streams → verdict (start.h) → items → listeners
//            write: manifest → ends of the logs → another number of shards? → other nodes → database → shards
//   start()  helper threads → shard 0 logs new items → all shards → ready
//   finish() … stop → shards → drainer → helpers
//
// Whatever prevents a start is an Ending with the exit code that operators know and one line that says what to do.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "drain/drainer.h"
#include "net/descriptor_budget.h"
#include "node/data.h"
#include "node/drain_streams.h"
#include "node/enrolments.h"
#include "node/items.h"
#include "node/join.h"
#include "node/ledgers.h"
#include "node/machine.h"
#include "node/notices.h"
#include "node/settings.h"
#include "node/snapshotter.h"
#include "orderlog/segments.h"
#include "orderlog/writer.h"
#include "shard/admin.h"
#include "shard/shard.h"

namespace stampede::node {

class Node {
 public:
  // The machine outlives the node.
  explicit Node(NodeSettings settings, Machine& machine = system_machine(),
                Data::Use use = Data::Use::serving);
  ~Node();

  // Everything up to the moment before the first request is taken.
  [[nodiscard]] MayEnd open();
  // Of a node that was made for looking: whether open() would succeed, as far as that can be seen while nothing is changed. No
  // lock is taken, no listener opened (a port in use is its running server's), and Redis is not asked. A database that is away is an Ending here; a start goes on
  // without it.
  [[nodiscard]] MayEnd check();
  // Starts all threads; returns when new items are durable and the listeners answer. `is_asked_to_stop` is asked meanwhile:
  // with a full disk that may take long, and a stop must not wait for it.
  void start(const std::function<bool()>& is_asked_to_stop);
  // Instead of it, for an owner that has no threads and turns the node by hand: what start() does, in the same order, when it
  // returns.
  void start_by_hand();

  // For a look from outside, between two turns.
  [[nodiscard]] shard::Shard& shard(uint32_t index) { return *parts_[index]->shard; }
  // How many of them there are already.
  [[nodiscard]] uint32_t shards_made() const { return static_cast<uint32_t>(parts_.size()); }
  // One turn of a shard; false when it has left.
  bool turn_shard(uint32_t index) { return parts_[index]->shard->tick(); }
  // What the helper threads do otherwise.
  orderlog::SegmentKeeper::Step prepare_segments() { return keeper_->prepare_some(); }
  bool make_snapshots() { return keeper_->tell_some(); }
  bool write_access_log() { return process_->access_log && process_->access_log->step(); }
  // Null: there is no database.
  [[nodiscard]] drain::Drainer* drainer() { return drainer_.get(); }
  [[nodiscard]] Ledgers& ledgers() { return *ledgers_; }

  // Any thread.
  void replace_keys(shard::SharedKeys keys);
  // The access log's file is opened again by its name.
  void reopen_access_log() {
    if (process_->access_log) process_->access_log->reopen();
  }
  // What was read again, for shard 0 to put in force.
  [[nodiscard]] shard::Delivery deliver(std::shared_ptr<const shard::Reload> reload);
  // How often operators have asked for it.
  [[nodiscard]] uint64_t reloads_asked() const;
  // The operators who asked since the last call; empty: none.
  [[nodiscard]] std::string take_reload_askers();
  // The lists of users of all items, read again from their files; publishes nothing.
  [[nodiscard]] Result<std::shared_ptr<const door::Enrolments>> read_enrolments() const {
    return node::read_enrolments(enrolled_files_, settings_.catalog_dir, data_.manifest().hash_key);
  }
  // That descriptors permit.
  [[nodiscard]] uint32_t connections_max() const { return settings_.connections_max; }
  // Why keys were not taken (Delivery::lacks_keys).
  [[nodiscard]] std::string_view lack_in(const door::Keys& keys) const {
    return shard::lack_of(&keys, process_->reload.keys_needed());
  }
  void begin_stop();
  // A stop that keeps listeners and connections open for a process that takes this one's place; an Error: nothing has begun.
  [[nodiscard]] Status begin_hand_over();
  // It is an ordinary stop from now on. Before finish().
  void end_hand_over();
  // Behind finish() after it.
  [[nodiscard]] const net::PassedSockets& left() const { return left_; }
  [[nodiscard]] bool has_stopped() const;
  // Whether every shard has turned since the last call: what the service manager's watchdog asks.
  [[nodiscard]] bool is_alive();
  // Once a second: gives segments back that are covered by a snapshot and drained. Does not return when the database refuses this
  // node.
  void release_segments();
  // Once a second: a line for each shard that had slow turns since.
  void tell_slow_turns();

  // After has_stopped(): joins the shards, lets the drainer finish, stops the helpers. False: one of those has a snapshot or a segment
  // under way that takes seconds. It goes with the process, as in a crash: the process leaves by _exit(), for to destroy the node would
  // be to wait.
  [[nodiscard]] bool finish();

  // Of open().
  [[nodiscard]] const Progress& progress() const { return data_.progress(); }

  [[nodiscard]] net::Address listen_address() const;
  [[nodiscard]] net::Address admin_address() const;
  // What was recovered, how the disk is written.
  [[nodiscard]] const std::vector<std::string>& notices() const { return notices_.lines(); }

 private:
  // What one shard is made of, in the order of construction.
  struct Parts {
    std::unique_ptr<orderlog::Disk> disk;
    std::unique_ptr<orderlog::Writer> writer;
    std::unique_ptr<stock::Catalog> catalog;
    std::unique_ptr<shard::Shard> shard;
  };

  // open(), in this order
  MayEnd look(Findings& findings);
  MayEnd restore(Findings& findings);
  MayEnd plan_items();
  MayEnd merge_items();
  MayEnd name_products();
  MayEnd look_at_terms();
  void say_what_operators_left();
  MayEnd look_behind_loss();
  MayEnd open_listeners();
  MayEnd open_access_log();
  MayEnd check_places() const;
  MayEnd write_verdict();
  MayEnd change_shard_count();
  MayEnd agree_with_others();
  MayEnd reconcile_database();
  MayEnd go_on_after_loss();
  MayEnd make_helpers();
  void remove_old_generations();
  MayEnd make_shards();

  MayEnd drain_before_change();
  void note_recovery(double seconds);
  std::unique_ptr<cluster::Registry> make_registry() const;
  bool is_looking() const { return data_.use() == Data::Use::looking; }
  std::unique_ptr<Ledgers> make_ledgers();
  MayEnd make_shard(uint32_t index, uint64_t sequence_max);
  shard::ShardSettings settings_of(uint32_t index, uint32_t group_count) const;
  std::unique_ptr<stock::Catalog> make_catalog() const;

  // run
  void end_if_refused() const;
  void make_admin();
  [[nodiscard]] bool is_stopping() const;
  void add_listeners();
  void adopt_connections();
  // This server, or one that was here before, has opened the listener.
  bool owns_listen_file() const {
    return settings_.passed.listen.empty() || settings_.passed.owns_listen;
  }
  bool owns_admin_file() const {
    return settings_.passed.admin.empty() || settings_.passed.owns_admin;
  }
  void log_before_turning(uint32_t index);
  void run_shard(uint32_t index);
  void note_started();
  uint32_t orders_max_per_shard(uint32_t shard_count) const;
  uint32_t order_cells(uint32_t shard_count) const;
  shard::DrainStatus drain_status() const;

  const NodeSettings settings_;
  Machine& machine_;
  Clock& clock_;
  Notices notices_;
  Data data_;
  std::unique_ptr<StartAnswers> start_answers_;  // from the look into the logs to the end of open()
  Join join_;
  orderlog::DiskPlan disk_plan_;
  std::vector<stock::CatalogEntry> catalog_;  // of the settings, each entry with its code
  ItemPlan items_;
  shard::KeyKinds keys_needed_ = 0;
  std::set<std::string> enrolled_files_;
  std::shared_ptr<const door::Enrolments> enrolments_;  // as the start read them
  bool has_lost_ = false;
  uint64_t sequence_floor_ = 0;  // after a loss: no order gets a number up to this one
  drain::ItemNames item_names_;
  std::unique_ptr<drain::Sink> sink_;  // null: no database, nor the next two
  std::unique_ptr<DrainStreams> drain_streams_;
  std::unique_ptr<drain::Drainer> drainer_;
  std::unique_ptr<Snapshotter> snapshotter_;
  std::unique_ptr<orderlog::SegmentKeeper> keeper_;
  std::vector<orderlog::StreamSegments*> segments_;  // the keeper's
  std::unique_ptr<shard::Process> process_;
  net::DescriptorBudget descriptors_;
  std::vector<std::unique_ptr<net::Net>> nets_;  // by shard; of its ledger's socket too
  std::unique_ptr<Ledgers> ledgers_;
  std::vector<std::unique_ptr<Parts>> parts_;  // by shard
  std::unique_ptr<shard::Admin> admin_;
  std::vector<net::Socket> listeners_, admin_listeners_;
  net::PassedSockets left_;
  std::vector<std::thread> threads_;
  std::atomic<bool> items_are_durable_{false};
  std::vector<uint64_t> turns_seen_;
  std::vector<uint64_t> slow_turns_told_;  // of each shard, how many
};

}  // namespace stampede::node
