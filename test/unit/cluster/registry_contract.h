// What every registry that nodes share promises. Included by the file of each kind, inside its suite and behind its `Fixture`, which
// is a RegistryRig with
//   at_once(nodes, work)   calls work(registry, i) for that many nodes, at once or one after the other
//   epochs_begun()         how many there are

// ---- Members

TEST_CASE_FIXTURE(Fixture, "a new member is inactive and may enroll again") {
  must(registry.enroll(7, "a"));
  must(registry.enroll(7, "a"));
  CHECK(must(registry.members()) ==
        std::vector<Member>{{.node = 7, .uuid = "a", .state = MemberState::inactive}});
}

TEST_CASE_FIXTURE(Fixture, "a number that belongs to another data directory is refused") {
  must(registry.enroll(7, "a"));
  const std::string told = complaint(registry.enroll(7, "b"));
  CHECK(contains(told, "node 7"));
  CHECK(contains(told, "another data directory"));
  CHECK(contains(told, "--node"));
  CHECK(member(7).uuid == "a");
  // Nor may one directory be two members.
  CHECK_FALSE(registry.enroll(8, "a"));
}

TEST_CASE_FIXTURE(Fixture, "a member keeps its state and epoch when it enrolls again") {
  const uint64_t epoch = activate(7);
  must(registry.enroll(7, "uuid7"));
  CHECK(member(7).state == MemberState::active);
  CHECK(member(7).epoch == epoch);
}

TEST_CASE_FIXTURE(Fixture, "of two directories that want one number at once one gets it") {
  std::atomic<int> enrolled{0};
  at_once(4, [&](Registry& own, int i) {
    enrolled += static_cast<bool>(own.enroll(7, "uuid" + std::to_string(i)));
  });
  CHECK(enrolled == 1);
}

// ---- Supply

TEST_CASE_FIXTURE(Fixture, "unknown items get their supply and known ones keep theirs") {
  const std::vector<Supply> first = {{"b", 10, 0}, {"a", 5, 2}};
  CHECK(must(registry.add_items(first)) == first);
  const std::vector<Supply> second = {{"a", 99, 0}, {"c", 7, 0}, {"b", 98, 1}};
  CHECK(must(registry.add_items(second)) ==
        std::vector<Supply>{{"a", 5, 2}, {"c", 7, 0}, {"b", 10, 0}});
  CHECK(must(registry.supplies()) == std::vector<Supply>{{"a", 5, 2}, {"b", 10, 0}, {"c", 7, 0}});
  CHECK(must(registry.add_items({})).empty());
}

TEST_CASE_FIXTURE(Fixture, "an item that is named twice has one supply") {
  const std::vector<Supply> twice = {{"a", 1, 0}, {"a", 2, 0}};
  CHECK(must(registry.add_items(twice)) == std::vector<Supply>{{"a", 1, 0}, {"a", 1, 0}});
}

TEST_CASE_FIXTURE(Fixture, "nodes that add one item at once all hear of the same supply") {
  std::vector<Supply> heard(6);
  at_once(6, [&](Registry& own, int i) {
    const Supply mine = {"ticket", static_cast<Units>(100 + i), 0};
    heard[static_cast<size_t>(i)] = must(own.add_items(std::span(&mine, 1)))[0];
  });
  for (const Supply& supply : heard) CHECK(supply == heard[0]);
  CHECK(must(registry.supplies()) == std::vector<Supply>{heard[0]});
}

TEST_CASE_FIXTURE(Fixture, "numbers that cannot be are refused and nothing changes") {
  const Supply impossible[] = {{"a", UINT64_MAX, 0}};
  CHECK_FALSE(registry.add_items(impossible));
  const Supply negative[] = {{"a", 1, 2}};
  CHECK_FALSE(registry.add_items(negative));
  CHECK(must(registry.supplies()).empty());
}

// ---- Terms

