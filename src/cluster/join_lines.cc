#include "cluster/join_lines.h"

#include <map>

#include "base/check.h"
#include "ledger/messages.h"

namespace stampede::cluster {
namespace {

struct Item {
  Units supplied = 0;
  uint32_t stream_count = 0;
  Words streams;

  void add(const std::string& stream, Units accepted, Units returned, Units pool) {
    ++stream_count;
    streams.insert(streams.end(), {stream, std::to_string(accepted), std::to_string(returned),
                                   std::to_string(pool)});
  }
  Words line(const std::string& code) const {
    Words words{code, std::to_string(supplied), std::to_string(stream_count)};
    words.insert(words.end(), streams.begin(), streams.end());
    return words;
  }
};

}  // namespace

std::vector<JoinLines> lines_of_plan(const EpochPlan& plan, uint32_t group_count) {
  std::map<std::string, Item> items;
  for (const Supply& supply : plan.supplies) {
    CHECK(supply.withdrawn <= supply.supplied);
    Item& item = items[supply.item];
    item.supplied = supply.supplied;
    if (supply.withdrawn > 0) item.add("withdrawn", supply.withdrawn, 0, 0);
  }
  for (const FrozenCount& count : plan.frozen) {
    CHECK(count.returned <= count.accepted);
    items[count.item].add(count.stream, count.accepted, count.returned, 0);
  }
  std::vector<JoinLines> lines(group_count);
  for (const auto& [code, item] : items)
    lines[group_of(code, group_count)].push_back(item.line(code));
  return lines;
}

void add_lines_of_stream(const std::string& stream, const Promise& promise,
                         std::vector<JoinLines>& lines) {
  const auto group_count = static_cast<uint32_t>(lines.size());
  for (const StreamLine& counted : promise.lines) {
    CHECK(counted.returned <= counted.accepted);
    CHECK(counted.pool <= counted.accepted - counted.returned);
    Item item;
    item.add(stream, counted.accepted, counted.returned, counted.pool);
    lines[group_of(counted.item, group_count)].push_back(item.line(counted.item));
  }
}

}  // namespace stampede::cluster
