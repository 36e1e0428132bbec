// A whole node on a real directory, opened and started by hand: what a start does in which order.
#include "../base/death.h"
#include "node/node.h"
#include "sold_directory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>

namespace stampede::node {
namespace {

namespace fs = std::filesystem;

bool says(const MayEnd& end, int exit_code, std::string_view part) {
  return end && end->exit_code == exit_code && end->message.find(part) != std::string::npos;
}

void require_open(const MayEnd& end) {
  if (end) FAIL(end->message);
}

// The database of the directory, which does not answer while it is away: a look into it, or the drainer's sink.
class LostDatabase final : public Machine {
 public:
  bool is_look_away = false, is_sink_away = false, lacks_standby = false;
  int briefly_asked = 0;

  Clock& clock() override { return real_.clock(); }
  BootId boot_id() override { return real_.boot_id(); }
  void pause(std::chrono::microseconds time) override { real_.pause(time); }
  void run_all(std::span<const std::function<void()>> tasks) override { real_.run_all(tasks); }
  std::unique_ptr<net::Net> make_net(net::DescriptorBudget& budget,
                                     net::Socket preferred) override {
    return real_.make_net(budget, preferred);
  }
  Result<std::vector<net::Socket>> open_listeners(const net::Address& address,
                                                  unsigned count) override {
    return real_.open_listeners(address, count);
  }
  std::unique_ptr<StartAnswers> answer_while_starting(const net::Address& address,
                                                      const std::vector<net::Socket>& passed,
                                                      const Progress& progress) override {
    return real_.answer_while_starting(address, passed, progress);
  }
  Result<orderlog::DiskPlan> plan_disk(const std::string& directory,
                                       orderlog::Durability durability) override {
    return real_.plan_disk(directory, durability);
  }
  Result<std::unique_ptr<orderlog::Disk>> make_disk(const orderlog::DiskPlan& plan) override {
    return real_.make_disk(plan);
  }
  orderlog::SegmentMaker& segment_maker() override { return real_.segment_maker(); }
  std::unique_ptr<drain::Sink> make_sink(const drain::DatabaseUrl& url) override {
    return std::make_unique<LostSink>(*this, real_.make_sink(url));
  }
  Result<std::vector<drain::StreamPosition>> look_at_positions(
      const drain::DatabaseUrl& url) override {
    if (is_look_away) return Error{"no route to the database"};
    return real_.look_at_positions(url);
  }
  Result<std::vector<drain::KnownOrder>> look_at_outermost_orders(const drain::DatabaseUrl& url,
                                                                  uint32_t node,
                                                                  size_t count_max) override {
    return real_.look_at_outermost_orders(url, node, count_max);
  }
  Result<OrderId> look_at_newest_order(const drain::DatabaseUrl& url, uint32_t node) override {
    return real_.look_at_newest_order(url, node);
  }
  std::unique_ptr<cluster::Registry> make_registry(const drain::DatabaseUrl& url) override {
    return real_.make_registry(url);
  }
  cluster::RedisAccess& redis() override { return real_.redis(); }

 private:
  class LostSink final : public drain::Sink {
   public:
    LostSink(LostDatabase& machine, std::unique_ptr<drain::Sink> real)
        : machine_(machine), real_(std::move(real)) {}
    Result<std::vector<drain::StreamPosition>> positions() override {
      if (machine_.is_sink_away) return Error{"no route to the database"};
      return real_->positions();
    }
    Status confirm(uint32_t node, drain::Patience patience) override {
      if (!machine_.lacks_standby) return real_->confirm(node, patience);
      if (patience == drain::Patience::full) return Error{"no standby"};
      ++machine_.briefly_asked;
      return Error{"no standby yet"};
    }
    Result<std::vector<drain::KnownOrder>> outermost_orders(uint32_t node,
                                                            size_t count_max) override {
      return real_->outermost_orders(node, count_max);
    }
    drain::Written write(const drain::Batch& batch, int64_t now_ms,
                         const drain::MayGoOn& may_go_on) override {
      return real_->write(batch, now_ms, may_go_on);
    }

   private:
    LostDatabase& machine_;
    std::unique_ptr<drain::Sink> real_;
  };

