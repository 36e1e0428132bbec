// A whole server in one thread: real shards with their desks, logs, mailboxes and embedded books, turned by hand one
// after the other; the network, the disks and the clock are fakes. Nothing happens between two turns but what the test
// does, so "the stop begins in the middle of everything" is a line of a test, and a failure is found again by its seed.
//
//   Buyer ── FakeNet ──▶ Shard 0 ◀── lanes ──▶ Shard 1 ◀── FakeNet ── Buyer
//                        Writer                Writer
//                        FakeDisk              FakeDisk      files in a scratch directory: what is durable
//
// It sells one item, `ticket` for 100 cents. Segments are small, and recycled or made between the rounds.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "buyer.h"
#include "door/keys.h"
#include "fake_clock.h"
#include "fake_disk.h"
#include "fake_ledger.h"
#include "fake_net.h"
#include "ledger/embedded.h"
#include "node/restore.h"
#include "orderlog/directory.h"
#include "orderlog/segments.h"
#include "orderlog/writer.h"
#include "shard/admin.h"
#include "shard/shard.h"

namespace stampede::world {

struct WorldSettings {
  uint32_t shards = 1;
  Units stock = 1'000;
  int64_t pay_window_s = 600;
  Quantity per_user_limit = 0;
  bool has_hidden_link = false, has_proof = false;
  std::string enrolled;          // file with the users that may buy; read_list() says who they are
  std::string admin_host;        // by which operators may call it: "here" for a Buyer; empty: none
  bool has_fake_ledger = false;  // instead of the embedded one; for one shard
};

class World {
 public:
  explicit World(const WorldSettings& settings);
  ~World();
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // ---- turning ----

  // One turn of one shard; nothing when it has left.
  void turn(uint32_t shard);
  // One turn of each, then a piece of time.
  void round(int64_t ns = kMillisecond);
  void rounds(uint32_t count, int64_t ns = kMillisecond);
  void begin_stop();
  bool have_all_left() const;
  // Rounds until the next answer is there; within the time that anything may take.
  Answer await_answer(Buyer& buyer);

  // ---- people ----

  Buyer& connect(uint32_t shard);
  Buyer& connect_operator();
  std::vector<std::unique_ptr<Buyer>>& buyers() { return buyers_; }
  const door::Key& payment_key() const { return payment_key_; }
  // The same secret for links and proofs, as a second server would have it.
  const door::Key& door_key() const { return door_key_; }
  // What the file of enrolled users holds from now on.
  void read_list(std::string_view users);
  int64_t now_unix() { return clock.now().wall_ns / kSecond; }
  // A user whose home is this shard.
  std::string user_at(uint32_t shard);

  // ---- looking ----

  uint32_t shard_count() const { return settings_.shards; }
  bool has_left(uint32_t shard) const { return hosts_[shard]->has_left; }
  shard::Shard& shard(uint32_t index) { return *hosts_[index]->shard; }
  FakeDisk& disk(uint32_t shard) { return hosts_[shard]->disk; }
  FakeNet& net(uint32_t shard) { return hosts_[shard]->net; }
  FakeLedger& fake_ledger() { return *hosts_[0]->fake_ledger; }
  shard::Process& process() { return process_; }
  // No segment can be made: the disk is full.
  void set_disk_full(bool is_full) { maker_.error = is_full ? ENOSPC : 0; }

  // What a start would find after a power cut now.
  node::RestoredStream recover(uint32_t shard);

  FakeClock clock;

 private:
  class SparseMaker final : public orderlog::SegmentMaker {
   public:
    int error = 0;
    int make(const std::string& path, size_t bytes) override;
  };
  struct Host {
    explicit Host(const HashKey& key) : state(key, kOrdersMax), catalog(key) {}

    FakeNet net;
    FakeDisk disk;
    orderlog::StreamSegments* segments = nullptr;
    std::unique_ptr<orderlog::Writer> writer;
    std::unique_ptr<ledger::EmbeddedLedger> embedded;
    std::unique_ptr<FakeLedger> fake_ledger;
    stock::StreamState state;
    stock::Catalog catalog;
    std::unique_ptr<shard::Shard> shard;
    net::Socket listener = net::kNoSocket;
    bool has_left = false;
  };
  static constexpr uint32_t kOrdersMax = 4'096;

  void open_logs();
  void log_item();
  void make_shard(uint32_t index);
  void make_admin();
  stock::ItemTerms terms() const;
  orderlog::StreamFiles files(uint32_t shard) const;

  const WorldSettings settings_;
  std::string dir_;
  orderlog::Manifest manifest_;
  door::Key payment_key_, door_key_;
  shard::Process process_;
  SparseMaker maker_;
  std::unique_ptr<orderlog::SegmentKeeper> keeper_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::unique_ptr<shard::Admin> admin_;
  net::Socket admin_listener_ = net::kNoSocket;
  std::vector<std::unique_ptr<Buyer>> buyers_;
  uint32_t users_ = 0;
};

}  // namespace stampede::world
