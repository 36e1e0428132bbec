#include "node/snapshotter.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <filesystem>
#include <random>
#include <string>

#include "../orderlog/rig.h"
#include "node/restore.h"
#include "node/state_records.h"
#include "orderlog/snapshot.h"

namespace stampede::node {
namespace {

using namespace orderlog;
namespace fs = std::filesystem;

constexpr uint32_t kCells = 100'000;
constexpr BootId kBoot{1, 2};
constexpr size_t kRoom = 256;  // bytes, for any record of these tests
constexpr Units kSupply = 1'000'000;

// A stream whose shard is played by the test: what it appends is applied, and a snapshotter is told of closed segments.
class Stream {
 public:
  Stream() : files_(small_files(dir_.path())), rig_(files_) {
    put(Item{.item = 0, .code = "ticket"});
    put(Supply{.item = 0, .supplied = kSupply});
    put(Grant{.item = 0, .accepted = kSupply});
  }

  Reserve buy() {
    const uint64_t sequence = ++bought_;
    Reserve reserve =
        sample_reserve(sequence, users_.emplace_back("user-" + std::to_string(sequence)), "");
    reserve.item = 0, reserve.quantity = 1;
    reserve.order = OrderId::make(0, sequence, slot_of(keyed_hash({}, users_.back())));
    put(reserve);
    return reserve;
  }
  void cancel_and_forget(OrderId order) {
    put(Cancel{.order = order, .at_ms = 0});
    put(Forget{.order = order});
  }
  // As many records to one batch as it takes: with few, most of a block is empty, and a snapshot without the holes is soon
  // due.
  void put(const Record& record) {
    const Lsn lsn = rig_.writer().append(record);
    REQUIRE(bool(state_.apply(record, lsn, kNoon)));
    if (rig_.writer().room() < kRoom) write_batch();
  }
  void write_batch() {
    rig_.write_batch();
    for (; told_ < rig_.writer().position().segment; ++told_) {
      snapshotter_.on_segment_closed(0, told_);
      const std::vector<uint32_t> snapshots = *list_snapshots(files_);
      if (snapshots.empty() || snapshots.front() == newest_) continue;
      newest_ = snapshots.front();
      snapshot_bytes_ += fs::file_size(snapshot_path(files_, newest_));
    }
  }

  uint64_t log_bytes() const { return uint64_t{told_ - 1} * kSmallSegment; }
  uint64_t snapshot_bytes() const { return snapshot_bytes_; }
  uint32_t newest_snapshot() const { return newest_; }
  uint32_t covered_below() const { return snapshotter_.covered_below(0); }
  const StreamFiles& files() const { return files_; }
  const stock::StreamState& state() const { return state_; }

  // What a start finds now.
  RestoredStream restore() {
    if (!rig_.writer().is_idle()) write_batch();
    Result<RestoredStream> restored = restore_stream({.files = files_,
                                                      .hash_key = {},
                                                      .orders_max = kCells,
                                                      .boot_id = kBoot,
                                                      .is_read_only = true});
    REQUIRE(bool(restored));
    REQUIRE(restored->report.outcome != RecoveryOutcome::damaged);
    return std::move(*restored);
  }

