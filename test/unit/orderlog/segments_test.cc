#include "orderlog/segments.h"

#include "rig.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <filesystem>
#include <string>
#include <vector>

namespace stampede::orderlog {
namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Waits for what a helper thread brings about.
template <typename Fact>
void await(Fact fact) {
  while (!fact()) ::sched_yield();
}

void take(StreamSegments& segments, uint32_t segment) {
  await([&] { return segments.ready_count() > 0; });
  ::close(segments.take(segment).value());
}

struct Fixture {
  explicit Fixture(SegmentListener* listener = nullptr) : keeper(kPlainWrites, maker, listener) {}

  // The one stream of most tests.
  StreamSegments& start(uint32_t current = 1, uint32_t closed_below = 1) {
    StreamSegments& segments = keeper.add(files, current, closed_below);
    REQUIRE(keeper.start());
    return segments;
  }
  std::vector<StreamSegments*> add_streams(uint32_t count) {
    std::vector<StreamSegments*> streams;
    for (uint32_t stream = 0; stream < count; ++stream) {
      StreamFiles its_files = files;
      its_files.dir += "/s" + std::to_string(stream);
      its_files.stream = stream;
      REQUIRE(make_directories(its_files.dir));
      streams.push_back(&keeper.add(its_files, 1, 1));
    }
    return streams;
  }
  std::vector<uint32_t> on_disk() { return list_segments(files)->segments; }

  ScratchDir dir;
  StreamFiles files = small_files(dir.path());
  SparseSegmentMaker maker;
  SegmentKeeper keeper;
};

class Recorder final : public SegmentListener {
 public:
  void on_segment_closed(uint32_t stream, uint32_t segment) override {
    const std::lock_guard lock(mutex_);
    told_.emplace_back(stream, segment);
  }
  std::vector<std::pair<uint32_t, uint32_t>> told() {
    const std::lock_guard lock(mutex_);
    return told_;
  }