TEST_CASE_FIXTURE(Fixture, "terms change only from what stands there") {
  const Supply items[] = {{"a", 1, 0}, {"b", 1, 0}};
  must(registry.add_items(items));
  const std::vector<std::string> asked = {"b", "a", "unknown"};
  using Terms = std::unordered_map<std::string, std::string>;
  CHECK(must(registry.terms(asked)) == Terms{{"a", ""}, {"b", ""}});
  const TermsChange first[] = {{"a", "", "{\"x\":1}"}, {"unknown", "", "{}"}};
  CHECK(must(registry.change_terms(first)) == 1);
  const TermsChange second[] = {{"a", "", "{\"x\":2}"}, {"b", "", "{\"y\":1}"}};
  CHECK(must(registry.change_terms(second)) == 1);
  CHECK(must(registry.terms(asked)) == Terms{{"a", "{\"x\":1}"}, {"b", "{\"y\":1}"}});
  const TermsChange third[] = {{"a", "{\"x\":1}", "{\"x\":3}"}};
  CHECK(must(registry.change_terms(third)) == 1);
  CHECK(must(registry.terms(asked)).at("a") == "{\"x\":3}");
  CHECK(must(registry.supplies()) == std::vector<Supply>{{"a", 1, 0}, {"b", 1, 0}});
}

TEST_CASE_FIXTURE(Fixture, "of nodes that leave terms at once one is first and stays") {
  const Supply item{"a", 1, 0};
  must(registry.add_items({&item, 1}));
  std::atomic<size_t> made{0};
  at_once(4, [&](Registry& own, int i) {
    const TermsChange mine{"a", "", std::to_string(i)};
    made += must(own.change_terms({&mine, 1}));
  });
  CHECK(made == 1);
}

// ---- Epochs

TEST_CASE_FIXTURE(Fixture, "an epoch is a counter and the node that began it") {
  must(registry.enroll(7, "a"));
  CHECK(must(registry.begin_epoch(7, 0)).epoch == (uint64_t{1} << 16 | 7));
  CHECK(must(registry.begin_epoch(7, 0)).epoch == (uint64_t{2} << 16 | 7));
  must(registry.enroll(3, "b"));
  CHECK(must(registry.begin_epoch(3, 0)).epoch == (uint64_t{3} << 16 | 3));
}

TEST_CASE_FIXTURE(Fixture, "an epoch is above the one that was named even of a foreign history") {
  must(registry.enroll(7, "a"));
  const uint64_t above = (uint64_t{1000} << 16) | 500;
  CHECK(must(registry.begin_epoch(7, above)).epoch == (uint64_t{1001} << 16 | 7));
  CHECK(must(registry.begin_epoch(7, 3)).epoch == (uint64_t{1002} << 16 | 7));
  CHECK_FALSE(registry.begin_epoch(7, UINT64_MAX));
  CHECK_FALSE(registry.begin_epoch(7, uint64_t{1} << 62));
  CHECK(must(registry.begin_epoch(7, 0)).epoch == (uint64_t{1003} << 16 | 7));
}

TEST_CASE_FIXTURE(Fixture, "who begins an epoch becomes active and sees everybody else") {
  const std::vector<Supply> items = {{"ticket", 100, 0}};
  must(registry.add_items(items));
  activate(1);
  const uint64_t epoch = activate(2);
  const FrozenCount gone[] = {count(2, "2.0", 9, 4), count(2, "2.1", 3, 3)};
  must(registry.deactivate(2, epoch, gone));
  must(registry.enroll(3, "c"));
  must(registry.enroll(4, "d"));  // never took part
  const EpochPlan plan = must(registry.begin_epoch(3, 0));
  CHECK(plan.members == std::vector<uint32_t>{1, 3});
  CHECK(plan.frozen == std::vector<FrozenCount>{gone[0], gone[1]});
  CHECK(plan.supplies == items);
  CHECK(member(3).state == MemberState::active);
  CHECK(member(3).epoch == 0);  // begun is not entered
}

TEST_CASE_FIXTURE(Fixture, "a member that comes back takes its frozen counters away") {
  const uint64_t epoch = activate(2);
  const FrozenCount gone[] = {count(2, "2.0", 9, 4)};
  must(registry.deactivate(2, epoch, gone));
  CHECK(must(registry.frozen()).size() == 1);
  const EpochPlan plan = must(registry.begin_epoch(2, 0));
  CHECK(plan.members == std::vector<uint32_t>{2});
  CHECK(plan.frozen.empty());
  CHECK(must(registry.frozen()).empty());
}

