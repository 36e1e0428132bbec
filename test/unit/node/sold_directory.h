// A data directory that has sold, written by the real writer, and a database beside it.
#pragma once

#include <doctest/doctest.h>

#include <deque>
#include <filesystem>
#include <functional>
#include <string>

#include "../orderlog/rig.h"
#include "drain/drainer.h"
#include "drain/sqlite.h"
#include "drain/sqlite_connection.h"
#include "node/snapshotter.h"

namespace stampede::node {

constexpr uint32_t kCells = 1'000;

// A directory of node 3 with two shards, of which the first sells, and a database beside it.
struct SoldDirectory {
  orderlog::ScratchDir scratch;
  std::string dir = scratch.path() + "/data", path = scratch.path() + "/orders.db";
  FreshData fresh{.node = 3, .shard_count = 2, .segment_bytes = orderlog::kSmallSegment};
  drain::ItemNames names;
  std::deque<std::string> users;
  SystemClock clock;

  SoldDirectory() {
    names.set(0, "ticket");
    names.set(5, "ticket");
  }
  void make() {
    with_data([](Data& data, Findings&) {
      REQUIRE(bool(data.begin({})));
      REQUIRE(bool(data.repair()));
    });
  }
  void with_data(const std::function<void(Data&, Findings&)>& use, bool restores = true) {
    Data data(dir, Data::Use::serving);
    Findings findings;
    REQUIRE_FALSE(data.open_to_serve(fresh, findings));
    if (restores) REQUIRE_FALSE(data.restore({.order_cells = kCells}, findings));
    use(data, findings);
  }
  // One batch of the first stream.
  void append(const std::vector<orderlog::Record>& records) {
    with_data([&](Data& data, Findings&) {
      orderlog::StreamFiles files = data.files(0);
      files.is_direct = false;
      orderlog::WritingRig rig(files, data.streams()[0].report.end);
      for (const orderlog::Record& record : records) rig.writer().append(record);
      rig.write_batch();
    });
  }
  // `batches` of the first stream, one order each; the first has what they need.
  void sell(int batches) {
    with_data([&](Data& data, Findings&) {
      orderlog::StreamFiles files = data.files(0);
      files.is_direct = false;
      orderlog::WritingRig rig(files, data.streams()[0].report.end);
      if (data.streams()[0].report.last_lsn == 0) {
        rig.writer().append(orderlog::Item{.item = 0, .code = "ticket"});
        rig.writer().append(orderlog::Supply{.item = 0, .supplied = kCells});
        rig.writer().append(orderlog::Grant{.item = 0, .accepted = kCells});
      }
      const uint64_t sold = data.sequence_max();
      for (int i = 1; i <= batches; ++i) {
        rig.writer().append(order(data, sold + static_cast<uint64_t>(i)));
        rig.write_batch();
      }
    });
  }
  // By a user of the first shard.
  orderlog::Reserve order(const Data& data, uint64_t sequence) {
    for (int i = 0;; ++i) {
      const std::string user = "u" + std::to_string(sequence) + "-" + std::to_string(i);
      const uint32_t slot = slot_of(keyed_hash(data.manifest().hash_key, user));
      if (shard_of_slot(slot, 2) != 0) continue;
      orderlog::Reserve reserve = orderlog::sample_reserve(sequence, users.emplace_back(user), "");
      reserve.item = 0, reserve.quantity = 1;
      reserve.order = OrderId::make(3, sequence, slot);
      return reserve;
    }
  }
  void drain() {
    with_data([&](Data& data, Findings&) {
      drain::SqliteSink sink(path);
      const DrainStreams streams(data);
      drain::Drainer drainer(sink, names, clock, streams.all());
      REQUIRE(drainer.drain_now(60 * kSecond));
    });
  }
  // The first segments are in snapshots, and gone.
  void lose_segments(uint32_t below) {
    with_data([&](Data& data, Findings&) {
      Snapshotter snapshotter({data.files(0)}, data.manifest().hash_key, kCells, data.boot_id(),
                              [](uint32_t) { return 0; });
      for (uint32_t segment = 1; segment < below; ++segment) {
        snapshotter.on_segment_closed(0, segment);
        if (segment < below - 1) std::filesystem::remove(data.files(0).segment_path(segment));
      }
      std::filesystem::remove(data.files(0).segment_path(below - 1));
    });
  }
  // The log keeps them.
  void snapshot_of_segments_below(uint32_t segment) {
    with_data([&](Data& data, Findings&) {
      Snapshotter({data.files(0)}, data.manifest().hash_key, kCells, data.boot_id(), [](uint32_t) {
        return 0;
      }).on_segment_closed(0, segment - 1);
    });
  }
  void set_position(const StreamKey& stream, const orderlog::Position& position) {
    drain::SqliteSink sink(path);
    REQUIRE(bool(sink.positions()));
    drain::Batch batch(names);
    batch.start(stream, std::nullopt);
    batch.advance(position, 0);
    REQUIRE(sink.write(batch, 0).outcome == drain::Outcome::done);
  }
  void execute(const std::string& sql) const {
    auto other = drain::SqliteConnection::open(path, SQLITE_OPEN_READWRITE, 1'000);
    REQUIRE(bool(other));
    REQUIRE((*other).execute(sql.c_str()) == SQLITE_OK);
  }
};

constexpr StreamKey kFirstStream{.node = 3, .generation = 1, .shard = 0},
    kSecondStream{.node = 3, .generation = 1, .shard = 1};
constexpr orderlog::Position kBeyond{
    .segment = 1, .offset = 4096, .batch_seq = 9, .next_lsn = 900, .prev_chain = 7};

}  // namespace stampede::node
