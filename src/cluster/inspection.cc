#include "cluster/inspection.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <set>
#include <thread>

#include "base/words.h"
#include "stream_key.h"

namespace stampede::cluster {
namespace {

constexpr size_t kItemsPerPage = 200;
constexpr size_t kItemsPerCall = 500;
// A node that runs gives a sign every 200 ms; one that waits for its database gives none for a while.
constexpr std::chrono::milliseconds kSignsPause{250};
constexpr int kSignsLooksMax = 12;
constexpr uint32_t kNoNode = UINT32_MAX;  // of a counter that carries no stream's name

using Words = std::vector<std::string>;

// An Error with the script's status, unless that is OK.
Status expect_ok(const Result<RedisValue>& answer, const std::string& what) {
  if (!answer) return answer.error();
  const std::string& status = answer->values[0].text;
  if (status == "OK") return Ok{};
  return Error{what + ": Redis answered " + status};
}

// Words of a script for each item, dealt out to the groups and sent some at a time.
class ItemLines {
 public:
  explicit ItemLines(ScriptCaller& client) : client_(client), groups_(client.group_count()) {}

  void add(std::string_view item, Words line) {
    groups_[group_of(item, client_.group_count())].push_back(std::move(line));
  }
  Status send(Script script, const Words& head, const std::string& what) const {
    for (uint32_t group = 0; group < groups_.size(); ++group)
      for (size_t first = 0; first < groups_[group].size(); first += kItemsPerCall) {
        Words words = head;
        const size_t end = std::min(groups_[group].size(), first + kItemsPerCall);
        for (size_t i = first; i < end; ++i)
          words.insert(words.end(), groups_[group][i].begin(), groups_[group][i].end());
        if (Status status = expect_ok(client_.call(group, script, words), what); !status)
          return status;
      }
    return Ok{};
  }

