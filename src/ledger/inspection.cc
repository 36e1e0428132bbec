#include "ledger/inspection.h"

#include <algorithm>
#include <cstdlib>

namespace stampede::ledger {
namespace {

constexpr size_t kItemsPerPage = 200;
constexpr size_t kCountsPerCall = 500;

// The script's status, unless it is the one that was hoped for.
Status expect_ok(const Result<RedisValue>& answer, const std::string& what) {
  if (!answer) return answer.error();
  const std::string& status = answer->values[0].text;
  if (status == "OK") return Ok{};
  return Error{what + ": Redis says " + status};
}

bool strip(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

StreamCounters& stream_named(ItemCounters& item, std::string_view name) {
  for (StreamCounters& stream : item.streams)
    if (stream.stream == name) return stream;
  const std::string text(name);
  const auto node = static_cast<uint32_t>(std::strtoul(text.c_str(), nullptr, 10));
  return item.streams.emplace_back(StreamCounters{.node = node, .stream = text});
}

ItemCounters counters_of(const std::string& item, const RedisValue& hash) {
  ItemCounters counters{.item = item};
  for (size_t i = 0; i + 1 < hash.values.size(); i += 2) {
    std::string_view name = hash.values[i].text;
    const int64_t value = hash.values[i + 1].integer;
    if (name == "T")
      counters.supplied = value;
    else if (name == "h")
      counters.held = value;
    else if (name == "p")
      counters.unsold = value;
    else if (name == "a:withdrawn")
      counters.withdrawn = value;
    else if (name == "r:withdrawn" || name == "p:withdrawn" || name.starts_with("w:"))
      continue;
    else if (strip(name, "a:"))
      stream_named(counters, name).granted = value;
    else if (strip(name, "r:"))
      stream_named(counters, name).returned = value;
    else if (strip(name, "p:"))
      stream_named(counters, name).unsold = value;
  }
  return counters;
}

}  // namespace

std::string_view name_of(EpochView::State state) {
  constexpr std::string_view kNames[] = {"gone", "rolled", "recovering", "open"};
  return kNames[static_cast<unsigned>(state)];
}

std::vector<uint32_t> parse_nodes(const std::string& list) {
  std::vector<uint32_t> nodes;
  for (const char* at = list.c_str(); *at >= '0' && *at <= '9';) {
    char* end = nullptr;
    nodes.push_back(static_cast<uint32_t>(std::strtoul(at, &end, 10)));
    at = *end == ',' ? end + 1 : end;
  }
  return nodes;
}

std::string text_of(const std::vector<uint32_t>& nodes) {
  std::string text;
  for (const uint32_t node : nodes) text += (text.empty() ? "" : ",") + std::to_string(node);
  return text;
}

Result<EpochView> look_at_epoch(RedisClient& client) {
  EpochView view;
  // Who asks does not matter: of no node.
  Result<RedisValue> answer = client.call(Script::check, {"-1"});
  if (!answer) return answer.error();
  const std::vector<RedisValue>& values = answer->values;
  if (values[0].text == "REPLICA") return Error{"this Redis is a replica: name the master"};
  if (values[0].text == "GONE") return view;
  view.state = values[0].text == "ROLLED" ? EpochView::State::rolled
               : values[2].text == "O"    ? EpochView::State::open
                                          : EpochView::State::recovering;
  view.epoch = static_cast<uint64_t>(values[1].integer);
  view.members = parse_nodes(values[view.state == EpochView::State::rolled ? 2 : 3].text);
  for (const uint32_t node : view.members) {
    Result<RedisValue> joined =
        client.command({"HEXISTS", std::string(kKeyPrefix) + "m", "J:" + std::to_string(node)});
    if (!joined) return joined.error();
    if (joined->integer == 1) view.joined.push_back(node);
  }
  return view;
}

Result<std::vector<ItemCounters>> read_items(RedisClient& client, uint64_t epoch) {
  std::vector<ItemCounters> items;
  std::string cursor = "0";
  do {
    Result<RedisValue> page =
        client.call(Script::read, {std::to_string(epoch), cursor, std::to_string(kItemsPerPage)});
    if (Status status = expect_ok(page, "reading the items"); !status) return status.error();
    cursor = page->values.at(1).text;
    for (size_t i = 2; i + 1 < page->values.size(); i += 2)
      items.push_back(counters_of(page->values[i].text, page->values[i + 1]));
  } while (cursor != "0");
  // A cursor may bring an item twice.
  const auto by_code = [](const ItemCounters& a, const ItemCounters& b) { return a.item < b.item; };
  const auto is_same = [](const ItemCounters& a, const ItemCounters& b) {
    return a.item == b.item;
  };
  std::sort(items.begin(), items.end(), by_code);
  items.erase(std::unique(items.begin(), items.end(), is_same), items.end());
  return items;
}

Status fence(RedisClient& client, uint64_t epoch, uint32_t node) {
  return expect_ok(client.call(Script::fence, {std::to_string(epoch), std::to_string(node)}),
                   "fencing node " + std::to_string(node));
}

Status settle(RedisClient& client, uint64_t epoch, uint32_t node,
              const std::vector<FrozenCount>& counts) {
  for (size_t first = 0; first < counts.size(); first += kCountsPerCall) {
    std::vector<std::string> words = {std::to_string(epoch), std::to_string(node)};
    for (size_t i = first; i < std::min(counts.size(), first + kCountsPerCall); ++i)
      words.insert(words.end(),
                   {counts[i].item, counts[i].stream, std::to_string(counts[i].accepted),
                    std::to_string(counts[i].returned)});
    if (Status status =
            expect_ok(client.call(Script::settle, words), "settling node " + std::to_string(node));
        !status)
      return status;
  }
  return Ok{};
}

std::vector<FrozenCount> counts_of(const std::vector<ItemCounters>& items, uint32_t node) {
  std::vector<FrozenCount> counts;
  for (const ItemCounters& item : items)
    for (const StreamCounters& stream : item.streams)
      if (stream.node == node)
        counts.push_back({.node = node,
                          .stream = stream.stream,
                          .item = item.item,
                          .accepted = static_cast<Units>(stream.granted),
                          .returned = static_cast<Units>(stream.returned)});
  return counts;
}

}  // namespace stampede::ledger
