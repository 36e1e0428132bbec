#include "orderlog/writer.h"

#include "orderlog/reader.h"
#include "rig.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <thread>
#include <vector>

namespace stampede::orderlog {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Moment later_by_ms(int64_t ms) {
  return {.wall_ns = kNoon.wall_ns + ms * kMillisecond,
          .boot_ns = kNoon.boot_ns + ms * kMillisecond};
}

// A child that writes one good batch, and then one whose outcome is `outcome`.
ChildEnd write_with_outcome(const StreamFiles& files, int64_t outcome) {
  return run_in_child([&] {
    WritingRig rig(files);
    rig.writer().append(sample_reserve(1));
    rig.write_batch();
    rig.disk.on_write = [&](int fd, uint64_t offset, std::span<const std::byte> bytes) {
      if (outcome > 0) ScriptedDisk::write(fd, offset, bytes.first(static_cast<size_t>(outcome)));
      return outcome;
    };
    rig.writer().append(sample_reserve(2));
    rig.write_batch();
    _exit(rig.marks.durable.get() == 2 ? 99 : 98);
  });
}

TEST_SUITE("orderlog/writer") {
  TEST_CASE("what is in flight stays as it is while the next batch fills") {
    const ScratchDir dir;
    WritingRig rig(small_files(dir.path()));
    std::span<const std::byte> in_flight;
    rig.disk.on_write = [&](int fd, uint64_t offset, std::span<const std::byte> bytes) {
      in_flight = bytes;
      return ScriptedDisk::write(fd, offset, bytes);
    };
    rig.writer().append(sample_reserve(1));
    REQUIRE(rig.writer().start_write(kNoon));
    const std::vector<std::byte> submitted(in_flight.begin(), in_flight.end());
    rig.writer().append(sample_reserve(2, "another"));
    CHECK(std::equal(in_flight.begin(), in_flight.end(), submitted.begin(), submitted.end()));
    CHECK(rig.writer().poll(kNoon));
    rig.write_batch();
  }

  TEST_CASE("records are numbered from 1 and the durable mark follows the write") {
    const ScratchDir dir;
    WritingRig rig(small_files(dir.path()));
    Writer& writer = rig.writer();
    CHECK(writer.is_idle());
    CHECK_FALSE(writer.start_write(kNoon));
    CHECK_EQ(writer.append(sample_reserve(1)), 1);
    CHECK_EQ(writer.append(sample_reserve(2)), 2);
    CHECK_EQ(rig.marks.appended.get(), 2);
    CHECK_EQ(rig.marks.durable.get(), 0);

    rig.disk.holds_outcomes = true;
    CHECK(writer.start_write(kNoon));
    CHECK(writer.is_writing());
    CHECK_FALSE(writer.poll(kNoon));
    CHECK_EQ(rig.marks.durable.get(), 0);

    rig.disk.holds_outcomes = false;
    CHECK(writer.poll(kNoon));
    CHECK_EQ(rig.marks.durable.get(), 2);
    CHECK_EQ(writer.durable(), 2);
    CHECK_EQ(writer.durable_seq(), 1);
    CHECK(writer.is_idle());
    CHECK_FALSE(writer.poll(kNoon));
  }

  TEST_CASE("the next batch fills while one is in flight and waits for it") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    WritingRig rig(files);
    Writer& writer = rig.writer();
    writer.append(sample_reserve(1));
    rig.disk.holds_outcomes = true;
    CHECK(writer.start_write(kNoon));
    const size_t room = writer.room();
    CHECK_EQ(writer.append(sample_reserve(2)), 2);
    CHECK_EQ(room - writer.room(), encoded_bytes(sample_reserve(2)));
    CHECK_FALSE(writer.start_write(kNoon));
    CHECK_EQ(rig.disk.submits, 1);
    rig.disk.holds_outcomes = false;
    CHECK(writer.poll(kNoon));
    CHECK_EQ(rig.marks.durable.get(), 1);
    rig.write_batch();
    CHECK_EQ(rig.marks.durable.get(), 2);
    CHECK_EQ(recover_log(files)->last_lsn, 2);
  }

  TEST_CASE("room is exact: it takes a record of that size and none more") {
    const ScratchDir dir;
    WritingRig rig(small_files(dir.path()));
    Writer& writer = rig.writer();
    const size_t bytes = encoded_bytes(sample_reserve(1));
    while (writer.room() >= bytes) writer.append(sample_reserve(writer.appended() + 1));
    CHECK(writer.room() < bytes);
    CHECK(writer.room_for_new_orders() == 0);
    rig.write_batch();
    CHECK(writer.room() > bytes);
    CHECK_EQ(recover_log(small_files(dir.path()))->last_lsn, writer.durable());
  }

