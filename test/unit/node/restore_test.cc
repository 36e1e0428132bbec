#include "node/restore.h"

#include <doctest/doctest.h>

#include <deque>
#include <filesystem>
#include <fstream>
#include <string>

#include "../orderlog/rig.h"
#include "node/reshard.h"
#include "orderlog/directory.h"
#include "orderlog/snapshot.h"

namespace stampede::node {
namespace {

using namespace orderlog;
namespace fs = std::filesystem;

constexpr uint32_t kOrders = 40;
constexpr BootId kBoot{1, 2};

// A directory whose generation 2 was dealt out to three streams and has not sold yet.
struct Resharded {
  ScratchDir dir;
  Manifest manifest = next_generation(new_manifest(0, 1, kSmallSegment), 3, {{}});
  std::vector<OrderId> orders;

  Resharded() {
    std::vector<std::unique_ptr<stock::StreamState>> old;
    old.push_back(std::make_unique<stock::StreamState>(manifest.hash_key, 1'000));
    const auto put = [&](const Record& record) { REQUIRE(bool(old[0]->apply(record, 1, kNoon))); };
    put(Item{.item = 0, .code = "ticket"});
    put(Supply{.item = 0, .supplied = kOrders});
    put(Grant{.item = 0, .accepted = kOrders});
    for (uint64_t i = 1; i <= kOrders; ++i) put(order_of("u" + std::to_string(i), i));
    REQUIRE(bool(reshard(old, dir.path(), manifest, 1'000, kBoot)));
    for (const KnownStream& known : manifest.streams) CHECK(known.first_snapshot_sum != 0);
    REQUIRE(bool(write_manifest(dir.path(), manifest)));
  }

  Reserve order_of(const std::string& user, uint64_t sequence) {
    Reserve reserve = sample_reserve(sequence, users_.emplace_back(user), "");
    reserve.item = 0;
    reserve.quantity = 1;
    reserve.order =
        OrderId::make(0, sequence, slot_of(keyed_hash(manifest.hash_key, users_.back())));
    orders.push_back(reserve.order);
    return reserve;
  }

  StreamFiles files(uint32_t stream) const {
    StreamFiles files = stream_files(dir.path(), manifest, stream);
    files.is_direct = false;
    return files;
  }
  RestoredStream restore(uint32_t stream) const {
    Result<RestoredStream> restored = restore_stream({.files = files(stream),
                                                      .hash_key = manifest.hash_key,
                                                      .orders_max = 1'000,
                                                      .boot_id = kBoot,
                                                      .is_read_only = true});
    REQUIRE(bool(restored));
    return std::move(*restored);
  }
  std::string first_snapshot(uint32_t stream) const { return snapshot_path(files(stream), 1); }
  void check_damaged(uint32_t stream, const std::string& place) const {
    const RestoredStream restored = restore(stream);
    INFO(restored.report.message);
    CHECK(restored.report.outcome == RecoveryOutcome::damaged);
    CHECK(restored.report.message.find(place) != std::string::npos);
  }

 private:
  std::deque<std::string> users_;
};

TEST_SUITE("node/restore") {
  TEST_CASE("after a change of shards each order is in the stream of its user") {
    const Resharded world;
    uint32_t found = 0;
    for (uint32_t stream = 0; stream < 3; ++stream) {
      const RestoredStream restored = world.restore(stream);
      CHECK(restored.report.outcome == RecoveryOutcome::clean);
      for (const OrderId order : world.orders)
        if (restored.state->find_order(order) != kNone) {
          CHECK(shard_of_slot(order.slot(), 3) == stream);
          ++found;
        }
    }
    CHECK(found == kOrders);
  }

  TEST_CASE("a first snapshot that is damaged or gone or no file is never an empty start") {
    const Resharded world;
    for (const uint32_t stream : {0u, 1u}) {
      const std::string path = world.first_snapshot(stream), aside = world.dir.path() + "/aside";
      Damage(path).flip(5'000, 3);
      world.check_damaged(stream, path);
      CHECK(world.restore(stream).snapshot == SnapshotState::lost);  // no operator can accept that
      Damage(path).flip(5'000, 3);
      fs::rename(path, aside);
      world.check_damaged(stream, path);  // missing
      fs::create_symlink(aside, path);
      world.check_damaged(stream, path);
      fs::remove(path);
      fs::create_directory(path);
      world.check_damaged(stream, path);
      fs::remove(path);
      std::ofstream(path) << "";
      world.check_damaged(stream, path);
      fs::rename(aside, path);
      CHECK(world.restore(stream).report.outcome == RecoveryOutcome::clean);
    }
  }

  TEST_CASE("behind a damaged snapshot the one before is taken and this is told") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    SnapshotWriter writer(files);
    REQUIRE(bool(writer.begin(1)));
    REQUIRE(bool(writer.append(Item{.item = 0, .code = "ticket"})));
    REQUIRE(bool(writer.finish({.position = {.segment = 1}})));
    {
      WritingRig rig(files);
      rig.writer().append(Supply{.item = 0, .supplied = 7});
      rig.write_batch();
    }
    const auto restore = [&] {
      Result<RestoredStream> restored =
          restore_stream({.files = files, .orders_max = 10, .is_read_only = true});
      REQUIRE(bool(restored));
      CHECK(restored->report.outcome == RecoveryOutcome::clean);
      REQUIRE(restored->state->items().size() == 1);
      CHECK(restored->state->items()[0].supplied == 7);
      return restored->snapshot;
    };
    CHECK(restore() == SnapshotState::sound);
    std::ofstream(snapshot_path(files, 2)) << "no snapshot";
    CHECK(restore() == SnapshotState::passed_over);
  }

  TEST_CASE("a snapshot with more orders than there is room for makes no state to go on from") {
    const Resharded world;
    const Result<RestoredStream> restored = restore_stream({.files = world.files(1),
                                                            .hash_key = world.manifest.hash_key,
                                                            .orders_max = 1,
                                                            .boot_id = kBoot,
                                                            .is_read_only = true});
    REQUIRE(bool(restored));
    CHECK(restored->report.outcome == RecoveryOutcome::damaged);
    CHECK(restored->state->has_overflowed());
  }

  TEST_CASE("a first snapshot of another stream or directory or generation is refused") {
    const Resharded world, other;
    const std::string path = world.first_snapshot(1);
    for (const std::string& wrong : {world.first_snapshot(2), other.first_snapshot(1)}) {
      fs::copy_file(wrong, path, fs::copy_options::overwrite_existing);
      world.check_damaged(1, path);
    }
    // Sound in itself and of this stream, but not the one that the change of shards wrote.
    SnapshotWriter writer(world.files(1));
    REQUIRE(bool(writer.begin(1)));
    REQUIRE(bool(writer.finish({})));
    world.check_damaged(1, path);
  }

  TEST_CASE("a key or a number of shards that is not the log's is noticed at the orders") {
    Resharded world;
    RestoreInput input{.files = world.files(1),
                       .hash_key = world.manifest.hash_key,
                       .orders_max = 1'000,
                       .boot_id = kBoot,
                       .is_read_only = true};
    const auto is_damaged = [&] {
      return restore_stream(input)->report.outcome == RecoveryOutcome::damaged;
    };
    CHECK_FALSE(is_damaged());
    input.hash_key[0] ^= 1;
    CHECK(is_damaged());
    input.hash_key[0] ^= 1;
    input.files.stream_count = 2;
    CHECK(is_damaged());
    input.files.stream_count = 3;
    input.files.node = 5;
    CHECK(is_damaged());
  }

  TEST_CASE("a stream that has begun is not empty and one that has sold is not shorter") {
    Resharded world;
    KnownStream& known = world.manifest.streams[2];
    known.has_begun = true;
    world.check_damaged(2, "0000000001.log");
    const WrittenLog log = [&] {
      WritingRig rig(world.files(2));
      rig.writer().append(Epoch{.epoch = 1});
      rig.write_batch();
      WrittenLog written;
      written.end = rig.writer().position();
      return written;
    }();
    CHECK(world.restore(2).report.outcome == RecoveryOutcome::clean);
    note_log_end(known, log.end);
    CHECK(world.restore(2).report.outcome == RecoveryOutcome::clean);
    known.chain ^= 1;
    world.check_damaged(2, "another batch");
    known.chain ^= 1;
    known.last_lsn += 1;
    world.check_damaged(2, "manifest");
    known.last_lsn -= 1;
    Damage(world.files(2).segment_path(1)).put(0, std::string(4096, '\0'));
    world.check_damaged(2, "manifest");
  }

  TEST_CASE("an order that the log has in another stream than its user's is damage") {
    Resharded world;
    OrderId strange;
    {
      WritingRig rig(world.files(1));
      Reserve reserve = world.order_of("u1", kOrders + 1);
      for (int i = 2; shard_of_slot(reserve.order.slot(), 3) == 1; ++i)
        reserve = world.order_of("u" + std::to_string(i), kOrders + 1);
      strange = reserve.order;
      rig.writer().append(Grant{.item = 0, .accepted = kOrders});
      rig.writer().append(reserve);
      rig.write_batch();
    }
    CAPTURE(strange.slot());
    world.check_damaged(1, "an order of another stream");
  }

  TEST_CASE("a deadline is kept in its boot and begins anew in another") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    Reserve reserve = sample_reserve(1);
    reserve.item = 0;
    SUBCASE("from the log") {
      WritingRig rig(files);  // in boot 1 2
      rig.writer().append(Item{.item = 0, .code = "ticket", .pay_window_s = 900});
      rig.writer().append(Grant{.item = 0, .accepted = 2});
      rig.writer().append(reserve);
      rig.write_batch();
    }
    SUBCASE("from a snapshot") {
      SnapshotWriter writer(files);
      REQUIRE(bool(writer.begin(1)));
      REQUIRE(bool(writer.append(Item{.item = 0, .code = "ticket", .pay_window_s = 900})));
      REQUIRE(bool(writer.append(Grant{.item = 0, .accepted = 2})));
      REQUIRE(bool(writer.append(
          OrderImage{.reserve = reserve, .deadline_boot_ns = kNoon.boot_ns + 900 * kSecond})));
      REQUIRE(bool(writer.finish({.position = {.segment = 1}, .boot_id = kBoot})));
    }
    const auto deadline_in = [&](BootId boot) {
      const Result<RestoredStream> restored =
          restore_stream({.files = files, .orders_max = 10, .boot_id = boot, .is_read_only = true});
      REQUIRE(bool(restored));
      INFO(restored->report.message);
      REQUIRE(restored->report.outcome == RecoveryOutcome::clean);
      const stock::StreamState& state = *restored->state;
      return state.order(state.find_order(reserve.order)).deadline_boot_ns;
    };
    CHECK(deadline_in(kBoot) == kNoon.boot_ns + 900 * kSecond);
    CHECK(deadline_in({3, 4}) == 0);
  }

  TEST_CASE("numbers of orders that a snapshot has forgotten are not given again") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    SnapshotWriter writer(files);
    REQUIRE(bool(writer.begin(1)));
    REQUIRE(bool(
        writer.finish({.position = {.segment = 1}, .sequence_max = 12'345, .boot_id = kBoot})));
    const Result<RestoredStream> restored =
        restore_stream({.files = files, .orders_max = 10, .boot_id = kBoot, .is_read_only = true});
    REQUIRE(bool(restored));
    CHECK(restored->state->sequence_max() == 12'345);
  }

  TEST_CASE("units of an item that stream 0 does not know are damage") {
    std::vector<RestoredStream> streams(2);
    for (RestoredStream& stream : streams)
      stream.state = std::make_unique<stock::StreamState>(HashKey{}, 10);
    REQUIRE(bool(streams[0].state->apply(Item{.item = 0, .code = "a"}, 1, kNoon)));
    REQUIRE(bool(streams[1].state->apply(Grant{.item = 0, .accepted = 1}, 1, kNoon)));
    CHECK(bool(check_together(streams)));
    REQUIRE(bool(streams[1].state->apply(Grant{.item = 1, .accepted = 1}, 2, kNoon)));
    CHECK(check_together(streams).error().is_damage);
  }
}

}  // namespace
}  // namespace stampede::node
