// A stream that is copied while its server writes: the copy ends at the cut, goes on from there, notices damage in the source,
// and begins anew when the segments that it was to read are used again.
#include "orderlog/stream_copy.h"

#include <doctest/doctest.h>

#include "orderlog/verification.h"
#include "rig.h"

namespace stampede::orderlog {
namespace {

constexpr BootId kBoot{1, 2};  // the rig's
const CopyProgress kSilent = [](uint64_t) {};

// Batches that were sealed a second after each other, from kNoon on.
void write_seconds(WritingRig& rig, int count) {
  for (int i = 0; i < count; ++i) {
    rig.writer().append(sample_reserve(rig.writer().appended() + 1));
    rig.write_batch({.wall_ns = kNoon.wall_ns, .boot_ns = kNoon.boot_ns + i * kSecond});
  }
}

Cut cut_at(int seconds, BootId boot = kBoot) {
  return {.boot_ns = kNoon.boot_ns + seconds * kSecond, .boot_id = boot};
}

struct Places {
  ScratchDir from_dir, to_dir;
  StreamFiles from = small_files(from_dir.path()), to = small_files(to_dir.path());
};

TEST_SUITE("orderlog/stream_copy") {
  TEST_CASE("what was sealed behind the cut stays out until there is a later one") {
    Places places;
    WritingRig rig(places.from);
    write_seconds(rig, 5);
    StreamCopy copy(places.from, places.to, kSilent);
    REQUIRE(copy.copy_up_to(cut_at(1)));
    REQUIRE(copy.sync());
    CHECK(copy.end().batch_seq == 3);
    Progress progress;
    CHECK(verify_stream(places.to, progress)->log.batches == 2);
    REQUIRE(copy.copy_up_to(cut_at(3)));
    CHECK(recover_log(places.to)->batches == 4);
    REQUIRE(copy.copy_up_to({}));
    CHECK(copy.end() == rig.writer().position());
    CHECK(recover_log(places.to)->outcome == RecoveryOutcome::clean);
  }

  TEST_CASE("times of another boot say nothing") {
    Places places;
    WritingRig rig(places.from);
    write_seconds(rig, 5);
    StreamCopy copy(places.from, places.to, kSilent);
    REQUIRE(copy.copy_up_to(cut_at(1, {3, 4})));
    CHECK(copy.end() == rig.writer().position());
  }

  TEST_CASE("a torn end is not copied") {
    Places places;
    const WrittenLog log = write_log(places.from, 3);
    Damage(places.from.segment_path(1)).put(log.end.offset, std::string(600, 'x'));
    StreamCopy copy(places.from, places.to, kSilent);
    REQUIRE(copy.copy_up_to({}));
    CHECK(copy.end() == log.end);
    CHECK(recover_log(places.to)->outcome == RecoveryOutcome::clean);
  }

  TEST_CASE("damage is an error with the place in the source") {
    Places places;
    const WrittenLog log = write_log(places.from, 5);
    Damage(places.from.segment_path(1)).flip(log.batches[2].offset + 200, 3);
    const Status copied = StreamCopy(places.from, places.to, kSilent).copy_up_to({});
    REQUIRE_FALSE(copied);
    CHECK(copied.error().is_damage);
    CHECK(copied.error().message.find(places.from.segment_path(1)) != std::string::npos);
  }

  TEST_CASE("a copy that is overtaken begins anew with what is there") {
    Places places;
    WritingRig rig(places.from);
    write_seconds(rig, 60);  // sixteen a segment
    REQUIRE(rig.writer().position().segment > 3);
    StreamCopy copy(places.from, places.to, kSilent);
    REQUIRE(copy.copy_up_to(cut_at(3)));
    for (const uint32_t segment : {1, 2})
      std::filesystem::remove(places.from.segment_path(segment));
    REQUIRE(copy.copy_up_to({}));
    CHECK(copy.end() == rig.writer().position());
    CHECK(oldest_segment(places.to) == 3);
    Progress progress;
    CHECK(verify_stream(places.to, progress));
  }

  TEST_CASE("the last segment of a copy to be used has no hole") {
    Places places;
    const WrittenLog log = write_log(places.from, 3);
    StreamCopy copy(places.from, places.to, kSilent);
    REQUIRE(copy.copy_up_to({}));
    REQUIRE(copy.fill_last_segment());
    REQUIRE(copy.sync());
    CHECK(read_file(places.to.segment_path(1)).size() == places.to.segment_bytes);
    CHECK(recover_log(places.to)->end == log.end);
  }
}

}  // namespace
}  // namespace stampede::orderlog