  TEST_CASE("an append without room is a bug and ends the process") {
    const ScratchDir dir;
    const ChildEnd end = run_in_child([&] {
      WritingRig rig(small_files(dir.path()));
      while (true) rig.writer().append(sample_reserve(1));
    });
    CHECK_EQ(end.exit_code, -1);  // SIGABRT
    CHECK(contains(end.text, "bug"));
  }

  TEST_CASE("a sealed writer takes nothing and drops what was not on its way") {
    const ScratchDir dir;
    WritingRig rig(small_files(dir.path()));
    Writer& writer = rig.writer();
    writer.append(sample_reserve(1));
    rig.write_batch();
    writer.append(sample_reserve(2));
    writer.seal();
    CHECK(writer.is_idle());
    CHECK(writer.room() == 0);
    CHECK(writer.room_for_new_orders() == 0);
    CHECK_FALSE(writer.start_write(kNoon));
    CHECK_EQ(recover_log(small_files(dir.path()))->last_lsn, 1);
    const ChildEnd end = run_in_child([&] { writer.append(sample_reserve(3)); });
    CHECK_EQ(end.exit_code, -1);  // SIGABRT
    CHECK(contains(end.text, "!is_sealed_"));
  }

  TEST_CASE("a writer is not sealed while its memory is the disk's") {
    const ScratchDir dir;
    WritingRig rig(small_files(dir.path()));
    rig.writer().append(sample_reserve(1));
    rig.disk.holds_outcomes = true;
    REQUIRE(rig.writer().start_write(kNoon));
    CHECK(contains(run_in_child([&] { rig.writer().seal(); }).text, "!is_writing()"));
    rig.disk.holds_outcomes = false;
    rig.writer().poll(kNoon);
    rig.writer().seal();
  }

  TEST_CASE("a writer belongs to the thread that bound it") {
    const ScratchDir dir;
    WritingRig rig(small_files(dir.path()));
    std::thread([&] { rig.writer().bind(); }).join();
    CHECK(contains(run_in_child([&] { rig.writer().append(sample_reserve(1)); }).text,
                   "owner_.is_mine()"));
    CHECK(contains(run_in_child([&] { rig.writer().poll(kNoon); }).text, "owner_.is_mine()"));
  }

  TEST_CASE("new orders leave room for payments and cancels") {
    const ScratchDir dir;
    WritingRig rig(small_files(dir.path()));
    Writer& writer = rig.writer();
    while (writer.room_for_new_orders() >= encoded_bytes(sample_reserve(1)))
      writer.append(sample_reserve(1));
    CHECK(writer.room() >= small_files("").batch_bytes() / 5);
    writer.append(Cancel{.order = {1}});
    rig.write_batch();
  }

