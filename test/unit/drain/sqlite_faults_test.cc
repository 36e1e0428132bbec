// The real sink under the real drainer, with a file system that fails: the process dies inside a
// write, writes end half way, the disk is full or answers EIO. Whatever happens, what the database
// shows must be what the records up to its own position say, and in the end all of them.
#include <errno.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drain/drainer.h"
#include "drain/sqlite.h"
#include "order_life.h"

namespace {

using namespace stampede;
using namespace stampede::drain;
using namespace stampede::drain::testing;
using Step = Drainer::Step;

enum class Fault { none, die, no_space, io_error };

// The next fault of this process: before the n-th write from now, of which half is still done when
// we die.
struct Plan {
  Fault fault = Fault::none;
  int writes_until = 0;
};
Plan g_plan;

ssize_t faulty_pwrite(int fd, const void* bytes, size_t size, off_t offset) {
  if (g_plan.fault != Fault::none && --g_plan.writes_until == 0) {
    switch (std::exchange(g_plan.fault, Fault::none)) {
      case Fault::die:
        if (pwrite(fd, bytes, size / 2, offset) < 0) _exit(2);
        _exit(0);
      case Fault::no_space:
        errno = ENOSPC;
        return -1;
      case Fault::io_error:
        errno = EIO;
        return -1;
      case Fault::none:
        break;
    }
  }
  return pwrite(fd, bytes, size, offset);
}

// Puts our pwrite between SQLite and the kernel.
class FaultyWrites {
 public:
  FaultyWrites() { set(reinterpret_cast<sqlite3_syscall_ptr>(faulty_pwrite)); }
  ~FaultyWrites() {
    set(nullptr);
    g_plan = {};
  }

 private:
  static void set(sqlite3_syscall_ptr function) {
    sqlite3_vfs* vfs = sqlite3_vfs_find(nullptr);
    for (const char* name : {"pwrite", "pwrite64"})
      REQUIRE(vfs->xSetSystemCall(vfs, name, function) == SQLITE_OK);
  }
};

struct Fixture : OrderLife {
  using OrderLife::OrderLife;

  void remove_database() {
    sink.reset();
    for (const char* suffix : {"", "-wal", "-shm", "-journal"}) unlink((path + suffix).c_str());
  }
  // Some records in a transaction, so that there are many moments to fail in.
  void drain_until(Lsn last) {
    sink.emplace(path);
    SetClock clock;
    Drainer drainer(*sink, names, clock,
                    {{.key = {}, .source = &log, .marks = &marks, .log_end = log.end()}});
    // Durable before the first look: a process before this one may have written rows up to here.
    begin_at(marks, last);
    log.set_batches_per_transaction(2);
    // The log is readable by whole batches, so the mark may stay a little below `last`.
    for (int rounds = 0; rounds < 1'000 && !drainer.is_drained(); ++rounds) {
      drainer.step();
      clock.pass_ms(bounds::drain_retry_ms_max);
    }
  }
  void drain_all() {
    drain_until(log.last_lsn());
    sink.reset();
  }

  // A child that drains and dies before its n-th write. True: it did; false: it was done before.
  bool drain_and_die(int writes_until) {
    std::fflush(nullptr);  // or the child would print it again
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      g_plan = {.fault = Fault::die, .writes_until = writes_until};
      drain_all();
      _exit(1);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFEXITED(status));
    REQUIRE(WEXITSTATUS(status) <= 1);
    return WEXITSTATUS(status) == 0;
  }

  Lsn check_consistent() {
    if (!std::filesystem::exists(path)) return 0;
    {
      SqliteSink repaired(path);  // and with tables, if death came before them
      const auto positions = repaired.positions();
      REQUIRE_MESSAGE(positions, (positions ? "" : positions.error().message));
    }
    return check_rows(read_contents(path));
  }
  void check_complete() { REQUIRE(check_consistent() == records.size()); }

  ScratchDir dir;
  std::string path = dir.file("orders.db");
  orderlog::Marks marks;
  FaultyWrites faulty_writes;
  std::optional<SqliteSink> sink;  // outlives drain_until(): a child dies with it open
};

}  // namespace