TEST_CASE_FIXTURE(Fixture, "no epoch is begun for a stranger or for one who was retired") {
  CHECK(contains(complaint(registry.begin_epoch(5, 0)), "no member"));
  must(registry.enroll(5, "e"));
  must(registry.retire(5, {}));
  CHECK(contains(complaint(registry.begin_epoch(5, 0)), "retired"));
  CHECK(epochs_begun() == 0);
}

TEST_CASE_FIXTURE(Fixture, "epochs that are begun at once are all different and rise") {
  constexpr int kNodes = 6, kEach = 20;
  for (int node = 0; node < kNodes; ++node)
    must(registry.enroll(static_cast<uint32_t>(node), std::to_string(node)));
  std::vector<std::vector<uint64_t>> epochs(kNodes);
  at_once(kNodes, [&](Registry& own, int node) {
    for (int i = 0; i < kEach; ++i)
      epochs[static_cast<size_t>(node)].push_back(
          must(own.begin_epoch(static_cast<uint32_t>(node), 0)).epoch);
  });
  std::set<uint64_t> counters;
  for (const std::vector<uint64_t>& own : epochs) {
    CHECK(std::ranges::is_sorted(own));
    for (const uint64_t epoch : own) counters.insert(epoch >> 16);
  }
  CHECK(counters.size() == kNodes * kEach);
  CHECK(*counters.rbegin() == kNodes * kEach);
}

TEST_CASE_FIXTURE(Fixture, "an epoch that was entered is remembered and never goes down") {
  activate(7);
  must(registry.enter_epoch(7, 900));
  CHECK(member(7).epoch == std::max<uint64_t>(900, uint64_t{1} << 16 | 7));
  const uint64_t high = uint64_t{50} << 16;
  must(registry.enter_epoch(7, high));
  must(registry.enter_epoch(7, high - 1));
  CHECK(member(7).epoch == high);
}

TEST_CASE_FIXTURE(Fixture, "only an active member may enter an epoch") {
  CHECK_FALSE(registry.enter_epoch(7, 1));
  must(registry.enroll(7, "a"));
  CHECK(contains(complaint(registry.enter_epoch(7, 1)), "inactive"));
  const uint64_t epoch = must(registry.begin_epoch(7, 0)).epoch;
  must(registry.enter_epoch(7, epoch));
  must(registry.deactivate(7, epoch, {}));
  CHECK(contains(complaint(registry.enter_epoch(7, epoch)), "begin an epoch of its own"));
  must(registry.retire(7, {}));
  CHECK_FALSE(registry.enter_epoch(7, epoch));
  CHECK(member(7).epoch == epoch);
}

// ---- Items of a node that has sold alone

TEST_CASE_FIXTURE(Fixture, "what a node brings is told to epochs that have its counters") {
  const Supply seat{"seat", 5, 0}, ticket{"ticket", 100, 20};
  must(registry.add_items({&seat, 1}));
  const uint64_t before = activate(1);
  CHECK(must(registry.bring_items(2, "b", {&ticket, 1})) == std::vector<Supply>{ticket});
  CHECK(member(2) == Member{.node = 2,
                            .uuid = "b",
                            .state = MemberState::active,
                            .epoch = 0,
                            .counted_from = Member::kNotYet});
  CHECK(must(registry.supplies()) == std::vector<Supply>{seat, ticket});
  CHECK(must(registry.supplies_in(before)) == std::vector<Supply>{seat});
  // The next waits for the node, and has its units.
  const EpochPlan plan = must(registry.begin_epoch(1, 0));
  CHECK(plan.members == std::vector<uint32_t>{1, 2});
  CHECK(plan.supplies == std::vector<Supply>{seat, ticket});
  CHECK(must(registry.supplies_in(plan.epoch)) == std::vector<Supply>{seat});
  must(registry.enter_epoch(2, plan.epoch));
  CHECK(member(2).counted_from == plan.epoch);
  CHECK(must(registry.supplies_in(plan.epoch)) == std::vector<Supply>{seat, ticket});
  CHECK(must(registry.supplies_in(before)) == std::vector<Supply>{seat});
  must(registry.enter_epoch(2, must(registry.begin_epoch(1, 0)).epoch));
  CHECK(member(2).counted_from == plan.epoch);
}

