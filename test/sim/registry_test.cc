#include "registry.h"

#include "../unit/cluster/registry_rig.h"

#include <doctest/doctest.h>  // last: its CHECK is the one that tests mean

namespace {

using namespace stampede;
using namespace stampede::cluster;
using sim::RegistryDatabase;
using sim::SimulatedRegistry;

struct Shared {
  RegistryDatabase database;
};

struct Fixture : Shared, RegistryRig {
  Fixture() : RegistryRig(std::make_unique<SimulatedRegistry>(database, 0)) {}

  // There are no threads: one node after the other.
  void at_once(int nodes, const std::function<void(Registry&, int)>& work) {
    for (int i = 0; i < nodes; ++i) {
      SimulatedRegistry own(database, static_cast<uint32_t>(i));
      work(own, i);
    }
  }
  int64_t epochs_begun() { return static_cast<int64_t>(database.rows.epochs.size()); }
};

}  // namespace

TEST_SUITE_BEGIN("sim/registry");

#include "../unit/cluster/registry_contract.h"

TEST_CASE_FIXTURE(Fixture, "a database that is away answers nothing and has kept what it had") {
  must(registry.enroll(2, "b"));
  database.is_away = true;
  CHECK_FALSE(registry.begin_epoch(2, 0));
  CHECK_FALSE(registry.members());
  database.is_away = false;
  database.cut_off = {0};
  CHECK_FALSE(registry.members());
  SimulatedRegistry other(database, 1);
  CHECK(must(other.members()).size() == 1);
  database.cut_off.clear();
  CHECK(must(registry.begin_epoch(2, 0)).epoch == (uint64_t{1} << 16 | 2));
}

TEST_CASE_FIXTURE(Fixture, "a change whose commit is unknown was made or not and may be repeated") {
  using Commit = RegistryDatabase::Commit;
  const Supply item{.item = "ticket", .supplied = 100};
  must(registry.add_items({&item, 1}));
  for (const bool is_done : {true, false}) {
    CAPTURE(is_done);
    const std::string op = is_done ? "done" : "not done";
    database.commit = [&](uint32_t) {
      return is_done ? Commit::unknown_and_done : Commit::unknown_and_not_done;
    };
    CHECK(contains(complaint(registry.restock(op, "ticket", 5, kSomeEpoch)),
                   "is not known, repeat it"));
    CHECK(must(registry.find_restock(op)).has_value() == is_done);
    database.commit = nullptr;
    CHECK(must(registry.restock(op, "ticket", 5, kSomeEpoch)).is_applied != is_done);
  }
  CHECK(must(registry.supplies()) == std::vector<Supply>{{"ticket", 110, 0}});
}

TEST_SUITE_END();