 private:
  ScriptCaller& client_;
  std::vector<std::vector<Words>> groups_;
};

bool strip(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

StreamCounters& stream_named(ItemCounters& item, std::string_view name) {
  for (StreamCounters& stream : item.streams)
    if (stream.stream == name) return stream;
  const std::optional<StreamKey> key = parse_stream_name(name);
  return item.streams.emplace_back(
      StreamCounters{.node = key ? key->node : kNoNode, .stream = std::string(name)});
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

std::string text_of(const ItemCounters& item) {
  return item.item + ": total " + grouped(item.total()) + " = free " + grouped(item.free()) +
         " + leased " + grouped(item.unsold) + " + reserved or sold " +
         grouped(item.held - item.withdrawn - item.unsold);
}

namespace {

Result<EpochView> look_at_group(ScriptCaller& client, uint32_t group) {
  EpochView view;
  // Node −1 is none: the answer about a node is not needed.
  Result<RedisValue> answer = client.call(group, Script::check, {"-1"});
  if (!answer) return answer.error();
  const std::vector<RedisValue>& values = answer->values;
  if (values[0].text == "REPLICA") return Error{"this Redis is a replica: name the master"};
  if (values[0].text == "GONE") return view;
  view.epoch = static_cast<uint64_t>(values[1].integer);
  if (values[0].text == "ROLLED") {
    view.state = EpochView::State::rolled;
    view.members = parse_nodes(values[2].text);
    return view;
  }
  view.state = values[2].text == "O" ? EpochView::State::open : EpochView::State::recovering;
  view.members = parse_nodes(values[3].text);
  const auto groups = static_cast<uint32_t>(values.at(4).integer);
  if (groups != client.group_count()) return Error{other_groups(groups)};
  Result<RedisValue> missing = client.call(group, Script::missing, {std::to_string(view.epoch)});
  if (!missing) return missing.error();
  view.joined = view.members;
  for (size_t i = 1; i < missing->values.size() && missing->values[0].text == "OK"; ++i)
    std::erase(view.joined, static_cast<uint32_t>(missing->values[i].integer));
  return view;
}

}  // namespace

std::string other_groups(uint32_t groups) {
  return "the node that began this ledger's epoch deals items out to " + counted(groups, "group") +
         ", and this program does not: run the same version and name the ledger alike on "
         "every node; when that has changed for all of them: stampede ledger rebuild";
}

Result<EpochView> look_at_epoch(ScriptCaller& client) {
  Result<EpochView> whole = look_at_group(client, 0);
  for (uint32_t group = 1; whole && group < client.group_count(); ++group) {
    Result<EpochView> view = look_at_group(client, group);
    if (!view) return view;
    // An epoch that not all groups are in yet is being built.
    const auto state = view->epoch == whole->epoch
                           ? view->state
                           : std::min(view->state, EpochView::State::recovering);
    if (view->epoch > whole->epoch) {
      whole->epoch = view->epoch;
      whole->members = view->members;
      whole->state = std::min(whole->state, EpochView::State::recovering);
    }
    whole->state = std::min(whole->state, state);
    std::erase_if(whole->joined, [&](uint32_t node) {
      return std::find(view->joined.begin(), view->joined.end(), node) == view->joined.end();
    });
  }
  return whole;
}

namespace {

// By group and member: how many signs it has given there.
using Signs = std::map<std::pair<uint32_t, uint32_t>, int64_t>;

Result<Signs> read_signs(ScriptCaller& client, uint64_t epoch) {
  Signs signs;
  for (uint32_t group = 0; group < client.group_count(); ++group) {
    Result<RedisValue> answer = client.call(group, Script::alive, {std::to_string(epoch)});
    if (!answer) return answer.error();
    // A group that is not in the epoch has no answer about its members.
    for (size_t i = 1; i + 1 < answer->values.size() && answer->values[0].text == "OK"; i += 2)
      signs[{group, static_cast<uint32_t>(answer->values[i].integer)}] =
          answer->values[i + 1].integer;
  }
  return signs;
}

SignsOfLife compare(const Signs& before, const Signs& after) {
  std::set<uint32_t> members, running;
  for (const auto& [key, count] : after) {
    members.insert(key.second);
    if (const auto earlier = before.find(key); earlier != before.end() && earlier->second != count)
      running.insert(key.second);
  }
  SignsOfLife signs;
  for (const uint32_t member : members)
    (running.contains(member) ? signs.running : signs.silent).push_back(member);
  return signs;
}

}  // namespace

Result<SignsOfLife> watch_members(ScriptCaller& client, uint64_t epoch) {
  const Result<Signs> before = read_signs(client, epoch);
  if (!before) return before.error();
  for (int look = 1;; ++look) {
    std::this_thread::sleep_for(kSignsPause);
    const Result<Signs> after = read_signs(client, epoch);
    if (!after) return after.error();
    SignsOfLife signs = compare(*before, *after);
    if (signs.silent.empty() || look == kSignsLooksMax) return signs;
  }
}

namespace {

// One group's; `state` R: also while the epoch is recovering.
Result<std::vector<ItemCounters>> read_group(ScriptCaller& client, uint32_t group, uint64_t epoch,
                                             const char* state) {
  std::vector<ItemCounters> items;
  std::string cursor = "0";
  do {
    Result<RedisValue> page = client.call(
        group, Script::read, {std::to_string(epoch), cursor, std::to_string(kItemsPerPage), state});
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

}  // namespace

Result<std::vector<ItemCounters>> read_items(ScriptCaller& client, uint64_t epoch) {
  std::vector<ItemCounters> items;
  for (uint32_t group = 0; group < client.group_count(); ++group) {
    Result<std::vector<ItemCounters>> some = read_group(client, group, epoch, "O");
    if (!some) return some;
    items.insert(items.end(), some->begin(), some->end());
  }
  std::sort(items.begin(), items.end(),
            [](const ItemCounters& a, const ItemCounters& b) { return a.item < b.item; });
  return items;
}

Result<std::vector<FrozenCount>> presume(ScriptCaller& client, uint64_t epoch, uint32_t node) {
  const std::string name = std::to_string(node);
  std::vector<FrozenCount> counts;
  for (uint32_t group = 0; group < client.group_count(); ++group) {
    Result<RedisValue> answer = client.call(group, Script::presume, {std::to_string(epoch), name});
    if (!answer) return answer.error();
    const std::string& status = answer->values[0].text;
    if (status == "MISSING")
      return Error{"the epoch waits for node " + answer->values.at(1).text +
                   " too: two missing nodes cannot be told apart; start it first"};
    if (status != "OK" && status != "JOINED")
      return Error{"presuming the units of node " + name + ": Redis answered " + status +
                   ": try again"};
    Result<std::vector<ItemCounters>> items = read_group(client, group, epoch, "R");
    if (!items) return items.error();
    if (status == "JOINED") {
      const std::vector<FrozenCount> known = counts_of(*items, node);
      counts.insert(counts.end(), known.begin(), known.end());
      continue;
    }
    // No data directory has a generation 0, so no stream has this name.
    for (const ItemCounters& item : *items)
      if (item.free() > 0)
        counts.push_back({.node = node,
                          .stream = stream_name({node, 0, 0}),
                          .item = item.item,
                          .accepted = static_cast<Units>(item.free()),
                          .returned = 0});
  }
  return counts;
}

Status fence(ScriptCaller& client, uint64_t epoch, uint32_t node) {
  for (uint32_t group = 0; group < client.group_count(); ++group)
    if (Status status = expect_ok(
            client.call(group, Script::fence, {std::to_string(epoch), std::to_string(node)}),
            "fencing node " + std::to_string(node));
        !status)
      return status;
  return Ok{};
}

Status write_final_counts(ScriptCaller& client, uint64_t epoch, uint32_t node,
                          const std::vector<FrozenCount>& counts) {
  ItemLines lines(client);
  for (const FrozenCount& count : counts)
    lines.add(count.item, {count.item, count.stream, std::to_string(count.accepted),
                           std::to_string(count.returned)});
  return lines.send(Script::settle, {std::to_string(epoch), std::to_string(node)},
                    "writing the final counters of node " + std::to_string(node));
}

Result<bool> is_in_use(Registry& registry, uint64_t epoch) {
  const Result<std::vector<Member>> members = registry.members();
  if (!members) return members.error();
  return std::any_of(members->begin(), members->end(), [&](const Member& member) {
    return member.state == MemberState::active && member.epoch == epoch;
  });
}

Status supply(ScriptCaller& client, uint64_t epoch, const std::vector<Supply>& supplies) {
  ItemLines lines(client);
  for (const Supply& supply : supplies)
    lines.add(supply.item, {supply.item, std::to_string(supply.supplied)});
  return lines.send(Script::supply, {std::to_string(epoch)}, "supplying the items");
}

Status finish_epoch(ScriptCaller& client) {
  Result<RedisValue> answer = client.call(0, Script::finish, {});
  if (!answer) return answer.error();
  // There is no epoch, or one that is over: the nodes are about to begin the next.
  const std::string& status = answer->values[0].text;
  if (status == "OK" || status == "GONE" || status == "ROLLED") return Ok{};
  return Error{"this Redis is a replica: name the master"};
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

}  // namespace stampede::cluster
