// The simulated disk: its times and faults, and the real writer and recovery on it through many power cuts and kills.
#include "disk.h"

#include "../world/fake_clock.h"
#include "directory.h"
#include "files.h"
#include "orderlog/recovery.h"
#include "orderlog/segments.h"
#include "orderlog/writer.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace stampede::sim {
namespace {

constexpr size_t kSegmentBytes = 64 * 1024;

struct Machine {
  explicit Machine(uint64_t seed) : random(seed), root(directory.make("node")) {
    files = &system.add_machine(root);
  }

  Random random;
  Directory directory;
  std::string root;
  world::FakeClock clock;
  FileSystem system{[this](int64_t ns) { clock.advance(ns); }};
  MachineFiles* files = nullptr;
};

// One segment and a write into it.
struct Rig : Machine {
  explicit Rig(uint64_t seed = 1) : Machine(seed), disk(clock, *files, seed) {
    const std::string path = root + "/0000000001.log";
    orderlog::ZeroedSegmentMaker maker;
    CHECK(maker.make(path, kSegmentBytes) == 0);
    CHECK(orderlog::sync_directory(root));
    fd = orderlog::File(::open(path.c_str(), O_RDWR | O_DSYNC | O_DIRECT));
    std::ranges::fill(buffer.bytes(), std::byte{'n'});
  }