TEST_CASE_FIXTURE(Fixture, "an epoch that was begun before a node brought items is not entered") {
  const Supply ticket{"ticket", 100, 0};
  must(registry.add_items({&ticket, 1}));  // its own: the counters are what is new
  activate(1);
  const uint64_t early = must(registry.begin_epoch(1, 0)).epoch;
  must(registry.bring_items(2, "b", {&ticket, 1}));
  CHECK_FALSE(must(registry.may_enter(1, early)));
  const uint64_t late = must(registry.begin_epoch(1, 0)).epoch;
  must(registry.bring_items(2, "b", {&ticket, 1}));  // started again: nothing is new
  CHECK(must(registry.may_enter(1, late)));
  CHECK(must(registry.supplies_in(early)) == std::vector<Supply>{ticket});
}

TEST_CASE_FIXTURE(Fixture, "a member that was counted brings items as such") {
  const uint64_t epoch = activate(2);
  const Supply ticket{"ticket", 100, 0};
  must(registry.bring_items(2, "uuid2", {&ticket, 1}));
  CHECK(member(2).counted_from == 0);
  CHECK(must(registry.supplies_in(epoch)) == std::vector<Supply>{ticket});
  // One that has only said its name was not.
  must(registry.enroll(3, "c"));
  must(registry.bring_items(3, "c", {}));
  CHECK(member(3).state == MemberState::active);
  CHECK(member(3).counted_from == Member::kNotYet);
}

TEST_CASE_FIXTURE(Fixture, "a node that may not be a member brings nothing") {
  const Supply ticket{"ticket", 100, 0};
  must(registry.enroll(2, "b"));
  CHECK_FALSE(registry.bring_items(2, "another", {&ticket, 1}));
  must(registry.retire(2, {}));
  CHECK_FALSE(registry.bring_items(2, "b", {&ticket, 1}));
  CHECK(must(registry.supplies()).empty());
}

TEST_CASE_FIXTURE(Fixture, "a member that no epoch counts is taken out by its log alone") {
  const Supply ticket{"ticket", 100, 0};
  const uint64_t before = activate(1);
  must(registry.bring_items(2, "b", {&ticket, 1}));
  CHECK(contains(complaint(registry.deactivate(2, before, {})), "sold alone"));
  const FrozenCount counts[] = {count(2, "2.1.0", 60, 0)};
  must(registry.deactivate(2, kCountsOfLog, counts));
  CHECK(must(registry.supplies_in(before)).empty());
  const EpochPlan plan = must(registry.begin_epoch(1, 0));
  CHECK(plan.frozen == std::vector<FrozenCount>{counts[0]});
  CHECK(plan.supplies == std::vector<Supply>{ticket});
  CHECK(must(registry.supplies_in(plan.epoch)) == std::vector<Supply>{ticket});
  // It comes back, and the epoch that never had its counters cannot tell them either.
  must(registry.begin_epoch(2, 0));
  CHECK_FALSE(registry.deactivate(2, before, {}));
}

TEST_CASE_FIXTURE(Fixture, "what a member is presumed to hold has what it brought") {
  const Supply ticket{"ticket", 100, 0};
  const uint64_t before = activate(1);
  must(registry.bring_items(2, "b", {&ticket, 1}));
  const EpochPlan plan = must(registry.begin_epoch(1, 0));
  const FrozenCount most[] = {count(2, "2.0.0", 100, 0)};
  must(registry.presume(2, plan.epoch, most));
  CHECK(must(registry.supplies_in(before)).empty());
  CHECK(must(registry.begin_epoch(1, 0)).supplies == std::vector<Supply>{ticket});
}

TEST_CASE_FIXTURE(Fixture, "more units of what a node brings wait like those that it brought") {
  const Supply ticket{"ticket", 100, 0};
  const uint64_t before = activate(1);
  must(registry.bring_items(2, "b", {&ticket, 1}));
  CHECK_FALSE(must(registry.restock("r1", "ticket", 5, before)).is_in_force);
  const uint64_t epoch = must(registry.begin_epoch(2, 0)).epoch;
  must(registry.enter_epoch(2, epoch));
  CHECK_FALSE(must(registry.restock("r1", "ticket", 5, before)).is_in_force);
  CHECK(must(registry.restock("r1", "ticket", 5, epoch)).is_in_force);
  CHECK(must(registry.restock("r2", "ticket", 5, epoch)).is_in_force);
}