 private:
  std::mutex mutex_;
  std::vector<std::pair<uint32_t, uint32_t>> told_;
};

TEST_SUITE("orderlog/segments") {
  TEST_CASE("a start has the current segment and one ahead") {
    Fixture fixture;
    StreamSegments& segments = fixture.start();
    CHECK(segments.ready_count() >= 2);
    take(segments, 1);
    CHECK(segments.has_room_for_new_orders());
  }

  TEST_CASE("segments are prepared ahead as they are taken") {
    Fixture fixture;
    StreamSegments& segments = fixture.start();
    for (uint32_t segment = 1; segment <= 20; ++segment) take(segments, segment);
    await([&] { return segments.ready_count() == bounds::segments_ready_min; });
    fixture.keeper.stop();
    CHECK_EQ(fixture.on_disk().size(), 20 + bounds::segments_ready_min);
    CHECK(list_segments(fixture.files)->misfit.empty());
  }

  TEST_CASE("a real segment is zeros of the right size") {
    const ScratchDir dir("/tmp");
    ZeroedSegmentMaker maker;
    const size_t bytes = 3 * 1024 * 1024 / 2;
    CHECK_EQ(maker.make(dir.path() + "/s", bytes), 0);
    CHECK_EQ(read_file(dir.path() + "/s"), std::string(bytes, '\0'));
    CHECK_EQ(maker.make(dir.path() + "/none/s", bytes), ENOENT);
  }

  TEST_CASE("a file that cannot be filled is removed") {
    const ScratchDir dir("/tmp");
    // The limit on a file's size stands in for a full disk.
    const ChildEnd end = run_in_child([&] {
      ::signal(SIGXFSZ, SIG_IGN);
      const rlimit limit{1024 * 1024, 1024 * 1024};
      if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(1);
      ZeroedSegmentMaker maker;
      _exit(maker.make(dir.path() + "/s", 2 * 1024 * 1024) == EFBIG ? 0 : 2);
    });
    CHECK_EQ(end.exit_code, 0);
    CHECK(std::filesystem::is_empty(dir.path()));
  }

  TEST_CASE("a full disk stops new orders only and ends by itself") {
    Fixture fixture;
    StreamSegments& segments = fixture.start();
    take(segments, 1);
    await([&] { return segments.ready_count() == bounds::segments_ready_min; });
    fixture.maker.error = ENOSPC;
    take(segments, 2);
    CHECK(segments.has_room_for_new_orders());
    take(segments, 3);  // the last one: payments and cancels have all of it
    CHECK_FALSE(segments.has_room_for_new_orders());
    CHECK_FALSE(segments.take(4).has_value());
    await([&] { return contains(fixture.keeper.problem(), "No space left on device"); });
    CHECK(contains(fixture.keeper.problem(), "0000000004.log"));

    fixture.maker.error = 0;
    await([&] { return segments.ready_count() == bounds::segments_ready_min; });
    await([&] { return fixture.keeper.problem().empty(); });
    take(segments, 4);
    CHECK(segments.has_room_for_new_orders());
  }

  TEST_CASE("a disk that is full at the start still starts when the current segment is there") {
    Fixture fixture;
    write_log(fixture.files, 1);
    std::filesystem::remove(fixture.files.segment_path(2));
    std::filesystem::remove(fixture.files.segment_path(3));
    fixture.maker.error = ENOSPC;
    StreamSegments& segments = fixture.start();
    take(segments, 1);
    CHECK_FALSE(segments.has_room_for_new_orders());

    SegmentKeeper other(kPlainWrites, fixture.maker, nullptr);
    other.add(fixture.files, 2, 2);
    const Status status = other.start();
    REQUIRE_FALSE(status);
    CHECK(contains(status.error().message, "0000000002.log: No space left on device"));
  }

  TEST_CASE("released segments come back under new numbers and the surplus goes") {
    Fixture fixture;
    StreamSegments& segments = fixture.start();
    for (uint32_t segment = 1; segment <= 12; ++segment) {
      take(segments, segment);
      if (segment > 1) segments.close(segment - 1);
    }
    await([&] { return segments.ready_count() == bounds::segments_ready_min; });
    const int made = fixture.maker.made;
    segments.release_below(11);
    await([&] { return segments.ready_count() == bounds::segments_ready_max; });
    await([&] { return fixture.on_disk().front() == 11; });
    CHECK_EQ(fixture.maker.made, made);
    const std::vector<uint32_t> expected = {11, 12, 13, 14, 15, 16};
    CHECK(fixture.on_disk() == expected);
  }

  TEST_CASE("nothing that is not closed is used again") {
    Fixture fixture;
    StreamSegments& segments = fixture.start();
    for (uint32_t segment = 1; segment <= 3; ++segment) take(segments, segment);
    segments.close(1);
    segments.release_below(1000);
    await([&] { return fixture.on_disk().front() == 2; });
    await([&] { return segments.ready_count() >= bounds::segments_ready_min; });
    fixture.keeper.stop();
    CHECK_EQ(fixture.on_disk().front(), 2);
  }

  TEST_CASE("what recovery finds in a segment used again is nothing") {
    Fixture fixture;
    WritingRig rig(fixture.files);
    while (rig.writer().position().segment < 12) {
      for (int i = 0; i < 50; ++i) rig.writer().append(sample_reserve(rig.writer().appended() + 1));
      rig.write_batch();
      if (rig.writer().position().segment > 3)
        rig.segments().release_below(rig.writer().position().segment - 1);
    }
    const Result<SegmentList> list = list_segments(fixture.files);
    await([&] { return list_segments(fixture.files)->segments.front() == 11; });
    Position start = *oldest_position(fixture.files);
    CHECK_EQ(start.segment, 11);
    const auto report = recover({.files = fixture.files, .start = start, .is_read_only = true},
                                [](Lsn, const Record&, const Batch&) -> Status { return Ok{}; });
    REQUIRE(report);
    INFO(report->message);
    CHECK(report->outcome == RecoveryOutcome::clean);
    CHECK(report->end == rig.writer().position());
  }

  TEST_CASE("unfinished files of an earlier life are removed") {
    Fixture fixture;
    const std::string segment = fixture.files.segment_path(2) + ".tmp";
    const std::string snapshot = fixture.dir.path() + "/snapshot-0000000002.tmp";
    std::ofstream(segment) << "half";
    std::ofstream(snapshot) << "half";
    fixture.start();
    CHECK_FALSE(std::filesystem::exists(snapshot));
    fixture.keeper.stop();
    CHECK_FALSE(std::filesystem::exists(segment));
  }

  TEST_CASE("segments that an earlier life prepared are used") {
    Fixture fixture;
    const WrittenLog log = write_log(fixture.files, 2);
    const size_t files = fixture.on_disk().size();
    StreamSegments& segments = fixture.start(log.end.segment);
    CHECK_EQ(fixture.maker.made, 0);
    CHECK_EQ(segments.ready_count(), files);
  }

  TEST_CASE("a segment of another size is refused at the start") {
    Fixture fixture;
    std::ofstream(fixture.files.segment_path(1)) << "short";
    fixture.keeper.add(fixture.files, 1, 1);
    CHECK_FALSE(fixture.keeper.start());
  }

  TEST_CASE("the listener is told of each closed segment in order and of those before the start") {
    Recorder recorder;
    Fixture fixture(&recorder);
    StreamSegments& segments = fixture.start(4, 2);
    for (uint32_t segment = 4; segment <= 8; ++segment) {
      take(segments, segment);
      segments.close(segment);
    }
    await([&] { return recorder.told().size() == 7; });
    for (uint32_t i = 0; i < 7; ++i) CHECK(recorder.told()[i] == std::pair{1u, i + 2});
  }

  TEST_CASE("a listener that takes its time delays no preparation") {
    class Slow final : public SegmentListener {
     public:
      void on_segment_closed(uint32_t, uint32_t) override { may_go.wait(false); }
      std::atomic<bool> may_go{false};
    };
    Slow slow;
    Fixture fixture(&slow);
    StreamSegments& segments = fixture.start();
    for (uint32_t segment = 1; segment <= 10; ++segment) {
      take(segments, segment);
      segments.close(segment);
    }
    slow.may_go = true;
    slow.may_go.notify_all();
  }

  // Two streams with a closed segment each, and a listener that is in the middle of the first.
  TEST_CASE("an end waits as long as it may for what is under way and begins nothing more") {
    class Slow final : public SegmentListener {
     public:
      void on_segment_closed(uint32_t, uint32_t) override {
        reports += 1;
        reports.notify_all();
        may_go.wait(false);
      }
      std::atomic<int> reports{0};
      std::atomic<bool> may_go{false};
    };
    Slow slow;
    Fixture fixture(&slow);
    std::vector<StreamSegments*> streams = fixture.add_streams(2);
    REQUIRE(fixture.keeper.open());
    for (StreamSegments* segments : streams) {
      take(*segments, 1);
      segments->close(1);
    }
    fixture.keeper.go_on();
    slow.reports.wait(0);
    CHECK(!fixture.keeper.end_within(std::chrono::milliseconds(1)));
    slow.may_go = true;
    slow.may_go.notify_all();
    CHECK(fixture.keeper.end_within(std::chrono::seconds(60)));
    CHECK(slow.reports == 1);
  }

  TEST_CASE("several streams are served side by side") {
    Fixture fixture;
    std::vector<StreamSegments*> streams = fixture.add_streams(3);
    REQUIRE(fixture.keeper.start());
    for (uint32_t segment = 1; segment <= 5; ++segment)
      for (StreamSegments* stream : streams) take(*stream, segment);
    CHECK(fixture.keeper.problem().empty());
  }
}

}  // namespace
}  // namespace stampede::orderlog