  void submit() { disk.submit(fd.fd(), 0, buffer.bytes()); }
  std::optional<int64_t> wait() {
    clock.advance(disk.due_ns().value() - clock.now().boot_ns);
    return disk.poll();
  }
  // A letter for each sector: n: written, 0: not.
  std::string sectors() const {
    const orderlog::File file(::open((root + "/0000000001.log").c_str(), O_RDONLY));
    std::string bytes(buffer.bytes().size(), 'x'), found;
    CHECK(::pread(file.fd(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    for (size_t at = 0; at < bytes.size(); at += kSectorBytes) {
      const bool is_whole = bytes.substr(at, kSectorBytes) == std::string(kSectorBytes, bytes[at]);
      CHECK(is_whole);
      found += bytes[at] == 'n' ? 'n' : '0';
    }
    return found;
  }

  SimDisk disk;
  orderlog::File fd;
  orderlog::AlignedBuffer buffer{4'096};
};

bool rings(const SimDisk& disk) {
  pollfd event{.fd = disk.event_fd(), .events = POLLIN};
  return ::poll(&event, 1, 0) == 1;
}

const std::string kAll(8, 'n'), kNone(8, '0');

// The real writer on a disk, over one directory, from one start to one end.
class Life {
 public:
  Life(Machine& machine, orderlog::Durability durability, const orderlog::Position& start)
      : machine_(machine),
        plan_(disk_plan(durability)),
        disk_(machine.clock, *machine.files, machine.random.next()),
        keeper_(plan_.open_flags, maker_, nullptr),
        segments_(keeper_.add(stream(machine), start.segment, start.segment)) {
    CHECK(keeper_.open());
    writer_.emplace(stream(machine), start, BootId{1, 2}, disk_, segments_, marks_);
    writer_->bind();
  }

  static orderlog::StreamFiles stream(const Machine& machine) {
    orderlog::StreamFiles files{.dir = machine.root, .stream = 1, .segment_bytes = kSegmentBytes};
    files.log_uuid.fill(0xab);
    return files;
  }

  void turn() {
    const Moment now = machine_.clock.now();
    writer_->poll(now);
    if (machine_.random.chance(0.7)) append();
    writer_->start_write(now);
    if (machine_.random.chance(0.05)) keeper_.prepare_some();
    machine_.clock.advance(static_cast<int64_t>(machine_.random.below(kMillisecond)));
  }
  void append(const orderlog::Record& record = orderlog::Supply{.item = 5, .supplied = 9}) {
    if (writer_->room_for_new_orders() > 100) writer_->append(record);
  }
  // What clients were told.
  Lsn durable() const { return marks_.durable.get(); }
  // Its turn behind the end.
  void finish() {
    writer_->poll(machine_.clock.now());
    CHECK(!writer_->is_writing());
  }

 private:
  Machine& machine_;
  const orderlog::DiskPlan plan_;
  SimDisk disk_;
  orderlog::ZeroedSegmentMaker maker_;
  orderlog::SegmentKeeper keeper_;
  orderlog::StreamSegments& segments_;
  orderlog::Marks marks_;
  std::optional<orderlog::Writer> writer_;
};

// Lives one behind the other on one machine, each ended by a power cut or a kill. How many starts found less than was told.
int lost_in(uint64_t seed, orderlog::Durability durability, int lives) {
  Machine machine(seed);
  orderlog::Position start;
  Lsn told = 0;
  for (int life = 0; life < lives; ++life) {
    {
      Life process(machine, durability, start);
      if (life > 0) process.append(orderlog::Recovery{});
      for (uint64_t turns = machine.random.below(400); turns > 0; --turns) process.turn();
      told = std::max(told, process.durable());
      if (machine.random.chance(0.33))
        machine.files->kill(machine.random);
      else
        machine.files->cut_power(machine.random);
      process.finish();
    }
    CHECK(machine.system.restore(*machine.files) == 0);
    const auto report = orderlog::recover({.files = Life::stream(machine),
                                           .witnesses = {{"clients", told}},
                                           .wall_ns = machine.clock.now().wall_ns},
                                          [](auto, auto&, auto&) { return Status(Ok{}); });
    REQUIRE(report);
    if (report->outcome == orderlog::RecoveryOutcome::damaged) return 1;
    start = report->end;
  }
  return 0;
}

int lost_of(uint64_t seeds, orderlog::Durability durability) {
  int lost = 0;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    CAPTURE(seed);
    lost += lost_in(seed, durability, 5);
    if (lost > 0 && durability == orderlog::Durability::fsync) MESSAGE("lost with seed ", seed);
  }
  return lost;
}

}  // namespace

TEST_SUITE_BEGIN("sim/disk");

TEST_CASE("a write reaches its file at its time and rings then") {
  Rig rig;
  CHECK(!rig.disk.due_ns());
  rig.submit();
  CHECK(!rig.disk.poll());
  CHECK(rig.sectors() == kNone);
  rig.clock.advance(*rig.disk.due_ns() - rig.clock.now().boot_ns - 1);
  rig.disk.settle();
  CHECK(!rings(rig.disk));
  rig.clock.advance(1);
  rig.disk.settle();
  CHECK(rings(rig.disk));
  CHECK(rig.sectors() == kAll);
  CHECK(rig.disk.poll() == 4'096);
  CHECK(!rig.disk.poll());
  rig.disk.drain_events();
  CHECK(!rings(rig.disk));
}

TEST_CASE("times follow from the seed and a stall adds to them") {
  std::vector<int64_t> times[2];
  for (auto& found : times) {
    Rig rig;
    for (int i = 0; i < 100; ++i) {
      const int64_t before = rig.clock.now().boot_ns;
      rig.submit();
      CHECK(rig.wait() == 4'096);
      found.push_back(rig.clock.now().boot_ns - before);
    }
  }
  CHECK(times[0] == times[1]);
  CHECK(*std::ranges::min_element(times[0]) < kMillisecond);
  CHECK(*std::ranges::max_element(times[0]) > 2 * kMillisecond);

  Rig rig;
  rig.disk.stall(3 * kSecond);
  rig.submit();
  rig.disk.stall(kSecond);
  CHECK(*rig.disk.due_ns() - rig.clock.now().boot_ns > 4 * kSecond);
}

TEST_CASE("a write may fail with any of its sectors written or never begin") {
  bool was_partly = false;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Rig rig(seed);
    rig.disk.fail_next(EIO);
    rig.submit();
    CHECK(rig.wait() == -EIO);
    was_partly = was_partly || (rig.sectors() != kAll && rig.sectors() != kNone);
  }
  CHECK(was_partly);
  Rig rig;
  rig.disk.fail_next(EAGAIN);
  rig.submit();
  CHECK(rig.wait() == -EAGAIN);
  CHECK(rig.sectors() == kNone);
}

TEST_CASE("a write may be short and faults of the files are its own") {
  Rig rig(3);
  rig.disk.cut_short_next();
  rig.submit();
  const int64_t bytes = rig.wait().value();
  CHECK(bytes < 4'096);
  CHECK(rig.sectors().find_last_of('n') + 1 == static_cast<size_t>(bytes) / kSectorBytes);
  rig.files->fail({.call = Call::write, .kind = FileKind::segment, .error = ENOSPC});
  rig.submit();
  CHECK(rig.wait() == -ENOSPC);
}

TEST_CASE("a power cut leaves any sectors of the write in flight and a kill its first ones") {
  std::set<std::string> cut, killed;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    for (const bool is_cut : {true, false}) {
      Rig rig(seed);
      rig.submit();
      if (is_cut)
        rig.files->cut_power(rig.random);
      else
        rig.files->kill(rig.random);
      CHECK(rig.disk.poll() == 4'096);
      rig.system.restore(*rig.files);
      (is_cut ? cut : killed).insert(rig.sectors());
    }
  }
  CHECK(cut.size() > 20);
  CHECK(cut.contains(kAll));
  CHECK(cut.contains(kNone));
  CHECK(killed.size() == 9);
}

TEST_CASE("a write that was done before the power failed is whole") {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    Rig rig(seed);
    rig.submit();
    rig.clock.advance(*rig.disk.due_ns() - rig.clock.now().boot_ns);
    rig.files->cut_power(rig.random);
    (void)rig.disk.poll();
    rig.system.restore(*rig.files);
    CHECK(rig.sectors() == kAll);
  }
}

TEST_CASE("a write outlives the descriptor of a process that ended") {
  Rig rig;
  rig.submit();
  rig.fd.close();
  const orderlog::File other(::open((rig.root + "/other").c_str(), O_WRONLY | O_CREAT, 0600));
  CHECK(rig.wait() == 4'096);
  CHECK(rig.sectors() == kAll);
  CHECK(rig.files->find(rig.root + "/other")->size() == 0);
}

TEST_CASE("the order log loses nothing that it told of in any power cut") {
  CHECK(lost_of(100, orderlog::Durability::fsync) == 0);
}

TEST_CASE("an order log that does not sync loses what it told of") {
  CHECK(lost_of(20, orderlog::Durability::os) > 0);
}

TEST_SUITE_END();

}  // namespace stampede::sim
