// A command on the directory of a node that is down.
#include <filesystem>

#include "books.h"
#include "directory.h"
#include "run.h"
#include "world_terms.h"

#include <doctest/doctest.h>  // last: its CHECK is the one that tests mean

namespace stampede::sim {
namespace {

// One node of several that share a ledger; the others have never been there.
struct Lone {
  Lone() {
    std::filesystem::create_directory(directory.path() + "/node0");
    servers = std::make_unique<Servers>(plan, directory.path(), random);
    host = std::make_unique<Host>(plan, 0, directory.path() + "/node0",
                                  Host::Surroundings{.servers = *servers,
                                                     .pass_time =
                                                         [this](std::chrono::nanoseconds time) {
                                                           servers->clock.advance(time.count());
                                                           host->step_while_waiting();
                                                         },
                                                     .note = [](const std::string&) {}},
                                  random.fork());
    access = servers->redis.make_access(900);
  }
  // Until its shard has leased units, or has nothing to do any more.
  void run(int64_t ns) {
    for (const int64_t end_ns = servers->clock.now().boot_ns + ns;
         servers->clock.now().boot_ns < end_ns;) {
      servers->redis.deliver();
      host->files().settle_writes();
      host->step_all();
      servers->clock.advance(kMillisecond);
    }
  }
  Status reclaim() {
    const auto caller = access->make_caller(world_redis(plan), 1'000);
    if (Status connected = caller->connect(); !connected) return connected;
    SimulatedRegistry registry(servers->registry, 900);
    return host->reclaim(*caller, registry);
  }
  cluster::MemberState state() const { return servers->registry.rows.members.at(0).state; }

  Plan plan{.is_shared = true, .nodes = 2, .segment_bytes = 256 * 1024};
  Random random{1};
  Directory directory;
  std::unique_ptr<Servers> servers;
  std::unique_ptr<Host> host;
  std::unique_ptr<NodeRedis> access;
};

}  // namespace

TEST_SUITE("sim/commands") {
  TEST_CASE("a node that is reclaimed is retired with nothing reserved and its orders drained") {
    Lone lone;
    REQUIRE(lone.host->start());
    lone.run(3 * kSecond);
    world::Buyer buyer(lone.host->machine().connect(0));
    buyer.order_of("ann", item_code(0), 1, "a");
    lone.run(kSecond);
    REQUIRE(buyer.has_answer());
    REQUIRE(buyer.take_answer().status == 201);
    lone.host->kill(false);
    lone.host->leave();
    const Status done = lone.reclaim();
    CHECK_MESSAGE(bool(done), (done ? "" : done.error().message));
    CHECK(lone.state() == cluster::MemberState::retired);
    const std::optional<LogContents> log = read_log(*lone.host);
    REQUIRE(log);
    REQUIRE(log->states.size() == 1);
    CHECK(log->states.begin()->second.state == "expired");
    History history;
    compare_database(*lone.servers, log->states, history);
    CHECK(history.broken_promises().empty());
    CHECK(bool(lone.reclaim()));
  }

  TEST_CASE("a reclaim on a full disk says so and is done when there is room") {
    Lone lone;
    REQUIRE(lone.host->start());
    lone.run(3 * kSecond);
    lone.host->kill(false);
    lone.host->leave();
    lone.host->files().fill_up(ENOSPC);
    CHECK(!lone.reclaim());
    CHECK(lone.state() == cluster::MemberState::active);
    lone.host->files().heal();
    CHECK(bool(lone.reclaim()));
  }
}

}  // namespace stampede::sim
