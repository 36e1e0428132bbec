// Order logs on disk, written by the real writer, through the real reader into a real database.
#include "drain/log_source.h"

#include "../orderlog/rig.h"
#include "drain/drainer.h"
#include "drain/sqlite.h"
#include "orderlog/snapshot.h"
#include "support.h"

namespace {

using namespace stampede;
using namespace stampede::drain;
using namespace stampede::drain::testing;
using Step = Drainer::Step;

struct Fixture {
  Fixture() {
    std::filesystem::create_directories(files.dir);
    set_ticket(names);
  }

  // One batch; the writer's marks rise at once.
  void write(const std::vector<orderlog::Record>& records) {
    for (const orderlog::Record& record : records) rig().writer().append(record);
    rig().write_batch();
  }
  // Orders from the next number on, until a segment is full.
  void fill_segment() {
    const uint32_t segment = rig().writer().position().segment;
    while (rig().writer().position().segment == segment) {
      std::vector<orderlog::Record> records;
      for (int i = 0; i < 50; ++i) records.push_back(reserve(++last_number));
      write(records);
    }
  }
  orderlog::WritingRig& rig() {
    if (!made_rig) made_rig.emplace(files);
    return *made_rig;
  }

  // Drains the log up to the writer's mark.
  Drainer& drainer() {
    if (!made_drainer) {
      sink.emplace(path);
      source.emplace(files);
      made_drainer.emplace(*sink, names, clock,
                           std::vector<Stream>{{.key = {},
                                                .source = &*source,
                                                .marks = &rig().marks,
                                                .log_end = rig().writer().position()}});
    }
    return *made_drainer;
  }
  void drain() {
    for (int i = 0; i < 1'000 && (drainer().step() == Step::drained || !drainer().is_drained());
         ++i)
      clock.pass_ms(bounds::drain_retry_ms_max);
    REQUIRE_MESSAGE(drainer().is_drained(), drainer().problem());
  }

  ScratchDir dir;
  orderlog::StreamFiles files = orderlog::small_files(dir.file("s0000"));
  std::string path = dir.file("orders.db");
  ItemNames names;
  SetClock clock;
  uint64_t last_number = 0;
  std::optional<orderlog::WritingRig> made_rig;
  std::optional<SqliteSink> sink;
  std::optional<LogSource> source;
  std::optional<Drainer> made_drainer;
};

}  // namespace

