// A full disk stops new orders with "overloaded"; payments and cancels go on from what was kept for
// them, and the sale recovers by itself. Needs root for a small file system of its own.
#include <doctest/doctest.h>
#include <unistd.h>

#include <fstream>

#include "harness/rush.h"
#include "harness/server.h"

namespace stampede::e2e {
namespace {

// An ext4 file system in a file, mounted while this lives. Its blocks are as large as pages, as those
// of every disk are today: SQLite, which maps a file beside its database, counts on that.
class SmallDisk {
 public:
  explicit SmallDisk(int mebibytes) {
    if (geteuid() != 0 || !is_installed("mkfs.ext4") || !is_installed("mount")) return;
    std::string image = scratch_.path("image");
    write_file(image, "");
    if (truncate(image.c_str(), int64_t{mebibytes} << 20) != 0) return;
    if (run({"mkfs.ext4", "-q", "-F", "-m", "0", "-b", "4096", image}).exit_code != 0) return;
    if (run({"mkdir", scratch_.path("disk")}).exit_code != 0) return;
    is_mounted_ = run({"mount", "-o", "loop", image, path()}).exit_code == 0;
  }
  ~SmallDisk() {
    if (is_mounted_) run({"umount", path()});
  }
  SmallDisk(const SmallDisk&) = delete;

  bool is_mounted() const { return is_mounted_; }
  std::string path() const { return scratch_.path("disk"); }
  // Takes all space that is left, to the last block.
  void fill() {
    std::ofstream file(path() + "/filler", std::ios::app | std::ios::binary);
    for (size_t piece : {1u << 20, 1u << 12, 1u}) {
      std::string bytes(piece, 'x');
      while (file.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush()) continue;
      file.clear();
    }
  }
  void free() { std::remove((path() + "/filler").c_str()); }

 private:
  Scratch scratch_;
  bool is_mounted_ = false;
};

// Buys until every shard says that it is full.
bool buy_until_overloaded(Server& server) {
  int round = 0;
  return wait_until(
      [&] {
        auto asks = crowd(500, "r" + std::to_string(round++) + "-");
        auto counts = tally(rush(server.address(), asks, {.connections = 2, .pipeline = 1}));
        return counts["503 overloaded"] == asks.size();
      },
      3 * kPatience);
}

TEST_SUITE("e2e/full_disk") {
  TEST_CASE("on a full disk new orders are refused and payments go on and freed space heals it") {
    for (int shards : {1, 2}) {
      CAPTURE(shards);
      SmallDisk disk(96);
      if (!disk.is_mounted()) {
        MESSAGE("no root or no loop device: skipped");
        return;
      }
      Server server({.catalog = catalog({{.stock = 1'000'000}}),
                     .shards = shards,
                     .data = disk.path() + "/data"});
      std::vector<std::string> held;
      for (int i = 0; i < 20; ++i)
        held.push_back(server.buy({.user = "holder" + std::to_string(i)}));
      REQUIRE(server.wait_drained());
      disk.fill();
      CHECK(buy_until_overloaded(server));
      Response refused = server.order({.user = "unlucky"});
      CHECK(refused.code() == "overloaded");
      CHECK(refused.json()["retryable"].truth());
      for (int i = 0; i < 10; ++i)
        CHECK(server.pay(held[i], {.id = "p" + std::to_string(i)}).json()["state"].text() ==
              "paid");
      for (int i = 10; i < 20; ++i)
        CHECK(server.cancel("holder" + std::to_string(i), held[i]).json()["state"].text() ==
              "cancelled");
      CHECK(server.books().ok);
      disk.free();
      CHECK(wait_until([&] { return server.order({.user = "lucky"}).status == 201; }));
      server.check_books();
      server.restart();
      server.check_books();
      CHECK(server.books().paid == 10);
    }
  }

  TEST_CASE("a server killed on a full disk keeps what it acknowledged") {
    SmallDisk disk(64);
    if (!disk.is_mounted()) {
      MESSAGE("no root or no loop device: skipped");
      return;
    }
    Server server(
        {.catalog = catalog({{.stock = 1'000'000}}), .shards = 1, .data = disk.path() + "/data"});
    std::string id = server.buy({.user = "u1"});
    disk.fill();
    auto outcomes = rush(server.address(), crowd(300), {.connections = 2, .pipeline = 1});
    server.kill9();
    disk.free();
    server.start();
    CHECK(server.state_of("u1", id) == "reserved");
    for (const Outcome& outcome : outcomes)
      if (outcome.status == 201)
        CHECK(server.read(outcome.ask.user, outcome.order_id).status == 200);
    server.check_books();
  }

  TEST_CASE("a disk that is full at the start is a clear refusal") {
    SmallDisk disk(16);
    if (!disk.is_mounted()) {
      MESSAGE("no root or no loop device: skipped");
      return;
    }
    disk.fill();
    Scratch scratch;
    write_file(scratch.path("catalog.json"), catalog({{}}));
    Finished finished = run_stampede(
        {"serve", "--catalog", scratch.path("catalog.json"), "--data", disk.path() + "/data",
         "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--segment-bytes", "2097152"},
        kPatience);
    CAPTURE(finished.err);
    CHECK(finished.exit_code > 0);
    CHECK(finished.exit_code < 128);
    CHECK(!finished.err.empty());
  }
}

}  // namespace
}  // namespace stampede::e2e
