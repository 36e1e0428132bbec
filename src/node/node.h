// One running server: the data directory brought back to life, the shards and their helpers put together from the real
// seams (system clock, epoll, io_uring, SQLite), started, and stopped in order.
//
//   open()   lock → manifest → streams restored (all at once) → another number of shards? → items → database
//   run()    helper threads → shard 0 logs new items → all shards → ready … stop → shards → drainer → helpers
//
// Whatever prevents a start is an Ending with the exit code that operators know and one line that says what to do.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cluster/coordinator.h"
#include "cluster/epoch_link.h"
#include "cluster/redis_url.h"
#include "cluster/registry.h"
#include "drain/database.h"
#include "drain/drainer.h"
#include "drain/log_source.h"
#include "ledger/ledger.h"
#include "net/address.h"
#include "net/descriptor_budget.h"
#include "net/epoll_net.h"
#include "node/restore.h"
#include "node/snapshotter.h"
#include "orderlog/directory.h"
#include "orderlog/disk.h"
#include "orderlog/segments.h"
#include "orderlog/writer.h"
#include "shard/admin.h"
#include "shard/shard.h"
#include "stock/catalog_json.h"

namespace stampede::node {

struct NodeSettings {
  std::string data_dir;
  std::vector<stock::CatalogEntry> catalog;
  net::Address listen, admin;
  std::string admin_token;  // empty: none is asked for
  http::OwnHosts admin_hosts;
  uint32_t connections_max = 0;  // in all, beside those kept for operators
  uint32_t shard_count = 1;
  std::vector<int> cpus;  // shard i runs on cpus[i mod size]
  uint32_t node = 0;
  drain::DatabaseUrl database;
  std::string database_text;               // without a password
  std::optional<cluster::RedisUrl> redis;  // none: the embedded ledger
  int64_t ledger_timeout_ms = 1'000;
  orderlog::Durability durability = orderlog::Durability::fsync;
  bool by_ticket = false;
  int64_t retain_ms = 0;
  Units lease_max = 256;
  size_t segment_bytes = bounds::segment_bytes_default;
  uint64_t orders_max = 0;  // of the node
  uint64_t drain_lag_max = 0;
  bool accepts_loss = false;
  std::string version;  // of this build, for the operators
  shard::SharedKeys keys;
};

struct Ending {
  int exit_code = 0;
  std::string message;  // empty: a clean stop
};

class Node {
 public:
  explicit Node(NodeSettings settings);
  ~Node();

  // Everything up to the moment before the first request is taken.
  [[nodiscard]] std::optional<Ending> open();
  // Starts all threads; returns when new items are durable and the listeners answer. `is_asked_to_stop` is asked meanwhile:
  // with a full disk that may take long, and a stop must not wait for it.
  void start(const std::function<bool()>& is_asked_to_stop);

  // Any thread.
  void replace_keys(shard::SharedKeys keys);
  void begin_stop();
  [[nodiscard]] bool has_stopped() const;
  // Whether every shard has turned since the last call: what the service manager's watchdog asks.
  [[nodiscard]] bool is_alive();
  // Once a second: gives segments back that are covered by a snapshot and drained.
  void release_segments();

  // After has_stopped(): joins the shards, lets the drainer finish, stops the helpers.
  void finish();

  [[nodiscard]] net::Address listen_address() const;
  [[nodiscard]] net::Address admin_address() const;
  // Lines for the operator: what was recovered, how the disk is written.
  [[nodiscard]] const std::vector<std::string>& notices() const { return notices_; }

 private:
  struct Seams;  // of one shard

  std::optional<Ending> open_directory();
  std::optional<Ending> restore();
  std::optional<Ending> change_shard_count();
  std::optional<Ending> drain_before_change(const std::vector<RestoredStream>& streams);
  std::optional<Ending> merge_catalog();
  std::optional<Ending> agree_on_supply();
  std::optional<Ending> refuse_stranger();
  std::optional<Ending> agree_on_terms();
  bool shares_registry() const;
  std::optional<Ending> look_into_database();
  std::optional<Ending> go_on_after_loss();
  std::vector<std::vector<orderlog::Witness>> witnesses();
  std::vector<Result<RestoredStream>> restore_streams(bool accepts_loss);
  std::optional<Ending> open_listeners();
  std::optional<Ending> make_shards();
  void make_ledger(uint32_t shard, ledger::Book book);
  void make_coordinator();
  shard::LedgerStatus ledger_status() const;
  ledger::Book make_book(std::optional<Ending>& problem) const;
  std::vector<drain::Stream> drain_streams();
  std::optional<Ending> accept_loss();
  Status note_log_ends(const std::vector<orderlog::Position>& ends);
  void log_before_turning(uint32_t shard, const orderlog::Record& record);
  void write_before_turning(uint32_t shard);
  bool is_stopping() const;
  void log_new_items();
  void run_shard(uint32_t shard);
  uint32_t orders_max_per_shard(uint32_t shard_count) const;
  uint32_t order_cells(uint32_t shard_count) const;
  void take_over(const stock::RegisteredItem& live, stock::ItemTerms terms, Units stock);
  shard::DrainStatus drain_status() const;
  template <typename... Args>
  void note(const char* format, Args... args);

  NodeSettings settings_;
  SystemClock clock_;
  BootId boot_id_;
  std::optional<orderlog::DirectoryLock> lock_;
  orderlog::Manifest manifest_;
  orderlog::DiskPlan disk_plan_;
  std::vector<RestoredStream> streams_;
  std::vector<stock::ItemTerms> new_items_;
  std::vector<cluster::Supply> new_supplies_;  // of new_items_
  std::vector<stock::ItemTerms>
      changed_items_;  // known ones with new terms; after a loss all, paused
  bool has_lost_ = false;
  uint64_t sequence_floor_ = 0;  // after a loss: no order gets a number up to this one
  drain::ItemNames item_names_;
  std::unique_ptr<drain::Sink> sink_;
  std::vector<std::unique_ptr<drain::LogSource>> sources_;
  std::unique_ptr<drain::Drainer> drainer_;
  std::unique_ptr<Snapshotter> snapshotter_;
  orderlog::ZeroedSegmentMaker segment_maker_;
  std::unique_ptr<orderlog::SegmentKeeper> keeper_;
  std::vector<orderlog::StreamSegments*> segments_;  // the keeper's
  std::unique_ptr<shard::Process> process_;
  std::unique_ptr<cluster::Registry> registry_;   // shared ledger only, as the next four
  std::string registry_problem_;                  // why it did not answer at first; empty: it did
  std::vector<cluster::TermsOffer> open_offers_;  // which it could not settle
  std::vector<std::unique_ptr<cluster::EpochLink>> epoch_links_;  // by shard
  std::unique_ptr<cluster::Coordinator> coordinator_;
  net::DescriptorBudget descriptors_;
  std::vector<std::unique_ptr<Seams>> seams_;
  std::unique_ptr<ledger::Operators> shared_operators_;  // of the shared ledger
  std::unique_ptr<shard::Admin> admin_;
  std::vector<net::Socket> listeners_, admin_listeners_;
  std::vector<std::thread> threads_;
  std::atomic<bool> items_are_durable_{false};
  std::vector<uint64_t> turns_seen_;
  std::vector<std::string> notices_;
};

}  // namespace stampede::node
