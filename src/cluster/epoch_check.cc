#include "cluster/epoch_check.h"

namespace stampede::cluster {
namespace {

constexpr size_t kValuesOfOk = 8;

Error nonsense() {
  return {"Redis answered the check with something else"};
}

}  // namespace

Result<EpochCheck> parse_check(const RedisValue& answer) {
  const std::vector<RedisValue>& values = answer.values;
  EpochCheck check{.status = values[0].text};
  if (check.status == "REPLICA") return Error{"the Redis in use is no master any more"};
  if (check.status == "GONE") return check;
  if (values.size() < 2 || values[1].integer < 0) return nonsense();
  check.epoch = static_cast<uint64_t>(values[1].integer);
  if (check.status == "ROLLED") {
    if (values.size() > 2) check.members = values[2].text;
    return check;
  }
  if (check.status != "OK" || values.size() != kValuesOfOk) return nonsense();
  check.state = values[2].text;
  check.members = values[3].text;
  check.groups = static_cast<uint32_t>(values[4].integer);
  check.layout = values[5].text;
  check.boot = values[6].text;
  check.is_filled = values[7].integer == 1;
  return check;
}

EpochCheck check_of_begun(uint64_t epoch, const std::string& members, uint32_t groups) {
  return {.status = "OK", .state = "R", .members = members, .epoch = epoch, .groups = groups};
}

}  // namespace stampede::cluster