// ---- Restock

TEST_CASE_FIXTURE(Fixture, "an epoch whose plan is out of date is entered by nobody new") {
  activate(1);
  activate(2);
  must(registry.add_items(std::vector{Supply{.item = "ticket", .supplied = 10}}));
  const uint64_t epoch = must(registry.begin_epoch(1, 0)).epoch;
  must(registry.enter_epoch(1, epoch));
  must(registry.restock("r1", "ticket", 5, kSomeEpoch));
  must(registry.enter_epoch(1, epoch));  // again, as after a restart
  CHECK(must(registry.may_enter(1, epoch)));
  CHECK_FALSE(must(registry.may_enter(2, epoch)));
  CHECK(contains(complaint(registry.enter_epoch(2, epoch)), "another must begin"));
  const EpochPlan plan = must(registry.begin_epoch(2, epoch));
  CHECK(plan.supplies.at(0).supplied == 15);
  must(registry.enter_epoch(2, plan.epoch));
  must(registry.deactivate(1, plan.epoch, {}));
  must(registry.retire(1, {}));
  CHECK(!registry.enter_epoch(1, plan.epoch));
  CHECK(
      contains(complaint(registry.enter_epoch(2, must(registry.begin_epoch(2, 0)).epoch)), "none"));
}

TEST_CASE_FIXTURE(Fixture, "units taken off sale in an epoch that is over are not withdrawn") {
  const uint64_t epoch = activate(1);
  must(registry.add_items(std::vector{Supply{.item = "ticket", .supplied = 10}}));
  must(registry.enter_epoch(1, must(registry.begin_epoch(1, 0)).epoch));
  CHECK(contains(complaint(registry.restock("w1", "ticket", -1, epoch)), "repeat it"));
  CHECK_FALSE(must(registry.find_restock("w1")).has_value());
  CHECK(must(registry.restock("w1", "ticket", -1, member(1).epoch)).supply.withdrawn == 1);
}

TEST_CASE_FIXTURE(Fixture, "units that come are supplied and units that go are withdrawn") {
  const Supply item[] = {{"ticket", 100, 0}};
  must(registry.add_items(item));
  Restocked done = must(registry.restock("r1", "ticket", 20, kSomeEpoch));
  CHECK(done.is_applied);
  CHECK(done.supply == Supply{"ticket", 120, 0});
  done = must(registry.restock("r2", "ticket", -70, kSomeEpoch));
  CHECK(done.is_applied);
  CHECK(done.supply == Supply{"ticket", 120, 70});
  CHECK(must(registry.supplies()) == std::vector<Supply>{{"ticket", 120, 70}});
}

TEST_CASE_FIXTURE(Fixture, "a restock is applied once and told as it stands ever after") {
  const Supply item[] = {{"ticket", 100, 0}};
  must(registry.add_items(item));
  CHECK_FALSE(must(registry.find_restock("r1")).has_value());
  must(registry.restock("r1", "ticket", 20, kSomeEpoch));
  must(registry.restock("r2", "ticket", 5, kSomeEpoch));
  for (const Restocked& again : {must(registry.restock("r1", "ticket", 20, kSomeEpoch)),
                                 *must(registry.find_restock("r1"))}) {
    CHECK_FALSE(again.is_applied);
    CHECK(again.supply == Supply{"ticket", 125, 0});
  }
}

TEST_CASE_FIXTURE(Fixture, "an op id for something else is refused and nothing changes") {
  const Supply items[] = {{"ticket", 100, 0}, {"seat", 100, 0}};
  must(registry.add_items(items));
  must(registry.restock("r1", "ticket", 20, kSomeEpoch));
  CHECK(contains(complaint(registry.restock("r1", "ticket", 21, kSomeEpoch)),
                 "for ticket and 20 units"));
  CHECK_FALSE(registry.restock("r1", "seat", 20, kSomeEpoch));
  CHECK(must(registry.supplies()) == std::vector<Supply>{{"seat", 100, 0}, {"ticket", 120, 0}});
}