  TEST_CASE("a full segment ends with a record that names the next one and the log goes on there") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    WritingRig rig(files);
    while (rig.writer().position().segment < 4) {
      rig.writer().append(sample_reserve(rig.writer().appended() + 1));
      rig.write_batch();
    }
    std::vector<uint32_t> ends;
    const auto report = recover({.files = files, .is_read_only = true},
                                [&](Lsn, const Record& record, const Batch& batch) -> Status {
                                  if (const auto* end = std::get_if<SegmentEnd>(&record)) {
                                    CHECK_EQ(end->next_segment, batch.segment() + 1);
                                    ends.push_back(batch.segment());
                                  }
                                  return Ok{};
                                });
    CHECK(ends == std::vector<uint32_t>{1, 2, 3});
    CHECK(report->end == rig.writer().position());
    CHECK_EQ(report->last_lsn, rig.marks.durable.get());
  }

  TEST_CASE("batches of any size never reach over the end of a segment") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    WritingRig rig(files);
    const size_t bytes = encoded_bytes(sample_reserve(1));
    for (size_t round = 1; round < 60; ++round) {
      for (size_t i = 0; i < round * 7 && rig.writer().room() >= bytes; ++i)
        rig.writer().append(sample_reserve(rig.writer().appended() + 1));
      rig.write_batch();
    }
    CHECK(recover_log(files)->outcome == RecoveryOutcome::clean);
    CHECK(recover_log(files)->end == rig.writer().position());
  }

  TEST_CASE("without a next segment nothing is lost and nothing is written over") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    WritingRig rig(files);
    Writer& writer = rig.writer();
    rig.maker.error = ENOSPC;
    int batches = 0;
    while (true) {
      writer.append(Cancel{.order = {1}});
      if (!writer.start_write(kNoon)) break;
      writer.poll(kNoon);
      ++batches;
      REQUIRE(batches < 1000);
    }
    CHECK(writer.is_blocked());
    CHECK_EQ(writer.room_for_new_orders(), 0);
    CHECK(writer.room() > 0);
    const Lsn waiting = writer.append(Cancel{.order = {2}});
    CHECK(rig.marks.durable.get() < waiting);
    CHECK(recover_log(files)->outcome == RecoveryOutcome::clean);

    rig.maker.error = 0;
    rig.write_batch();
    CHECK_FALSE(writer.is_blocked());
    CHECK(rig.marks.durable.get() >= waiting);
    CHECK_EQ(recover_log(files)->last_lsn, rig.marks.durable.get());
  }

  TEST_CASE("a failed write ends the process with 71 and says where and why") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    const ChildEnd end = write_with_outcome(files, -EIO);
    CHECK_EQ(end.exit_code, kExitLogWrite);
    CHECK(contains(end.text, files.segment_path(1)));
    CHECK(contains(end.text, "offset 4096"));
    CHECK(contains(end.text, "Input/output error"));
    CHECK_EQ(recover_log(files)->last_lsn, 1);
  }

  TEST_CASE("every error but an interruption ends the process") {
    for (const int64_t outcome : {-ENOSPC, -ECANCELED, -EROFS, -EINVAL, -ENXIO, -EDQUOT}) {
      const ScratchDir dir;
      CHECK_EQ(write_with_outcome(small_files(dir.path()), outcome).exit_code, kExitLogWrite);
    }
  }

  TEST_CASE("a short write ends the process with 71 and the start cuts it") {
    for (const int64_t written : {0, 1, 512, 4095}) {
      const ScratchDir dir;
      const StreamFiles files = small_files(dir.path());
      CHECK_EQ(write_with_outcome(files, written).exit_code, kExitLogWrite);
      CHECK(recover_log(files)->last_lsn <= 2);
      CHECK(recover_log(files)->outcome != RecoveryOutcome::damaged);
    }
  }

  TEST_CASE("a write that never began is submitted again with the same bytes") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    WritingRig rig(files);
    std::vector<std::string> attempts;
    rig.disk.on_write = [&](int fd, uint64_t offset, std::span<const std::byte> bytes) -> int64_t {
      attempts.emplace_back(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      if (attempts.size() == 1) return -EINTR;
      if (attempts.size() == 2) return -EAGAIN;
      return ScriptedDisk::write(fd, offset, bytes);
    };
    rig.writer().append(sample_reserve(1));
    CHECK(rig.writer().start_write(kNoon));
    CHECK_FALSE(rig.writer().poll(kNoon));
    CHECK_EQ(rig.marks.durable.get(), 0);
    CHECK_FALSE(rig.writer().poll(kNoon));
    CHECK(rig.writer().poll(kNoon));
    CHECK_EQ(attempts.size(), 3);
    CHECK(attempts[0] == attempts[2]);
    CHECK_EQ(recover_log(files)->last_lsn, 1);
  }

  TEST_CASE("a write that takes longer than the watchdog allows ends the process with 71") {
    const ScratchDir dir;
    const auto wait_ms = [&](int64_t ms) {
      return run_in_child([&] {
        WritingRig rig(small_files(dir.path()));
        rig.disk.holds_outcomes = true;
        rig.writer().append(sample_reserve(1));
        rig.writer().start_write(kNoon);
        rig.writer().poll(later_by_ms(ms));
        _exit(0);
      });
    };
    CHECK_EQ(wait_ms(bounds::log_write_watchdog_ms).exit_code, 0);
    CHECK_EQ(wait_ms(bounds::log_write_watchdog_ms + 1).exit_code, kExitLogWrite);
  }

  TEST_CASE("an outcome that came is taken however late it is looked at") {
    const ScratchDir dir;
    WritingRig rig(small_files(dir.path()));
    rig.writer().append(sample_reserve(1));
    CHECK(rig.writer().start_write(kNoon));
    CHECK(rig.writer().poll(later_by_ms(3'600'000)));  // the process was stopped for an hour
  }

  TEST_CASE("batches carry the time and the epoch and what was durable") {
    const ScratchDir dir;
    const StreamFiles files = small_files(dir.path());
    WritingRig rig(files);
    rig.writer().append(sample_reserve(1));
    rig.write_batch();
    rig.writer().set_epoch(7);
    rig.writer().append(sample_reserve(2));
    rig.write_batch(later_by_ms(5));
    Reader reader(files, Position{});
    CHECK(reader.next(2)->has_value());
    const BatchHeader header = (*reader.next(2))->header();
    CHECK_EQ(header.epoch, 7);
    CHECK_EQ(header.wall_ns, kNoon.wall_ns + 5 * kMillisecond);
    CHECK_EQ(header.boot_ns, kNoon.boot_ns + 5 * kMillisecond);
    CHECK(header.boot_id == BootId{1, 2});
    CHECK_EQ(header.durable_seq, 1);
  }
}

}  // namespace
}  // namespace stampede::orderlog