 private:
  ScratchDir dir_;
  StreamFiles files_;
  WritingRig rig_;
  stock::StreamState state_{{}, kCells};
  Snapshotter snapshotter_{
      {files_}, {}, kCells, kBoot, [this](uint32_t) { return state_.image_bytes(); }};
  std::deque<std::string> users_;
  uint64_t bought_ = 0;
  uint32_t told_ = 1;
  uint32_t newest_ = 0;
  uint64_t snapshot_bytes_ = 0;
};

}  // namespace

TEST_SUITE("node/snapshotter") {
  TEST_CASE("a snapshot is due when it is a third of what a start would read without it") {
    CHECK(is_snapshot_due(0, 0));
    CHECK(is_snapshot_due(100, 300));
    CHECK_FALSE(is_snapshot_due(101, 300));
  }

  TEST_CASE("while orders only come in, no snapshot is written") {
    Stream stream;
    while (stream.log_bytes() < 40 * kSmallSegment) stream.buy();
    CHECK(stream.newest_snapshot() == 0);
    CHECK(stream.covered_below() == 0);
    CHECK(stream.restore().state->orders_live() == stream.state().orders_live());
  }

  TEST_CASE("when most orders are forgotten a snapshot takes the place of the log") {
    Stream stream;
    std::vector<OrderId> bought;
    while (stream.log_bytes() < 4 * kSmallSegment) bought.push_back(stream.buy().order);
    for (const OrderId order : bought) stream.cancel_and_forget(order);
    while (stream.covered_below() == 0) stream.cancel_and_forget(stream.buy().order);
    CHECK(stream.newest_snapshot() > stream.covered_below());
    const RestoredStream restored = stream.restore();
    CHECK(restored.start.segment == stream.newest_snapshot());
    CHECK(restored.state->sequence_max() == stream.state().sequence_max());
  }

  TEST_CASE("a damaged snapshot does not take the place of the sound one before it") {
    Stream stream;
    const auto forget_until = [&](auto is_over) {
      while (!is_over()) stream.cancel_and_forget(stream.buy().order);
    };
    for (int i = 0; i < 10; ++i) stream.buy();
    forget_until([&] { return list_snapshots(stream.files())->size() == 2; });
    const std::vector<uint32_t> before = *list_snapshots(stream.files());
    Damage(snapshot_path(stream.files(), before[0])).flip(5'000, 1);
    forget_until([&] { return stream.newest_snapshot() > before[0]; });

    const uint32_t newest = stream.newest_snapshot();
    CHECK(*list_snapshots(stream.files()) == std::vector<uint32_t>{newest, before[1]});
    CHECK(stream.covered_below() == before[1]);
    const Result<std::vector<std::string>> names = list_directory(stream.files().dir);
    REQUIRE(bool(names));
    CHECK(std::ranges::count_if(*names, [](const std::string& name) {
            return name.find(".damaged-") != std::string::npos;
          }) == 1);
    // And what is kept is enough without the newest.
    Damage(snapshot_path(stream.files(), newest)).flip(5'000, 1);
    const RestoredStream restored = stream.restore();
    CHECK(restored.start.segment == before[1]);
    CHECK(restored.state->orders_live() == stream.state().orders_live());
  }

  TEST_CASE(
      "snapshots write at most half of what the log writes, and a start reads at most three times "
      "the orders") {
    std::random_device device;
    const uint32_t seed = device();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    Stream stream;
    std::deque<OrderId> held;
    // Ten waves of orders that stay, go slowly, or go at once.
    for (int wave = 0; wave < 10; ++wave) {
      const uint32_t leaving =
          random() % 4;  // orders that go for each one that comes: 0, 1/2, 1, 2
      for (int i = 0; i < 3'000; ++i) {
        held.push_back(stream.buy().order);
        uint32_t go = leaving == 0 ? 0 : leaving == 1 ? i % 2 : leaving - 1;
        for (; go > 0 && !held.empty(); --go) {
          stream.cancel_and_forget(held.front());
          held.pop_front();
        }
      }
      CHECK(stream.snapshot_bytes() <= stream.log_bytes() / 2 + kSmallSegment);
      const RestoredStream restored = stream.restore();
      const uint64_t log_bytes = stream.log_bytes() - (restored.start.segment - 1) * kSmallSegment;
      CHECK(log_bytes <= 3 * stream.state().image_bytes() + 2 * kSmallSegment);
      CHECK(restored.state->orders_live() == held.size());
      CHECK(restored.state->image_bytes() == stream.state().image_bytes());
    }
    // Ten waves of which hardly anybody goes are rare and need none; when all have gone one is due.
    for (; !held.empty(); held.pop_front()) stream.cancel_and_forget(held.front());
    CHECK(stream.newest_snapshot() > 0);
  }

  TEST_CASE("what a start reads of the snapshot counts too") {
    Stream stream;
    std::deque<OrderId> held;
    while (stream.log_bytes() < 24 * kSmallSegment) held.push_back(stream.buy().order);
    const auto forget_one = [&] {
      stream.cancel_and_forget(held.front());
      held.pop_front();
    };
    while (stream.newest_snapshot() == 0) forget_one();
    const uint32_t first = stream.newest_snapshot();
    const uint64_t image_bytes = stream.state().image_bytes();
    // A fifth is left; the records that forget the others are fewer than three times that.
    while (stream.state().image_bytes() > image_bytes / 5) forget_one();
    CHECK(stream.log_bytes() - (first - 1) * kSmallSegment < 3 * stream.state().image_bytes());
    CHECK(stream.newest_snapshot() > first);
  }

  TEST_CASE("what a snapshot is said to take is what it takes") {
    Stream stream;
    std::vector<OrderId> held;
    for (int i = 0; i < 1'000; ++i) {
      const Reserve order = stream.buy();
      const std::string payment = "pay-" + std::to_string(i);
      if (i % 3 == 0)
        stream.put(Payment{.outcome = RecordType::paid,
                           .order = order.order,
                           .amount = order.amount,
                           .currency = order.currency,
                           .received_ms = 1,
                           .payment_id = payment});
      if (i % 3 == 1)
        stream.cancel_and_forget(order.order);
      else
        held.push_back(order.order);
    }
    stream.write_batch();
    const SnapshotFacts facts{.position = {.segment = 2}};
    REQUIRE(bool(write_snapshot(stream.state(), stream.files(), facts)));
    const double bytes = static_cast<double>(fs::file_size(snapshot_path(stream.files(), 2)));
    const double said = static_cast<double>(stream.state().image_bytes());
    CHECK(said > 0.75 * bytes);
    CHECK(said < 1.1 * bytes);
    for (const OrderId order : held) {
      if (stream.state().order(stream.state().find_order(order)).state == OrderState::reserved)
        stream.put(Cancel{.order = order, .at_ms = 0});
      stream.put(Forget{.order = order});
    }
    CHECK(stream.state().image_bytes() == 0);
  }
}

}  // namespace stampede::node