TEST_CASE_FIXTURE(Fixture, "a restock that cannot be is refused and its op id stays free") {
  const Supply item[] = {{"ticket", 100, 90}};
  must(registry.add_items(item));
  CHECK(contains(complaint(registry.restock("r1", "ticket", -11, kSomeEpoch)), "only 10 units"));
  CHECK(contains(complaint(registry.restock("r1", "nothing", 1, kSomeEpoch)), "no item nothing"));
  for (const int64_t delta : {int64_t{0}, INT64_MIN, INT64_MAX})
    CHECK_FALSE(registry.restock("r1", "ticket", delta, kSomeEpoch));
  CHECK(must(registry.restock("r1", "ticket", -10, kSomeEpoch)).is_applied);
}

TEST_CASE_FIXTURE(Fixture, "restocks at once lose none and a repeated one counts once") {
  const Supply item[] = {{"ticket", 0, 0}};
  must(registry.add_items(item));
  constexpr int kNodes = 6, kEach = 20;
  std::atomic<int> applied{0};
  at_once(kNodes, [&](Registry& own, int node) {
    for (int i = 0; i < kEach; ++i) {
      must(own.restock("own" + std::to_string(node) + "." + std::to_string(i), "ticket", 3,
                       kSomeEpoch));
      applied +=
          must(own.restock("shared" + std::to_string(i), "ticket", 1000, kSomeEpoch)).is_applied;
    }
  });
  CHECK(applied == kEach);
  CHECK(must(registry.supplies())[0].supplied == kNodes * kEach * 3 + kEach * 1000);
}

// ---- Deactivation

TEST_CASE_FIXTURE(Fixture, "a deactivated member leaves its counters and its epoch") {
  const uint64_t epoch = activate(2);
  const FrozenCount gone[] = {count(2, "2.0", 9, 4)};
  must(registry.deactivate(2, epoch, gone));
  CHECK(member(2) ==
        Member{.node = 2, .uuid = "uuid2", .state = MemberState::inactive, .epoch = epoch});
  CHECK(must(registry.frozen()) == std::vector<FrozenCount>{gone[0]});
}

TEST_CASE_FIXTURE(Fixture, "a member that has entered a later epoch is not deactivated") {
  const uint64_t epoch = activate(2);
  must(registry.enter_epoch(2, epoch + 1));
  const FrozenCount old[] = {count(2, "2.0", 9, 4)};
  CHECK(contains(complaint(registry.deactivate(2, epoch, old)), "read them again"));
  CHECK(member(2).state == MemberState::active);
  CHECK(must(registry.frozen()).empty());
  must(registry.deactivate(2, epoch + 1, old));
}

TEST_CASE_FIXTURE(
    Fixture, "what a member is presumed to hold is taken while the epoch's plan is as it was") {
  const Supply ticket{.item = "ticket", .supplied = 100};
  must(registry.add_items({&ticket, 1}));
  const uint64_t epoch = activate(2);
  const FrozenCount most[] = {count(2, "2.0.0", 9, 0)};
  must(registry.restock("op", "ticket", 5, epoch));
  CHECK(contains(complaint(registry.presume(2, epoch, most)), "ledger rebuild"));
  CHECK(member(2).state == MemberState::active);
  must(registry.presume(2, activate(1), most));
  CHECK(member(2).state == MemberState::inactive);
  CHECK(must(registry.frozen()) == std::vector<FrozenCount>{most[0]});
}

TEST_CASE_FIXTURE(Fixture, "what a member is presumed to hold has every item in it") {
  const Supply ticket{.item = "ticket", .supplied = 100}, seat{.item = "seat", .supplied = 40};
  must(registry.add_items({&ticket, 1}));
  const uint64_t epoch = activate(2);
  const FrozenCount most[] = {count(2, "2.0.0", 9, 0)};
  must(registry.add_items({&seat, 1}));
  CHECK(contains(complaint(registry.presume(2, epoch, most)), "ledger rebuild"));
  CHECK(member(2).state == MemberState::active);
  CHECK(must(registry.may_enter(2, epoch)));  // it is in the epoch already
  const uint64_t next = activate(1);
  must(registry.add_items({&seat, 1}));  // a known one changes no plan
  must(registry.presume(2, next, most));
  CHECK(member(2).state == MemberState::inactive);
}