  SystemMachine real_;
};

struct SellingNode : SoldDirectory {
  NodeSettings settings() const {
    NodeSettings settings;
    settings.data_dir = dir;
    settings.listen = settings.admin = *net::parse_address("127.0.0.1:0");
    settings.connections_max = 100;
    settings.shard_count = 2;
    settings.node = 3;
    settings.database = *drain::parse_database_url("sqlite:" + path);
    settings.retain_ms = 60'000;
    settings.segment_bytes = orderlog::kSmallSegment;
    settings.orders_max = 2 * kCells;
    settings.durability = orderlog::Durability::os;
    return settings;
  }
  static stock::CatalogEntry item(std::string_view code, Units stock) {
    stock::CatalogEntry entry{.terms = {}, .stock = stock};
    entry.terms.code = code;
    entry.terms.price = 900;
    entry.terms.currency = {'E', 'U', 'R'};
    entry.terms.pay_window_s = 900;
    return entry;
  }
  static MayEnd open(NodeSettings settings) { return Node(std::move(settings)).open(); }

  // Everything but the lock, which holds the pid.
  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> contents;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(dir))
      if (entry.path().filename() != "lock")
        contents[entry.path()] =
            entry.is_regular_file() ? orderlog::read_file(entry.path()) : std::string();
    return contents;
  }
  orderlog::Manifest manifest() const { return **orderlog::read_manifest(dir); }
  uint64_t newest_row() const {
    return drain::look_at_newest_order(settings().database, 3)->sequence();
  }
  // An order that was paid is forgotten; the item has this end.
  void sell_and_forget(int64_t ends_ms) {
    sell(1);
    OrderId order;
    with_data([&](Data& data, Findings&) { order = data.streams()[0].state->order(0).id; });
    orderlog::Payment payment = orderlog::sample_payment(orderlog::RecordType::paid);
    payment.order = order;
    append({orderlog::Item{.item = 0, .code = "ticket", .ends_ms = ends_ms}, payment,
            orderlog::Forget{.order = order}});
  }
  std::string snapshot(uint32_t segment) const {
    return orderlog::snapshot_path({.dir = dir + "/log/g1/s0"}, segment);
  }
  bool has_damaged_snapshot() const {
    return std::ranges::any_of(fs::directory_iterator(dir + "/log/g1/s0"), [](const auto& entry) {
      return entry.path().string().find(".damaged-") != std::string::npos;
    });
  }
  NodeSettings resharded() const {
    NodeSettings given = settings();
    given.shard_count = 1;
    return given;
  }
  void put_database(const std::string& from) const {
    for (const char* beside : {"-wal", "-shm"}) fs::remove(path + beside);
    fs::copy_file(from, path, fs::copy_options::overwrite_existing);
  }
  // As a version that did not note where the streams ended has left it.
  void forget_ends() const {
    orderlog::Manifest old = manifest();
    old.ended.clear();
    REQUIRE(bool(orderlog::write_manifest(dir, old)));
  }
  void check_completed(size_t rows) {
    Node node(resharded());
    require_open(node.open());
    REQUIRE(node.drainer()->drain_now(60 * kSecond));
    CHECK(node.drainer()->stats().completions == 1);
    REQUIRE(node.drainer()->gaps().size() == 1);
    CHECK(node.drainer()->gaps()[0].find("of shard 0 (node 3, generation 1)") != std::string::npos);
    CHECK(rows_of(path) == rows);
  }
  static size_t rows_of(const std::string& database) {
    auto reader = drain::open_database_reader(*drain::parse_database_url("sqlite:" + database));
    REQUIRE(bool(reader));
    return (*reader)->orders_after("", 1'000)->size();
  }
  // The last order is in the database, and the log has lost it.
  void lose_the_last_order() {
    make();
    sell(5);
    fs::copy(dir, scratch.path() + "/older", fs::copy_options::recursive);
    sell(1);
    drain();
    fs::remove_all(dir);
    fs::rename(scratch.path() + "/older", dir);
  }
};

}  // namespace