TEST_SUITE("drain/log_source") {
  TEST_CASE_FIXTURE(Fixture, "a log over several segments arrives whole") {
    fill_segment();
    fill_segment();
    write({paid(1), expire(2)});
    drain();
    const Contents contents = read_contents(path);
    CHECK(contents.orders.size() == last_number);
    CHECK(contents.orders[0].state == "paid");
    CHECK(contents.orders[1].state == "expired");
    CHECK(contents.positions[0].position == rig().writer().position());
    CHECK(rig().marks.drained.get() == rig().marks.durable.get());
    CHECK(rig().marks.drained_segment == 3);
  }

  TEST_CASE_FIXTURE(Fixture, "a log that grows while it is drained arrives batch by batch") {
    for (int i = 0; i < 20; ++i) {
      write({reserve(++last_number)});
      drain();
      REQUIRE(read_contents(path).orders.size() == last_number);
    }
  }

  TEST_CASE_FIXTURE(Fixture, "a drainer that starts again goes on where the database is") {
    fill_segment();
    drain();
    made_drainer.reset();
    fill_segment();
    drain();
    CHECK(read_contents(path).orders.size() == last_number);
    CHECK(read_contents(path).rejects.empty());
  }

  TEST_CASE_FIXTURE(Fixture,
                    "damage behind the position stops the line and is told with its place") {
    write({reserve(1)});
    drain();
    const orderlog::Position begin = rig().writer().position();
    write({reserve(2)});
    orderlog::Damage(files.segment_path(1)).flip(begin.offset + 130, 3);
    for (int i = 0; i < 3; ++i) {
      clock.pass_ms(bounds::drain_retry_ms_max);
      CHECK(drainer().step() == Step::blocked);
    }
    CHECK(drainer().problem().find("segment 1") != std::string::npos);
    CHECK(read_contents(path).orders.size() == 1);
  }

  TEST_CASE_FIXTURE(Fixture, "a database of another log is refused") {
    write({reserve(1)});
    write({reserve(2)});
    drain();
    made_drainer.reset();
    made_rig.reset();
    std::filesystem::remove_all(files.dir);
    std::filesystem::create_directories(files.dir);
    files.log_uuid.fill(0xcd);
    write({reserve(1)});
    write({reserve(2)});
    write({reserve(3)});
    const Drainer::Finding finding = drainer().reconcile();
    CHECK(finding.agreement == Drainer::Agreement::contradicts);
    CHECK(finding.message.find("the order log does not go on from there") != std::string::npos);
  }

  TEST_CASE_FIXTURE(Fixture,
                    "a new database of a log without its beginning is built from a snapshot") {
    names.set(1, "seat");
    fill_segment();
    const uint64_t covered = last_number;
    const orderlog::Position end = rig().writer().position();
    orderlog::SnapshotWriter snapshot(files);
    REQUIRE(snapshot.begin(2));
    for (uint64_t number = 1; number <= covered; ++number) {
      const OrderState state = number == 2 ? OrderState::paid : OrderState::reserved;
      REQUIRE(snapshot.append(orderlog::OrderImage{.reserve = reserve(number), .state = state}));
    }
    REQUIRE(snapshot.append(orderlog::PaymentImage{paid(2, "p2")}));
    REQUIRE(snapshot.finish({.position = end}));
    write({expire(1), reserve(++last_number)});
    std::filesystem::remove(files.segment_path(1));

    SUBCASE("sound") {
      drain();
      const Contents contents = read_contents(path);
      CHECK(contents.orders.size() == last_number);
      CHECK(contents.orders[0].state == "expired");
      CHECK(contents.orders[1].payment_id == "p2");
      CHECK(contents.payments.size() == 1);
      CHECK(contents.rejects.empty());
    }
    SUBCASE("damaged near its end and so not even begun") {
      for (const auto& entry : std::filesystem::directory_iterator(files.dir))
        if (entry.path().filename().string().starts_with("snapshot"))
          orderlog::Damage(entry.path()).flip(entry.file_size() - 4096 + 140, 0);
      CHECK(drainer().step() == Step::blocked);
      CHECK_FALSE(drainer().problem().empty());
      CHECK(read_contents(path).orders.empty());
    }
  }

  TEST_CASE_FIXTURE(Fixture,
                    "a stream that began with a snapshot is never built from its log alone") {
    names.set(1, "seat");
    files.known.begins_with_snapshot = true;  // which is gone, as two newer ones may be there
    last_number = 1;                          // this order is in no record of the log
    fill_segment();

    SUBCASE("a later snapshot has the orders from before its log") {
      orderlog::SnapshotWriter snapshot(files);
      REQUIRE(snapshot.begin(2));
      for (uint64_t number = 1; number <= last_number; ++number)
        REQUIRE(snapshot.append(
            orderlog::OrderImage{.reserve = reserve(number), .state = OrderState::reserved}));
      REQUIRE(snapshot.finish({.position = rig().writer().position()}));
      write({expire(1), reserve(++last_number)});
      drain();
      const Contents contents = read_contents(path);
      CHECK(contents.orders.size() == last_number);
      CHECK(contents.orders[0].state == "expired");
    }
    SUBCASE("without any nothing is written") {
      CHECK(drainer().step() == Step::blocked);
      CHECK(drainer().problem().find("there is no snapshot") != std::string::npos);
      CHECK(read_contents(path).orders.empty());
    }
  }
}
