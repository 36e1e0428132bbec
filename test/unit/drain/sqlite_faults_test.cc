// The real sink under the real drainer, with a file system that fails: the process dies inside a
// write, writes end half way, the disk is full or answers EIO. Whatever happens, what the database
// shows must be what the records up to its own position say, and in the end all of them.
#include <errno.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>
#include <random>

#include "drain/drainer.h"
#include "drain/sqlite.h"
#include "support.h"

namespace {

using namespace stampede;
using namespace stampede::drain;
using namespace stampede::drain::testing;
using orderlog::RecordType;
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

// What one order should look like, found in the plainest way.
struct Expected {
  std::string state = "reserved";
  std::string payment_id;
  Money refund_due = 0;
  size_t payments = 0;
  friend bool operator==(const Expected&, const Expected&) = default;
};
using ExpectedOrders = std::map<std::string, Expected>;

std::string hex(OrderId order) {
  char text[17];
  std::snprintf(text, sizeof text, "%016lx", order.value);
  return text;
}

ExpectedOrders expect(const std::vector<orderlog::Record>& records, Lsn last) {
  ExpectedOrders orders;
  for (Lsn lsn = 1; lsn <= last; ++lsn) {
    const orderlog::Record& record = records[lsn - 1];
    if (const auto* reserved = std::get_if<orderlog::Reserve>(&record))
      orders[hex(reserved->order)];
    if (const auto* cancelled = std::get_if<orderlog::Cancel>(&record))
      orders[hex(cancelled->order)].state = "cancelled";
    if (const auto* expired = std::get_if<orderlog::Expire>(&record))
      orders[hex(expired->order)].state = "expired";
    if (const auto* money = std::get_if<orderlog::Payment>(&record)) {
      Expected& order = orders[hex(money->order)];
      ++order.payments;
      if (money->outcome == RecordType::paid || money->outcome == RecordType::late_paid)
        order.state = "paid", order.payment_id = money->payment_id;
      if (money->outcome == RecordType::refund_due) order.refund_due += money->amount;
    }
  }
  return orders;
}

ExpectedOrders read_orders(const Contents& contents) {
  ExpectedOrders orders;
  for (const StoredOrder& row : contents.orders)
    orders[row.order_id] = {.state = row.state,
                            .payment_id = row.payment_id.value_or(""),
                            .refund_due = row.refund_due,
                            .payments = 0};
  for (const StoredPayment& row : contents.payments) ++orders[row.order_id].payments;
  return orders;
}

// A life of some orders, cut into log batches at random.
struct Fixture {
  Fixture() {
    set_ticket(names);
    constexpr uint64_t kOrders = 60;
    for (int i = 0; i < 100; ++i) payment_ids.push_back("payment-" + std::to_string(i));
    for (uint64_t number = 1; number <= kOrders; ++number) {
      records.push_back(reserve(number));
      const uint64_t older = 1 + random() % number;
      const std::string& id = payment_ids[random() % payment_ids.size()];
      if (is_closed[older]++) continue;
      switch (random() % 5) {
        case 0:
          records.push_back(cancel(older));
          break;
        case 1:
          records.push_back(expire(older));
          records.push_back(payment(RecordType::late_paid, older, id));
          break;
        case 2:
          records.push_back(paid(older, id));
          break;
        case 3:
          records.push_back(expire(older));
          records.push_back(payment(RecordType::refund_due, older, id, 10));
          records.push_back(payment(RecordType::refund_due, older, "again", 7));
          break;
        case 4:
          records.push_back(payment(RecordType::payment_rejected, older, id));
          break;
      }
    }
    for (size_t i = 0; i < records.size();) {
      const size_t count = std::min<size_t>(1 + random() % 6, records.size() - i);
      log.append({records.begin() + static_cast<ptrdiff_t>(i),
                  records.begin() + static_cast<ptrdiff_t>(i + count)},
                 random() % 4 == 0);
      i += count;
    }
  }

  // Some records in a transaction, so that there are many moments to fail in.
  void drain_until(Lsn last) {
    sink.emplace(path);
    SetClock clock;
    Drainer drainer(*sink, names, clock,
                    {{.key = {}, .source = &log, .marks = &marks, .log_end = log.end()}});
    Lsn durable = 0;
    // The log is readable by whole batches, so the mark may stay a little below `last`.
    for (int rounds = 0; rounds < 1'000 && (durable < last || !drainer.is_drained()); ++rounds) {
      durable = std::min(durable + 6, last);
      marks.durable = durable;
      drainer.step();
      clock.pass_ms(limits::drain_retry_ms_max);
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

  // The rows are those of the records up to the position, no more and no fewer.
  void check_consistent() {
    if (!std::filesystem::exists(path)) return;
    {
      SqliteSink repaired(path);  // and with tables, if death came before them
      const auto positions = repaired.positions();
      REQUIRE_MESSAGE(positions, (positions ? "" : positions.error().message));
    }
    const Contents contents = read_contents(path);
    const Lsn drained =
        contents.positions.empty() ? 0 : contents.positions[0].position.next_lsn - 1;
    CAPTURE(drained);
    REQUIRE(read_orders(contents) == expect(records, drained));
    REQUIRE(contents.rejects.empty());
  }
  void check_complete() {
    check_consistent();
    REQUIRE(read_contents(path).positions[0].position.next_lsn == records.size() + 1);
  }

  uint64_t seed = std::random_device{}();
  std::mt19937_64 random{seed};
  std::map<uint64_t, int> is_closed;
  std::vector<std::string> payment_ids;
  std::vector<orderlog::Record> records;
  ScratchDir dir;
  std::string path = dir.file("orders.db");
  ItemNames names;
  MemoryLog log;
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
      for (const char* suffix : {"", "-wal", "-shm", "-journal"}) unlink((path + suffix).c_str());
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
      for (const char* suffix : {"", "-wal", "-shm", "-journal"}) unlink((path + suffix).c_str());
      g_plan = {.fault = writes % 2 ? Fault::no_space : Fault::io_error, .writes_until = writes};
      drain_all();
      CHECK(g_plan.fault == Fault::none);  // it has struck
      check_complete();
    }
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
