// What a start has found: the evidence, and the line that the operator reads if it decides.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "node/ending.h"
#include "node/start.h"

namespace stampede::node {

struct Findings {
  Evidence evidence;
  std::map<Reason, std::string> lines;
  std::vector<std::string> lost;  // of a loss that is accepted

  // The first line of a reason stays: the streams are looked at in their order.
  void say(Reason reason, std::string line) { lines.try_emplace(reason, std::move(line)); }

  // Of a refusal.
  [[nodiscard]] Ending ending_of(const Verdict& verdict) const {
    const auto line = lines.find(verdict.reason);
    CHECK(line != lines.end());
    return ending(verdict.exit_code, line->second);
  }
};

}  // namespace stampede::node