TEST_SUITE("node/open") {
  TEST_CASE_FIXTURE(SellingNode, "a start that is refused has left the directory as it was") {
    NodeSettings given = settings();
    bool is_fresh = false;
    SUBCASE("a fresh one") {
      is_fresh = true;
      fs::create_directory(dir);
    }
    // Its last batch is torn: a start cuts it off.
    SUBCASE("one that has sold") {
      make();
      sell(5);
      orderlog::Position end;
      with_data([&](Data& data, Findings&) { end = data.streams()[0].report.end; });
      sell(1);
      orderlog::Damage(dir + "/log/g1/s0/0000000001.log").flip(end.offset + 200, 3);
    }
    const auto before = contents();
    const auto check_refused = [&](const NodeSettings& asked, int exit_code,
                                   std::string_view part) {
      const MayEnd end = open(asked);
      REQUIRE(end);
      INFO(end->message);
      CHECK(says(end, exit_code, part));
      CHECK(contents() == before);
    };
    NodeSettings wrong = given;
    wrong.catalog = {item("hidden", 5)};
    wrong.catalog[0].terms.has_hidden_link = true;
    check_refused(wrong, kExitUsage, "key");
    wrong = given;
    wrong.listen = *net::parse_address("unix:" + scratch.path() + "/missing/socket");
    check_refused(wrong, kExitFailure, "missing");
    wrong = given;
    wrong.access_log = scratch.path() + "/missing/log";
    check_refused(wrong, kExitUsage, "--access-log");
    set_position(kFirstStream, kBeyond);
    check_refused(given, kExitLogDamaged, "database");
    execute("DELETE FROM drain_position");
    require_open(open(given));
    CHECK(contents() != before);
    CHECK(manifest().node == (is_fresh ? 3 : fresh.node));
  }

  TEST_CASE_FIXTURE(SellingNode, "all orders are rows before the number of shards changes") {
    make();
    sell(5);
    NodeSettings given = settings();
    given.shard_count = 3;
    require_open(open(given));
    CHECK(newest_row() == 5);
    CHECK(manifest().generation == 2);
    CHECK(manifest().shard_count == 3);
    // The old logs stay until a start has read the new ones.
    CHECK(fs::exists(dir + "/log/g1"));
    require_open(open(given));
    CHECK_FALSE(fs::exists(dir + "/log/g1"));
  }

  // It knows the same node, and the present generation of neither: its rows would be mixed with these.
  TEST_CASE_FIXTURE(SellingNode, "another sale's database stays refused when the shards change") {
    make();
    sell(5);
    SoldDirectory other;
    other.make();
    SUBCASE("as long as this one") {
      other.sell(5);
    }
    SUBCASE("longer") {
      other.sell(9);
    }
    SUBCASE("shorter") {
      other.sell(2);
    }
    bool has_ends = true;
    SUBCASE("and nobody noted the ends of this one") {
      other.sell(5);
      has_ends = false;
    }
    other.drain();
    require_open(open(resharded()));
    if (!has_ends) forget_ends();
    put_database(other.path);
    NodeSettings given = resharded();
    for (const bool accepts_loss : {false, true}) {
      given.accepts_loss = accepts_loss;
      const MayEnd end = open(given);
      REQUIRE(end);
      INFO(end->message);
      CHECK(end->exit_code == kExitLogDamaged);
    }
    CHECK(rows_of(path) == rows_of(other.path));
  }

  TEST_CASE_FIXTURE(SellingNode, "a database from before the shards changed is completed") {
    make();
    sell(5);
    drain();
    const std::string copy = scratch.path() + "/copy.db";
    execute(("VACUUM INTO '" + copy + "'").c_str());
    sell(5);
    require_open(open(resharded()));
    SUBCASE("by a start") {}
    SUBCASE("by a start that does not know where the streams ended") {
      forget_ends();
    }
    put_database(copy);
    check_completed(10);
    require_open(open(resharded()));
    Node again(resharded());
    require_open(again.open());
    CHECK(again.drainer()->gaps().empty());
  }

  TEST_CASE_FIXTURE(SellingNode, "a database that had everything is built on without a word") {
    make();
    sell(5);
    require_open(open(resharded()));
    Node node(resharded());
    require_open(node.open());
    REQUIRE(node.drainer()->drain_now(60 * kSecond));
    CHECK(node.drainer()->stats().completions == 0);
    CHECK(node.drainer()->gaps().empty());
  }

  TEST_CASE_FIXTURE(SellingNode,
                    "behind a loss every item is paused and no number of an order is given again") {
    lose_the_last_order();
    NodeSettings given = settings();
    CHECK(says(open(given), kExitLogDamaged, "database"));
    given.accepts_loss = true;
    given.catalog = {item("another", 7)};
    // One that ends before its records are durable has noted the loss: the next one needs no word of the operator.
    require_open(open(given));
    CHECK(manifest().is_loss_pending);
    given.accepts_loss = false;
    {
      Node node(given);
      require_open(node.open());
      node.start_by_hand();
    }
    CHECK_FALSE(manifest().is_loss_pending);
    with_data([&](Data& data, Findings&) {
      CHECK(data.sequence_max() >= 6 + bounds::sequence_gap_after_loss);
      REQUIRE(data.items().size() == 2);
      for (const stock::RegisteredItem& item : data.items()) CHECK(item.terms.is_paused);
    });
  }

  TEST_CASE_FIXTURE(SellingNode,
                    "a start waits for no standby and sells before one has confirmed") {
    make();
    sell(5);
    drain();
    LostDatabase machine;
    machine.lacks_standby = true;
    Node node(settings(), machine);
    require_open(node.open());
    CHECK(node.drainer()->step() == drain::Drainer::Step::blocked);
    CHECK(node.drainer()->problem() == "no standby");
    CHECK(machine.briefly_asked == 1);
    machine.lacks_standby = false;
    CHECK(node.drainer()->drain_now(60 * kSecond));
  }

  // The database must not wait at a place that the copy has as well: all that it has behind it would be written again.
  TEST_CASE_FIXTURE(SellingNode, "a copy that is put back behind an accepted loss is refused") {
    make();
    sell(40);
    drain();
    const std::string away = scratch.path() + "/away";
    fs::copy(dir, away, fs::copy_options::recursive);
    orderlog::Damage(dir + "/log/g1/s0/0000000001.log").flip(3 * 4096 + 40, 3);
    NodeSettings given = settings();
    given.accepts_loss = true;
    require_open(open(given));
    CHECK(manifest().is_loss_pending);
    const size_t rows = rows_of(path);
    fs::remove_all(dir);
    fs::rename(away, dir);
    CHECK(says(open(settings()), kExitLogDamaged, "the order log does not go on from there"));
    CHECK(rows_of(path) == rows);
  }

  // It is put back, or the disk reads it again: it would lead past all that was sold since, and give its numbers again.
  TEST_CASE_FIXTURE(SellingNode,
                    "a snapshot of a history that was lost hides nothing that was sold since") {
    make();
    sell(40);
    snapshot_of_segments_below(2);
    snapshot_of_segments_below(3);
    const std::string newest = snapshot(3), away = scratch.path() + "/away";
    fs::rename(newest, away);
    bool is_missing = false, is_at_rest = false;
    SUBCASE("it was unreadable at the loss") {
      std::ofstream(newest) << "not readable";
    }
    SUBCASE("it was missing at the loss") {
      is_missing = true;
    }
    SUBCASE("it was missing at the loss and the last process stopped in order") {
      is_missing = is_at_rest = true;
    }
    orderlog::Damage(dir + "/log/g1/s0/0000000002.log").flip(3 * 4096 + 40, 3);
    NodeSettings given = settings();
    given.database = {.kind = drain::DatabaseUrl::Kind::none};
    CHECK(open(given)->exit_code == kExitLogDamaged);
    given.accepts_loss = true;
    {
      Node node(given);
      require_open(node.open());
      node.start_by_hand();
    }
    CHECK(fs::exists(newest) == false);
    if (is_missing) CHECK_FALSE(has_damaged_snapshot());
    given.accepts_loss = false;
    sell(10);
    uint64_t sequence_max = 0;
    size_t orders = 0;
    with_data([&](Data& data, Findings&) {
      sequence_max = data.sequence_max();
      orders = data.streams()[0].state->orders_live();
      if (!is_at_rest) return;
      const auto& streams = data.streams();
      REQUIRE(bool(data.note_log_ends({streams[0].report.end, streams[1].report.end}, true)));
    });
    fs::copy_file(away, newest);
    require_open(open(given));
    with_data([&](Data& data, Findings&) {
      CHECK(data.sequence_max() == sequence_max);
      CHECK(data.streams()[0].state->orders_live() == orders);
    });
  }

  TEST_CASE_FIXTURE(SellingNode,
                    "a new item is on the disk with its stock before anything is sold") {
    NodeSettings given = settings();
    given.catalog = {item("ticket", 7)};
    Node node(given);
    require_open(node.open());
    node.start_by_hand();
    Data beside(dir, Data::Use::reading);
    REQUIRE_FALSE(beside.open());
    REQUIRE_FALSE(beside.restore());
    REQUIRE(beside.items().size() == 1);
    CHECK(beside.items()[0].supplied == 7);
  }

  TEST_CASE_FIXTURE(SellingNode, "a hand-over without descriptors for all listeners keeps none") {
    Node node(settings());
    require_open(node.open());
    rlimit before{};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit low{.rlim_cur = std::min<rlim_t>(before.rlim_cur, 256),
                     .rlim_max = before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
    std::vector<int> all;
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0)) all.push_back(fd);
    REQUIRE(all.size() >= 2);
    for (int i = 0; i < 2; ++i, all.pop_back()) ::close(all.back());  // for the public ones
    CHECK_FALSE(node.begin_hand_over());
    size_t free = 0;
    for (int fd = ::dup(0); fd >= 0; fd = ::dup(0), ++free) all.push_back(fd);
    for (const int fd : all) ::close(fd);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
    CHECK(free == 2);
  }

  TEST_CASE_FIXTURE(SellingNode, "logs that hold more units than were supplied are not sold from") {
    make();
    append({orderlog::Item{.item = 0, .code = "ticket"}, orderlog::Supply{.item = 0, .supplied = 7},
            orderlog::Grant{.item = 0, .accepted = 8}});
    CHECK(says(open(settings()), kExitLogDamaged,
               "item ticket: the logs in " + dir + " hold more units than were ever supplied"));
  }

  TEST_CASE_FIXTURE(
      SellingNode,
      "a start sells nothing again that was ended for good and goes on with the others") {
    make();
    bool is_over = true;
    SUBCASE("by an operator or by the retention") {
      append({orderlog::Item{.item = 0, .code = "ticket", .ends_ms = 1'000, .is_ended = true}});
    }
    // By a version that put no end to it.
    SUBCASE("because an order is forgotten") {
      sell_and_forget(1'000);
    }
    SUBCASE("but not what is on sale again already") {
      is_over = false;
      sell_and_forget(clock.now().wall_ms() + 3'600'000);
    }
    NodeSettings given = settings();
    given.catalog = {item("ticket", 7), item("other", 7)};
    Node node(given);
    require_open(node.open());
    const bool is_left = std::ranges::any_of(node.notices(), [](const std::string& line) {
      return line.find("item ticket: left as it was") != std::string::npos;
    });
    CHECK(is_left == is_over);
  }

  TEST_CASE_FIXTURE(SellingNode, "a directory that shared its stock does not sell alone") {
    make();
    append({orderlog::Epoch{.epoch = (7 << 16) | 3}});
    CHECK(says(open(settings()), kExitUsage, "start it with --ledger as before"));
  }

  TEST_CASE_FIXTURE(SellingNode,
                    "a database that answers between two looks is held against the log") {
    lose_the_last_order();
    LostDatabase machine;
    machine.is_look_away = true;
    CHECK(says(Node(settings(), machine).open(), kExitLogDamaged, "the database ends at record"));
  }

  TEST_CASE_FIXTURE(SellingNode,
                    "a server whose database was away at the start ends when it knows more") {
    lose_the_last_order();
    LostDatabase machine;
    machine.is_look_away = machine.is_sink_away = true;
    Node node(settings(), machine);
    require_open(node.open());
    node.start_by_hand();
    node.release_segments();
    machine.is_sink_away = false;
    CHECK(node.drainer()->step() == drain::Drainer::Step::blocked);
    CHECK(newest_row() == 6);
    const Death death = death_of([&] { node.release_segments(); });
    CHECK(death.exit_code == kExitLogDamaged);
    CHECK(death.words.find("which was away at the start, knows more") != std::string::npos);
  }
}

}  // namespace stampede::node
