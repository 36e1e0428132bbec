// The simulator's file system: what survives, what may be lost, and that both are found. Calls are the C library's and
// those of orderlog/files.h, as a node makes them.
#include "files.h"

#include "directory.h"
#include "orderlog/files.h"
#include "orderlog/segments.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

namespace stampede::sim {
namespace {

constexpr uint64_t kSeeds = 200;

std::string text_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

struct Rig {
  explicit Rig(uint64_t seed = 1) : random(seed), root(directory.make("node")) {
    machine = &files.add_machine(root);
  }

  std::string path(const std::string& name) const { return root + "/" + name; }
  // A file with this text, durable but for its name.
  void make(const std::string& name, const std::string& text) {
    const orderlog::File file(::open(path(name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
    REQUIRE(file.is_open());
    CHECK(orderlog::write_all(file, 0, std::as_bytes(std::span(text)), name));
    CHECK(orderlog::sync_file(file, name));
  }
  void overwrite(const std::string& name, uint64_t offset, const std::string& text,
                 int more_flags = 0) {
    const orderlog::File file(::open(path(name).c_str(), O_WRONLY | more_flags));
    REQUIRE(file.is_open());
    CHECK(orderlog::write_all(file, offset, std::as_bytes(std::span(text)), name));
  }
  void cut_power() {
    machine->cut_power(random);
    files.restore(*machine);
  }
  bool has(const std::string& name) const { return std::filesystem::exists(path(name)); }
  std::string text(const std::string& name) const { return text_of(path(name)); }

  Random random;
  Directory directory;
  std::string root;
  int64_t stalled_ns = 0;
  FileSystem files{[this](int64_t ns) {
    stalled_ns += ns;
    if (on_stall) on_stall();
  }};
  std::function<void()> on_stall;
  MachineFiles* machine = nullptr;
};

// The results of `run` over all seeds.
std::set<std::string> outcomes(const std::function<std::string(Rig&)>& run) {
  std::set<std::string> found;
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Rig rig(seed);
    found.insert(run(rig));
  }
  return found;
}

const std::string kOld(2 * kSectorBytes, 'o'), kNew(2 * kSectorBytes, 'n');

}  // namespace

TEST_SUITE_BEGIN("sim/files");

TEST_CASE("a write that is not synced may be lost or torn at a sector or survive") {
  const auto found = outcomes([](Rig& rig) {
    rig.make("file", kOld);
    rig.overwrite("file", 0, kNew);
    rig.cut_power();
    return rig.text("file").replace(1, kSectorBytes - 1, "").substr(0, 2);
  });
  CHECK(found == std::set<std::string>{"oo", "on", "no", "nn"});
}

TEST_CASE("a write with O_DSYNC survives and so does one that fdatasync followed") {
  const auto found = outcomes([](Rig& rig) {
    rig.make("file", kOld);
    rig.make("other", kOld);
    rig.overwrite("other", 0, kNew);
    rig.overwrite("file", 0, kNew, O_DSYNC);
    rig.overwrite("file", kSectorBytes, std::string(kSectorBytes, 'x'));
    rig.cut_power();
    return rig.text("file").substr(0, kSectorBytes);
  });
  CHECK(found == std::set<std::string>{kNew.substr(0, kSectorBytes)});
}

TEST_CASE("bytes behind the old end may be missing or zeros") {
  const auto found = outcomes([](Rig& rig) {
    rig.make("file", "");
    rig.overwrite("file", 0, kNew);
    rig.cut_power();
    const std::string text = rig.text("file");
    if (text.size() == kNew.size()) return std::string(1, text.front() == 'n' ? 'n' : '0');
    return std::string(text.empty() ? "empty" : "short");
  });
  CHECK(found == std::set<std::string>{"n", "0", "empty", "short"});
}

TEST_CASE("a shortened file may have its end again") {
  const auto found = outcomes([](Rig& rig) {
    rig.make("file", kOld);
    rig.make("file", "");
    rig.overwrite("file", 0, "n");
    const orderlog::File file(::open(rig.path("file").c_str(), O_WRONLY));
    rig.make("synced", kOld);
    {
      const orderlog::File cut(::open(rig.path("synced").c_str(), O_WRONLY));
      CHECK(::ftruncate(cut.fd(), 1) == 0);
    }
    rig.cut_power();
    return std::to_string(rig.text("synced").size() == 1);
  });
  CHECK(found == std::set<std::string>{"0", "1"});
}

TEST_CASE("a new name may be lost until its directory is synced") {
  const auto found = outcomes([](Rig& rig) {
    rig.make("old", "x");
    CHECK(::rename(rig.path("old").c_str(), rig.path("new").c_str()) == 0);
    rig.cut_power();
    CHECK(rig.has("old") != rig.has("new"));
    return std::string(rig.has("new") ? "new" : "old");
  });
  CHECK(found == std::set<std::string>{"new", "old"});
  const auto synced = outcomes([](Rig& rig) {
    rig.make("old", "x");
    CHECK(orderlog::rename_durably(rig.path("old"), rig.path("new")));
    rig.cut_power();
    return std::string(rig.has("new") ? "new" : "old");
  });
  CHECK(synced == std::set<std::string>{"new"});
}

TEST_CASE("a removed directory may be back, and its files only with it") {
  const auto found = outcomes([](Rig& rig) {
    CHECK(::mkdir(rig.path("dir").c_str(), 0755) == 0);
    rig.make("dir/file", kOld);
    CHECK(orderlog::sync_directory(rig.root));
    CHECK(::unlink(rig.path("dir/file").c_str()) == 0);
    CHECK(::rmdir(rig.path("dir").c_str()) == 0);
    rig.cut_power();
    if (rig.has("dir/file")) CHECK(rig.text("dir/file") == kOld);
    return std::string(rig.has("dir/file") ? "all" : rig.has("dir") ? "dir" : "gone");
  });
  CHECK(found == std::set<std::string>{"all", "dir", "gone"});
}

TEST_CASE("a removed file may be back with its bytes") {
  const auto found = outcomes([](Rig& rig) {
    rig.make("file", kOld);
    CHECK(::unlink(rig.path("file").c_str()) == 0);
    CHECK(!rig.has("file"));
    rig.cut_power();
    if (rig.has("file")) CHECK(rig.text("file") == kOld);
    return std::string(rig.has("file") ? "back" : "gone");
  });
  CHECK(found == std::set<std::string>{"back", "gone"});
}

TEST_CASE("of the changes of names a prefix survives") {
  const auto found = outcomes([](Rig& rig) {
    std::string left;
    const std::vector<std::string> names{"a", "b", "c", "d"};
    for (const std::string& name : names)
      orderlog::File(::open(rig.path(name).c_str(), O_WRONLY | O_CREAT, 0600)).close();
    rig.cut_power();
    for (const std::string& name : names)
      if (rig.has(name)) left += name;
    return left;
  });
  CHECK(found == std::set<std::string>{"", "a", "ab", "abc", "abcd"});
}

TEST_CASE("a synced file brings the names before its own") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    CAPTURE(seed);
    Rig rig(seed);
    CHECK(orderlog::make_directories(rig.path("log/g1/s0")));
    orderlog::File(::open(rig.path("first").c_str(), O_WRONLY | O_CREAT, 0600)).close();
    rig.make("log/g1/s0/second", "x");
    rig.cut_power();
    CHECK(rig.has("first"));
    CHECK(rig.text("log/g1/s0/second") == "x");
  }
}

namespace {

// Makes `path` have the text, with a mistake or none; `true` when it says that this is durable.
using Replace = std::function<bool(const std::string& path, const std::string& text)>;

bool replace_without_sync(const std::string& path, const std::string& text) {
  const orderlog::File file(::open((path + ".tmp").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
  return orderlog::write_all(file, 0, std::as_bytes(std::span(text)), path) &&
         orderlog::rename_durably(path + ".tmp", path);
}

bool replace_without_directory(const std::string& path, const std::string& text) {
  const orderlog::File file(::open((path + ".tmp").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
  return orderlog::write_all(file, 0, std::as_bytes(std::span(text)), path) &&
         orderlog::sync_file(file, path) && ::rename((path + ".tmp").c_str(), path.c_str()) == 0;
}

// How many of many power cuts, each in another call of it, leave something else than the old or the new text, or the old
// one although the new one was said to be durable.
int broken_promises(const Replace& replace) {
  int broken = 0;
  const Call calls[] = {Call::create, Call::write,          Call::sync,
                        Call::rename, Call::sync_directory, Call::list};
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    Rig rig(seed);
    rig.make("manifest", kOld);
    CHECK(orderlog::sync_directory(rig.root));
    rig.on_stall = [&] { rig.machine->cut_power(rig.random); };
    rig.machine->fail({.call = calls[seed % std::size(calls)], .stall_ns = 1});
    const bool is_said = replace(rig.path("manifest"), kNew);
    const bool is_cut = rig.machine->has_ended();
    rig.cut_power();
    const std::string text = rig.text("manifest");
    if (text != kNew && (text != kOld || (is_said && !is_cut))) ++broken;
  }
  return broken;
}

}  // namespace

TEST_CASE("a text is replaced durably and planted mistakes are found") {
  CHECK(broken_promises([](const std::string& path, const std::string& text) {
          return bool(orderlog::replace_durably(path, text));
        }) == 0);
  CHECK(broken_promises(replace_without_sync) > 0);
  CHECK(broken_promises(replace_without_directory) > 0);
}

TEST_CASE("a process that was killed has done what it did until then and nothing after") {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    Rig rig(seed);
    rig.make("kept", kOld);
    rig.make("removed", kOld);
    rig.overwrite("kept", 0, "n");
    const uint64_t before = digest_of(rig.root);
    rig.machine->kill(rig.random);
    rig.overwrite("kept", 1, kNew + kNew, O_DSYNC);
    rig.make("new", kNew);
    rig.overwrite("new", 3, "x");
    CHECK(::unlink(rig.path("removed").c_str()) == 0);
    CHECK(orderlog::rename_durably(rig.path("new"), rig.path("kept")));
    CHECK(orderlog::make_directories(rig.path("directory/below")));
    rig.make("directory/below/file", kNew);
    rig.files.restore(*rig.machine);
    CHECK(digest_of(rig.root) == before);
    CHECK(!rig.has("directory"));
  }
}

TEST_CASE("what a killed process had not synced is lost when the power fails later") {
  const auto found = outcomes([](Rig& rig) {
    rig.make("file", kOld);
    rig.overwrite("file", 0, kNew);
    rig.machine->kill(rig.random);
    rig.files.restore(*rig.machine);
    CHECK(rig.text("file") == kNew);
    rig.cut_power();
    return rig.text("file").substr(0, 1);
  });
  CHECK(found == std::set<std::string>{"o", "n"});
}

TEST_CASE("what comes behind a power cut neither survives nor changes what does") {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    uint64_t digests[2];
    for (const bool goes_on : {false, true}) {
      Rig rig(seed);
      rig.make("file", kOld);
      rig.overwrite("file", 0, kNew);
      rig.machine->cut_power(rig.random);
      if (goes_on) {
        rig.overwrite("file", 100, "later", O_DSYNC);
        rig.make("later", kNew);
        CHECK(orderlog::sync_directory(rig.root));
      }
      rig.files.restore(*rig.machine);
      digests[goes_on ? 1 : 0] = digest_of(rig.root);
    }
    CHECK(digests[0] == digests[1]);
  }
}

TEST_CASE("the same seed gives the same image and others give others") {
  std::set<uint64_t> images;
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    uint64_t digests[2];
    for (uint64_t& digest : digests) {
      Rig rig(seed);
      rig.make("a", std::string(20 * kSectorBytes, 'o'));
      rig.overwrite("a", 0, std::string(30 * kSectorBytes, 'n'));
      CHECK(::rename(rig.path("a").c_str(), rig.path("b").c_str()) == 0);
      rig.cut_power();
      digest = digest_of(rig.root);
    }
    CHECK(digests[0] == digests[1]);
    images.insert(digests[0]);
  }
  CHECK(images.size() > 10);
}

TEST_CASE("a segment that was made survives with all its zeros") {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    CAPTURE(seed);
    Rig rig(seed);
    orderlog::ZeroedSegmentMaker maker;
    CHECK(maker.make(rig.path("0000000001.log.tmp"), 65'536) == 0);
    CHECK(orderlog::rename_durably(rig.path("0000000001.log.tmp"), rig.path("0000000001.log")));
    rig.cut_power();
    CHECK(rig.text("0000000001.log") == std::string(65'536, '\0'));
  }
}

// Any bytes, written and synced in any order: each byte that comes back is the last durable one, or the last written.
TEST_CASE("random writes come back as they were synced or as they were") {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    CAPTURE(seed);
    Rig rig(seed);
    constexpr size_t kBytes = 8 * kSectorBytes;
    std::string durable(kBytes, 'a'), now = durable;
    rig.make("file", durable);
    for (int step = 0; step < 20; ++step) {
      const size_t at = rig.random.below(kBytes), bytes = rig.random.between(1, kBytes - at);
      const std::string text(bytes, static_cast<char>('b' + step));
      now.replace(at, bytes, text);
      const uint64_t kind = rig.random.below(8);
      rig.overwrite("file", at, text, kind == 0 ? O_DSYNC : 0);
      // A sector is written whole.
      const size_t first = at / kSectorBytes * kSectorBytes;
      const size_t last = std::min(kBytes, (at + bytes + 511) / kSectorBytes * kSectorBytes);
      if (kind == 0) durable.replace(first, last - first, now.substr(first, last - first));
      if (kind != 1) continue;
      const orderlog::File file(::open(rig.path("file").c_str(), O_WRONLY));
      CHECK(orderlog::sync_file(file, "file"));
      durable = now;
    }
    rig.cut_power();
    const std::string found = rig.text("file");
    REQUIRE(found.size() == kBytes);
    for (size_t i = 0; i < kBytes; i += kSectorBytes) {
      const std::string sector = found.substr(i, kSectorBytes);
      const bool is_known =
          sector == durable.substr(i, kSectorBytes) || sector == now.substr(i, kSectorBytes);
      CHECK(is_known);
    }
  }
}

TEST_CASE("descriptors that a process leaves open are closed") {
  Rig rig;
  rig.make("file", kOld);
  const int fd = ::open(rig.path("file").c_str(), O_RDONLY);
  rig.machine->kill(rig.random);
  CHECK(rig.files.restore(*rig.machine) == 1);
  char byte;
  CHECK(::pread(fd, &byte, 1, 0) == -1);
}

TEST_CASE("an old copy of the directory can be put back") {
  Rig rig;
  rig.make("file", kOld);
  rig.machine->save_copy();
  const uint64_t before = digest_of(rig.root);
  rig.make("file", kNew);
  rig.make("more", kNew);
  rig.machine->restore_copy();
  CHECK(digest_of(rig.root) == before);
  rig.make("file", kNew);
  CHECK(rig.text("file") == kNew);
}

TEST_CASE("a database's files are as they are whatever ends") {
  Rig rig(7);
  CHECK(orderlog::make_directories(rig.path("data")));
  std::ofstream(rig.path("data/orders.db")) << "rows";
  rig.cut_power();
  std::ofstream(rig.path("data/orders.db"), std::ios::app) << " more";
  rig.machine->kill(rig.random);
  rig.files.restore(*rig.machine);
  CHECK(rig.text("data/orders.db") == "rows more");
}

TEST_CASE("a file that has lost its name can still be written") {
  Rig rig;
  rig.make("file", kOld);
  const orderlog::File file(::open(rig.path("file").c_str(), O_WRONLY));
  CHECK(::unlink(rig.path("file").c_str()) == 0);
  CHECK(orderlog::sync_directory(rig.root));
  CHECK(orderlog::write_all(file, 0, std::as_bytes(std::span(kNew)), "file"));
  CHECK(::fsync(file.fd()) == 0);
  rig.cut_power();
  CHECK(!rig.has("file"));
}

TEST_CASE("files of other directories are let through") {
  Rig rig;
  const std::string other = rig.root + "-other";
  std::filesystem::create_directory(other);
  CHECK(orderlog::replace_durably(other + "/file", kNew));
  rig.cut_power();
  CHECK(text_of(other + "/file") == kNew);
}

TEST_SUITE_END();

}  // namespace stampede::sim
