#include "orderlog/reader.h"

#include "rig.h"

#include <doctest/doctest.h>

#include <atomic>
#include <string>
#include <thread>

namespace stampede::orderlog {
namespace {

TEST_SUITE("orderlog/reader") {
  TEST_CASE("nothing is read beyond the durable mark") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    const WrittenLog log = write_log(files, 3);
    Reader reader(files, Position{});
    CHECK_FALSE(reader.next(0)->has_value());
    CHECK_FALSE(reader.next(2)->has_value());  // the batch holds 1, 2, 3
    const auto batch = reader.next(3);
    REQUIRE((batch && batch->has_value()));
    CHECK_EQ((*batch)->first_lsn(), 1);
    CHECK_EQ((*batch)->last_lsn(), 3);
    CHECK_FALSE(reader.next(3)->has_value());
    CHECK(reader.position() == log.batches[1]);
  }

  TEST_CASE("a reader that goes on from a position sees the same batches") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    const WrittenLog log = write_log(files, 40, 10);
    for (size_t i = 0; i < log.batches.size(); ++i) {
      Reader reader(files, log.batches[i]);
      const auto batch = reader.next(UINT64_MAX);
      REQUIRE((batch && batch->has_value()));
      CHECK_EQ((*batch)->batch_seq(), i + 1);
      CHECK(reader.position() == (i + 1 < log.batches.size() ? log.batches[i + 1] : log.end));
    }
  }

  TEST_CASE("a live log is followed through its segments without reading stale bytes") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    WritingRig rig(files);
    Reader reader(files, Position{});
    Lsn read = 0;
    for (int i = 0; i < 200; ++i) {
      for (int j = 0; j <= i % 5; ++j)
        rig.writer().append(sample_reserve(rig.writer().appended() + 1));
      rig.write_batch();
      if (i % 3 == 0) continue;
      while (true) {
        const auto batch = reader.next(rig.marks.durable.get());
        REQUIRE_MESSAGE(batch, (batch ? "" : batch.error().message));
        if (!batch->has_value()) break;
        CHECK_EQ((*batch)->first_lsn(), read + 1);
        read = (*batch)->last_lsn();
      }
      CHECK_EQ(read, rig.marks.durable.get());
    }
    CHECK(reader.position() == rig.writer().position());
  }

  TEST_CASE("a reader on another thread keeps up with the writer") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    WritingRig rig(files);
    constexpr Lsn kLast = 3'000;
    std::atomic<bool> has_failed{false};
    std::thread drainer([&] {
      Reader reader(files, Position{});
      while (reader.position().next_lsn <= kLast && !has_failed) {
        const auto batch = reader.next(rig.marks.durable.get());
        if (!batch) has_failed = true;
        if (batch && !batch->has_value()) std::this_thread::yield();
      }
    });
    while (rig.writer().durable() < kLast && !has_failed) {
      for (int i = 0; i < 7; ++i) rig.writer().append(sample_reserve(rig.writer().appended() + 1));
      rig.write_batch();
    }
    drainer.join();
    CHECK_FALSE(has_failed);
  }

  TEST_CASE("damage below the mark is an error with its place") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    const WrittenLog log = write_log(files, 3);
    Damage(files.segment_path(1)).flip(log.batches[1].offset + 300, 2);
    Reader reader(files, Position{});
    CHECK(reader.next(9)->has_value());
    const auto batch = reader.next(9);
    REQUIRE_FALSE(batch);
    CHECK_EQ(batch.error().message,
             "segment 1 (" + files.segment_path(1) +
                 ") offset 4096 sequence 2: the checksum of the records is wrong");
  }

  TEST_CASE("a segment that is gone is an error that says so") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    Reader reader(files, {.segment = 9, .batch_seq = 5, .next_lsn = 5});
    const auto batch = reader.next(5);
    REQUIRE_FALSE(batch);
    CHECK(batch.error().message.find("segment 9") != std::string::npos);
    CHECK(batch.error().message.find("missing") != std::string::npos);
  }

  TEST_CASE("batches of a mebibyte are read whole") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path(), bounds::segment_bytes_min * 2);
    WritingRig rig(files);
    for (int i = 0; i < 6; ++i) {
      while (rig.writer().room() >= bounds::record_bytes_max)
        rig.writer().append(sample_reserve(rig.writer().appended() + 1));
      rig.write_batch();
    }
    Reader reader(files, Position{});
    Lsn read = 0;
    while (read < rig.marks.durable.get()) {
      const auto batch = reader.next(rig.marks.durable.get());
      REQUIRE((batch && batch->has_value()));
      (*batch)->for_each([&](Lsn lsn, const Record& record) {
        CHECK_EQ(lsn, ++read);
        if (const auto* reserve = std::get_if<Reserve>(&record))
          CHECK_EQ(reserve->order.sequence(), lsn);
      });
    }
    CHECK(rig.writer().position().segment >= 2);
  }
}

}  // namespace
}  // namespace stampede::orderlog
