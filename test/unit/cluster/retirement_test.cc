#include "cluster/retirement.h"

#include "registry_rig.h"

namespace stampede::cluster {
namespace {

constexpr uint64_t kOpen = 7;

Member active(uint32_t node, uint64_t counted_from = 1) {
  return {.node = node, .state = MemberState::active, .epoch = 1, .counted_from = counted_from};
}

TEST_SUITE("cluster/retirement") {
  TEST_CASE("a new epoch may begin when all that it would wait for run") {
    const SignsOfLife signs{.running = {0, 2}};
    CHECK(check_all_run(signs, kOpen, {}));
    const std::vector<Member> members{active(0),
                                      {.node = 1, .state = MemberState::inactive},
                                      active(2),
                                      {.node = 3, .state = MemberState::retired}};
    CHECK(check_all_run(signs, kOpen, members));
  }

  TEST_CASE("a member that gives no sign of life is named") {
    const SignsOfLife signs{.running = {0}, .silent = {1}};
    const std::string complained = complaint(check_all_run(signs, kOpen, {}));
    CHECK(contains(complained, "no sign of life from node 1"));
    CHECK(contains(complained, "deactivate"));
    const std::vector<Member> members{active(0), active(1), active(2)};  // 2: fenced, and no more
    CHECK(contains(complaint(check_all_run(signs, kOpen, members)), "from node 1,2"));
  }

  TEST_CASE("a node that has sold alone and has not joined yet is named with its remedy") {
    const SignsOfLife signs{.running = {0}};
    for (const uint64_t counted_from : {kOpen + 1, Member::kNotYet}) {
      const std::vector<Member> members{active(0), active(1, counted_from)};
      const std::string complained = complaint(check_all_run(signs, kOpen, members));
      CHECK(contains(complained, "node 1 has sold alone and has not joined yet"));
      CHECK(contains(complained, "--data DIR"));
    }
  }
}

}  // namespace
}  // namespace stampede::cluster
