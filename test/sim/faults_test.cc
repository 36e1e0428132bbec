// What goes wrong with files: each call, each kind, in its turn.
#include "faults.h"

#include "damage.h"
#include "directory.h"
#include "files.h"
#include "orderlog/files.h"
#include "orderlog/segments.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

namespace stampede::sim {
namespace {

struct Rig {
  Rig() : root(directory.make("node")) { machine = &files.add_machine(root); }

  int open(const std::string& name, int flags = O_RDWR | O_CREAT) const {
    return ::open((root + "/" + name).c_str(), flags, 0600);
  }
  ssize_t write(const orderlog::File& file, size_t bytes, off_t offset = 0) const {
    return ::pwrite(file.fd(), std::string(bytes, 'x').data(), bytes, offset);
  }

  Directory directory;
  std::string root;
  int64_t stalled_ns = 0;
  FileSystem files{[this](int64_t ns) { stalled_ns += ns; }};
  MachineFiles* machine = nullptr;
};

}  // namespace

TEST_SUITE_BEGIN("sim/faults");

TEST_CASE("kinds of files are told by their names") {
  CHECK(kind_of("/d/0000000001.log") == FileKind::segment);
  CHECK(kind_of("/d/0000000001.log.tmp") == FileKind::segment);
  CHECK(kind_of("/d/0000000001.log.torn-2026") == FileKind::torn);
  CHECK(kind_of("/d/snapshot-0000000001.tmp") == FileKind::snapshot);
  CHECK(kind_of("/d/manifest") == FileKind::manifest);
  CHECK(kind_of("/d/manifest.tmp") == FileKind::manifest);
  CHECK(kind_of("/d/lock") == FileKind::lock);
  CHECK(kind_of("/d/orders.db") == FileKind::other);
}

TEST_CASE("a fault meets the call and kind that it waits for in its turn") {
  Rig rig;
  const orderlog::File segment(rig.open("0000000001.log")), snapshot(rig.open("snapshot-1"));
  rig.machine->fail({.call = Call::write, .kind = FileKind::segment, .skip = 1, .error = EIO});
  CHECK(rig.write(snapshot, 10) == 10);
  CHECK(rig.write(segment, 10) == 10);
  CHECK(rig.write(segment, 10) == -1);
  CHECK(errno == EIO);
  CHECK(rig.write(segment, 10) == 10);
  CHECK(rig.machine->faults_met() == 1);
  CHECK(!rig.machine->has_faults());
}

TEST_CASE("a write may be short or fail behind its first bytes") {
  Rig rig;
  const orderlog::File file(rig.open("snapshot-1"));
  rig.machine->fail({.call = Call::write, .bytes = 512});
  rig.machine->fail({.call = Call::write, .error = EIO, .bytes = 512});
  CHECK(rig.write(file, 1'024) == 512);
  CHECK(rig.write(file, 1'024, 1'024) == -1);
  CHECK(errno == EIO);
  CHECK(::lseek(file.fd(), 0, SEEK_END) == 1'536);
}

TEST_CASE("each call can fail") {
  Rig rig;
  const orderlog::File file(rig.open("file"));
  const auto meets = [&](Call call, auto&& act) {
    rig.machine->fail({.call = call, .error = EDQUOT});
    const bool has_failed = !act();
    return has_failed && errno == EDQUOT && !rig.machine->has_faults();
  };
  char byte;
  CHECK(meets(Call::open, [&] { return orderlog::File(rig.open("file")).is_open(); }));
  CHECK(meets(Call::create, [&] { return orderlog::File(rig.open("new")).is_open(); }));
  CHECK(meets(Call::read, [&] { return ::pread(file.fd(), &byte, 1, 0) >= 0; }));
  CHECK(meets(Call::sync, [&] { return ::fdatasync(file.fd()) == 0; }));
  CHECK(meets(Call::sync, [&] { return ::fsync(file.fd()) == 0; }));
  CHECK(meets(Call::sync_directory, [&] { return bool(orderlog::sync_directory(rig.root)); }));
  CHECK(meets(Call::allocate, [&] { return ::fallocate(file.fd(), 0, 0, 10) == 0; }));
  CHECK(meets(Call::allocate, [&] { return ::ftruncate(file.fd(), 0) == 0; }));
  CHECK(meets(Call::rename, [&] {
    return ::rename((rig.root + "/file").c_str(), (rig.root + "/b").c_str()) == 0;
  }));
  CHECK(meets(Call::remove, [&] { return ::unlink((rig.root + "/file").c_str()) == 0; }));
  CHECK(meets(Call::make_directory,
              [&] { return bool(orderlog::make_directories(rig.root + "/d")); }));
  CHECK(meets(Call::list, [&] { return bool(orderlog::list_directory(rig.root)); }));
  CHECK(rig.machine->faults_met() == 12);
}

TEST_CASE("a full disk lets nothing grow until it is healed") {
  Rig rig;
  const orderlog::File file(rig.open("snapshot-1"));
  CHECK(rig.write(file, 1'024) == 1'024);
  rig.machine->fill_up(ENOSPC, 100);
  CHECK(rig.write(file, 1'000, 0) == 1'000);
  CHECK(rig.write(file, 512, 1'000) == 124);  // 24 that are there, and the last 100
  CHECK(rig.write(file, 512, 1'124) == -1);
  CHECK(errno == ENOSPC);
  CHECK(rig.open("new") == -1);
  CHECK(!orderlog::make_directories(rig.root + "/d"));
  orderlog::ZeroedSegmentMaker maker;
  CHECK(maker.make(rig.root + "/0000000001.log.tmp", 65'536) == ENOSPC);
  CHECK(::rename((rig.root + "/snapshot-1").c_str(), (rig.root + "/snapshot-2").c_str()) == 0);
  rig.machine->heal();
  CHECK(maker.make(rig.root + "/0000000001.log.tmp", 65'536) == 0);
}

TEST_CASE("a call may take simulated time") {
  Rig rig;
  const orderlog::File file(rig.open("snapshot-1"));
  rig.machine->fail({.call = Call::sync, .stall_ns = 5'000});
  CHECK(::fdatasync(file.fd()) == 0);
  CHECK(rig.stalled_ns == 5'000);
}

TEST_CASE("O_DIRECT wants whole sectors") {
  Rig rig;
  const orderlog::File file(rig.open("0000000001.log", O_RDWR | O_CREAT | O_DIRECT));
  alignas(512) std::array<char, 1'024> bytes{};
  CHECK(::pwrite(file.fd(), bytes.data(), 512, 0) == 512);
  CHECK(::pwrite(file.fd(), bytes.data(), 100, 0) == -1);
  CHECK(errno == EINVAL);
  CHECK(::pwrite(file.fd(), bytes.data(), 512, 100) == -1);
  CHECK(::pread(file.fd(), bytes.data() + 1, 512, 0) == -1);
}

TEST_CASE("what a failed sync has lost is not saved by the next one") {
  int back = 0, kept = 0;
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    Rig rig;
    Random random(seed);
    const orderlog::File file(rig.open("snapshot-1"));
    CHECK(rig.write(file, 1'024) == 1'024);
    CHECK(::fdatasync(file.fd()) == 0);
    CHECK(::pwrite(file.fd(), "new", 3, 0) == 3);
    rig.machine->fail({.call = Call::sync, .error = EIO});
    CHECK(::fdatasync(file.fd()) == -1);
    CHECK(::pwrite(file.fd(), "new", 3, 512) == 3);
    CHECK(::fdatasync(file.fd()) == 0);
    rig.machine->cut_power(random);
    rig.files.restore(*rig.machine);
    const orderlog::File found(rig.open("snapshot-1"));
    char first = 0, second = 0;
    CHECK(::pread(found.fd(), &first, 1, 0) == 1);
    CHECK(::pread(found.fd(), &second, 1, 512) == 1);
    CHECK(second == 'n');
    ++(first == 'n' ? kept : back);
  }
  CHECK(back > 0);
  CHECK(kept > 0);
}

TEST_CASE("what a failed sync has lost is safe once it is written and synced again") {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    CAPTURE(seed);
    Rig rig;
    Random random(seed);
    const orderlog::File file(rig.open("snapshot-1"));
    CHECK(rig.write(file, 1'024) == 1'024);
    rig.machine->fail({.call = Call::sync, .error = EIO});
    CHECK(::fdatasync(file.fd()) == -1);
    CHECK(rig.write(file, 1'024) == 1'024);
    CHECK(::fdatasync(file.fd()) == 0);
    rig.machine->cut_power(random);
    rig.files.restore(*rig.machine);
    CHECK(rig.machine->find(rig.root + "/snapshot-1")->read(0, 2'000) ==
          std::vector<std::byte>(1'024, std::byte{'x'}));
  }
}

TEST_CASE("damage changes the file of its kind durably and nothing else") {
  uint64_t done = 0;
  for (uint64_t seed = 1; seed <= 120; ++seed) {
    CAPTURE(seed);
    Rig rig;
    Random random(seed);
    for (const char* const name : {"manifest", "0000000001.log", "snapshot-0000000001"}) {
      const orderlog::File file(rig.open(name));
      for (off_t at = 0; at < 4'096; at += 512)
        CHECK(::pwrite(file.fd(), std::string(512, static_cast<char>('a' + at / 512)).data(), 512,
                       at) == 512);
      CHECK(::fsync(file.fd()) == 0);
    }
    const uint64_t before = digest_of(rig.root);
    const auto what =
        damage(*rig.machine, FileKind::segment, static_cast<Damage>(seed % kDamages), random);
    CHECK((digest_of(rig.root) != before) == what.has_value());
    const uint64_t after = digest_of(rig.root);
    rig.machine->cut_power(random);
    rig.files.restore(*rig.machine);
    CHECK(digest_of(rig.root) == after);
    if (!what) continue;
    CHECK(what->what.starts_with("0000000001.log: "));
    ++done;
  }
  CHECK(done > 100);
  Rig rig;
  Random random(1);
  CHECK(!damage(*rig.machine, FileKind::manifest, Damage::remove, random));
}

TEST_SUITE_END();

}  // namespace stampede::sim
