// What the tests of registries that nodes share have in common. The tests themselves are in registry_contract.h.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "cluster/registry.h"

#include <doctest/doctest.h>  // last: its CHECK is the one that tests mean

namespace stampede::cluster {

constexpr uint64_t kSomeEpoch = uint64_t{1} << 40;  // above all that a test begins

template <typename Value>
Value must(Result<Value> result) {
  REQUIRE_MESSAGE(result, (result ? "" : result.error().message));
  return std::move(*result);
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

template <typename Value>
std::string complaint(const Result<Value>& result) {
  return result ? "none" : result.error().message;
}

inline FrozenCount count(uint32_t node, const std::string& stream, Units accepted, Units returned) {
  return {
      .node = node, .stream = stream, .item = "ticket", .accepted = accepted, .returned = returned};
}

class RegistryRig {
 public:
  explicit RegistryRig(std::unique_ptr<Registry> of_test)
      : of_test_(std::move(of_test)), registry(*of_test_) {}

  // A member that takes part.
  uint64_t activate(uint32_t node) {
    must(registry.enroll(node, "uuid" + std::to_string(node)));
    const EpochPlan plan = must(registry.begin_epoch(node, 0));
    must(registry.enter_epoch(node, plan.epoch));
    return plan.epoch;
  }
  Member member(uint32_t node) {
    const std::vector<Member> members = must(registry.members());
    const auto found = std::ranges::find(members, node, &Member::node);
    REQUIRE(found != members.end());
    return *found;
  }

 private:
  std::unique_ptr<Registry> of_test_;

 public:
  Registry& registry;
};

}  // namespace stampede::cluster