TEST_CASE_FIXTURE(Fixture, "only an active member is deactivated") {
  CHECK_FALSE(registry.deactivate(2, 1, {}));
  must(registry.enroll(2, "b"));
  CHECK(contains(complaint(registry.deactivate(2, 1, {})), "inactive, not active"));
  const uint64_t epoch = must(registry.begin_epoch(2, 0)).epoch;
  const FrozenCount first[] = {count(2, "2.0", 9, 4)}, second[] = {count(2, "2.0", 1, 1)};
  must(registry.deactivate(2, epoch, first));
  CHECK_FALSE(registry.deactivate(2, epoch, second));
  CHECK(must(registry.frozen()) == std::vector<FrozenCount>{first[0]});
}

TEST_CASE_FIXTURE(Fixture, "counters that cannot be are refused and nothing changes") {
  const uint64_t epoch = activate(2);
  const FrozenCount foreign[] = {count(2, "2.0", 9, 4), count(3, "3.0", 1, 0)};
  const FrozenCount more_back[] = {count(2, "2.0", 4, 9)};
  const FrozenCount huge[] = {count(2, "2.0", UINT64_MAX, 0)};
  for (std::span<const FrozenCount> counts :
       {std::span<const FrozenCount>(foreign), std::span<const FrozenCount>(more_back),
        std::span<const FrozenCount>(huge)})
    CHECK_FALSE(registry.deactivate(2, epoch, counts));
  CHECK(member(2).state == MemberState::active);
  CHECK(must(registry.frozen()).empty());
}

TEST_CASE_FIXTURE(Fixture, "a deactivation and a return at once leave one of the two whole") {
  for (int round = 0; round < 20; ++round) {
    CAPTURE(round);
    activate(2);
    const uint64_t epoch = member(2).epoch;
    const FrozenCount gone[] = {count(2, "2.0", 9, 4)};
    at_once(2, [&](Registry& own, int i) {
      if (i == 0) {
        const Status ignored = own.deactivate(2, epoch, gone);
      } else {
        must(own.begin_epoch(2, 0));
      }
    });
    const bool is_active = member(2).state == MemberState::active;
    CHECK(must(registry.frozen()).size() == (is_active ? 0 : 1));
  }
}

// ---- Retirement

TEST_CASE_FIXTURE(Fixture, "final counters replace the frozen ones and may be replaced again") {
  const uint64_t epoch = activate(2);
  const FrozenCount frozen[] = {count(2, "2.0", 9, 4), count(2, "2.1", 5, 0)};
  const FrozenCount last[] = {count(2, "2.0", 9, 6)}, corrected[] = {count(2, "2.0", 9, 7)};
  must(registry.deactivate(2, epoch, frozen));
  must(registry.retire(2, last));
  CHECK(member(2).state == MemberState::retired);
  CHECK(must(registry.frozen()) == std::vector<FrozenCount>{last[0]});
  must(registry.retire(2, corrected));
  CHECK(must(registry.frozen()) == std::vector<FrozenCount>{corrected[0]});
  activate(3);
  CHECK(must(registry.begin_epoch(3, 0)).frozen == std::vector<FrozenCount>{corrected[0]});
}

TEST_CASE_FIXTURE(Fixture, "an active member is not retired") {
  activate(2);
  CHECK(contains(complaint(registry.retire(2, {})), "deactivate it first"));
  CHECK(member(2).state == MemberState::active);
  CHECK_FALSE(registry.retire(9, {}));
}

TEST_CASE_FIXTURE(Fixture, "a retired member never comes back") {
  must(registry.enroll(2, "b"));
  must(registry.retire(2, {}));
  CHECK(contains(complaint(registry.enroll(2, "b")), "was retired"));
  CHECK_FALSE(registry.enroll(2, "new"));
  CHECK_FALSE(registry.deactivate(2, 1, {}));
  CHECK(member(2).state == MemberState::retired);
}