TEST_SUITE("drain/sqlite_faults") {
  TEST_CASE_FIXTURE(Fixture, "without a fault the database ends as the log says") {
    INFO("seed " << seed);
    drain_all();
    check_complete();
  }

  TEST_CASE_FIXTURE(Fixture,
                    "killed in a write again and again the rows always match the position") {
    INFO("seed " << seed);
    int deaths = 0;
    while (drain_and_die(1 + static_cast<int>(random() % 40))) {
      ++deaths;
      CAPTURE(deaths);
      check_consistent();
      REQUIRE(deaths < 10'000);
    }
    CHECK(deaths > 3);
    check_complete();
  }

  TEST_CASE_FIXTURE(Fixture, "killed in the first writes of a young database it comes back whole") {
    INFO("seed " << seed);
    for (int writes = 1; writes <= 40; ++writes) {
      CAPTURE(writes);
      remove_database();
      REQUIRE(drain_and_die(writes));
      check_consistent();
      drain_all();
      check_complete();
    }
  }

  // Between two steps: a crash inside a checkpoint needs the WAL file to mend the main file, so
  // then its loss is the loss of the database, which is built anew.
  TEST_CASE_FIXTURE(Fixture,
                    "killed and robbed of its WAL file the database still gets every row") {
    INFO("seed " << seed);
    std::fflush(nullptr);  // or the child would print it again
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      drain_until(log.last_lsn() / 2);
      _exit(0);
    }
    REQUIRE(waitpid(child, nullptr, 0) == child);
    REQUIRE(unlink((path + "-wal").c_str()) == 0);
    check_consistent();
    drain_all();
    check_complete();
  }

  TEST_CASE_FIXTURE(Fixture,
                    "a disk that is full or fails now and then delays rows and loses none") {
    INFO("seed " << seed);
    for (int writes = 1; writes <= 60; ++writes) {
      CAPTURE(writes);
      remove_database();
      g_plan = {.fault = writes % 2 ? Fault::no_space : Fault::io_error, .writes_until = writes};
      drain_all();
      CHECK(g_plan.fault == Fault::none);  // it has struck
      check_complete();
    }
  }

  TEST_CASE_FIXTURE(Fixture, "an older copy is completed whatever part of the log it lacks") {
    INFO("seed " << seed);
    const uint32_t segments = log.end().segment;
    for (uint32_t oldest = 3; oldest <= segments; ++oldest) {
      CAPTURE(oldest);
      remove_database();
      const MemoryLog whole = log;
      drain_until(random() % log.begin_of(oldest - 1).next_lsn);
      forget_log_before(oldest);
      drain_all();
      check_complete();
      log = whole;
    }
  }

  TEST_CASE("killed in a completion again and again it is complete in the end") {
    Fixture life(14'000);  // several transactions of images
    INFO("seed " << life.seed);
    const uint32_t oldest = life.log.end().segment - 1;
    life.drain_until(life.records.size() / 20);
    life.sink.reset();
    life.forget_log_before(oldest);
    const Lsn covered = life.log.begin_of(oldest).next_lsn - 1;
    int deaths = 0;
    for (int writes = 20; life.drain_and_die(writes); writes += 170) {
      ++deaths;
      SqliteSink repaired(life.path);
      REQUIRE(repaired.positions());
      const Contents now = read_contents(life.path);
      CHECK(now.rejects.empty());
      // Once the position is behind the snapshot every row is right; before that rows are early or late and none is wrong.
      if (now.positions.at(0).position.next_lsn > covered) life.check_rows(now);
    }
    CHECK(deaths > 3);
    life.check_complete();
  }

  TEST_CASE_FIXTURE(Fixture, "replaying the log twice from the beginning gives the same database") {
    INFO("seed " << seed);
    drain_all();
    const Contents first = read_contents(path);
    const std::string second_path = dir.file("second.db");
    path = second_path;
    drain_all();
    const Contents second = read_contents(path);
    CHECK(first.orders == second.orders);
    CHECK(first.payments == second.payments);
  }
}
