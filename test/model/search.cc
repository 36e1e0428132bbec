// Of each world that was seen only a 64-bit hash is kept, and the number of the world before it: about 40 bytes with
// the table, where a world has 157. Two worlds with one hash would hide one of them; among 30 million that happens in
// one run of 40,000. The worlds themselves are kept for the current and the next distance from the first world alone.
#include "search.h"

#include <xxhash.h>

#include <random>

#include "steps.h"

namespace stampede::model {
namespace {

uint64_t hash_of(const World& world) {
  uint64_t hash = XXH3_64bits(&world, sizeof world);
  return hash ? hash : 1;  // 0 marks an empty cell
}

// Hashes of worlds, numbered in the order they were seen; open addressing, at most half full.
class Seen {
 public:
  Seen() : cells_(1 << 16) {}

  // True: the hash is new, and has the next number.
  bool add(uint64_t hash, uint32_t before) {
    if (before_.size() * 2 >= cells_.size()) grow();
    size_t at = cell_of(hash);
    if (cells_[at].hash) return false;
    cells_[at] = {hash};
    hashes_.push_back(hash);
    before_.push_back(before);
    return true;
  }

  size_t size() const { return hashes_.size(); }

  // The hashes from the first world to this one.
  std::vector<uint64_t> path_to(uint32_t number) const {
    std::vector<uint64_t> path;
    for (; number != 0; number = before_[number]) path.insert(path.begin(), hashes_[number]);
    return path;
  }

 private:
  struct Cell {
    uint64_t hash;
  };

  size_t cell_of(uint64_t hash) const {
    size_t mask = cells_.size() - 1, at = hash & mask;
    while (cells_[at].hash && cells_[at].hash != hash) at = (at + 1) & mask;
    return at;
  }

  void grow() {
    std::vector<Cell> old(cells_.size() * 2);
    old.swap(cells_);
    for (Cell cell : old) {
      if (cell.hash) cells_[cell_of(cell.hash)] = cell;
    }
  }

  std::vector<Cell> cells_;
  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> before_;
};

// A reply that says nothing is left is no lie if that becomes true before the reply arrives.
void note_what_became_true(World& world) {
  Count with_customers = 0;
  for (const Node& node : world.node) with_customers += node.held + node.paid;
  for (int n = 0; n < kNodes; n++) {
    Reply& reply = world.node[n].reply;
    if (!reply.says_nothing_left || reply.was_nothing_left) continue;
    reply.was_nothing_left = with_customers >= world.registry.supplied;
    for (int i = 0; i < kInstances; i++) {
      const Instance& redis = world.redis[i];
      bool is_its_epoch = redis.is_master && redis.is_open && redis.epoch == reply.epoch;
      if (is_its_epoch && units_left(world, i) <= 0) reply.was_nothing_left = true;
    }
  }
}

// Calls visit(world, step, node, instance) for each world that is one step away.
template <class Visit>
void for_each_next(const World& world, const Rules& rules, const Visit& visit) {
  World next = world;
  for (const Step& step : all_steps()) {
    int nodes = step.subject == Step::of_instance ? 1 : kNodes;
    int instances = step.subject == Step::of_node ? 1 : kInstances;
    for (int n = 0; n < nodes; n++) {
      for (int i = 0; i < instances; i++) {
        if (!step.run(next, n, i, rules)) continue;
        note_what_became_true(next);
        forget_the_dead(next, rules);
        visit(next, step, n, i);
        next = world;
      }
    }
  }
}

const char* what_is_broken(const World& world, const Rules& rules) {
  if (const char* broken = broken_promise(world, rules)) return broken;
  return rules.has_rest ? broken_promise_at_rest(world, rules) : nullptr;
}

// Goes the way again and writes down the steps.
std::vector<std::string> trace_along(const std::vector<uint64_t>& path, const Rules& rules) {
  std::vector<std::string> trace;
  World world = first_world(rules);
  for (uint64_t hash : path) {
    bool is_found = false;
    World found = world;
    for_each_next(world, rules, [&](const World& next, const Step& step, int n, int i) {
      if (is_found || hash_of(next) != hash) return;
      is_found = true;
      found = next;
      trace.push_back(line(step, n, i));
    });
    world = found;
  }
  return trace;
}

}  // namespace

std::string Finding::text() const {
  std::string text = std::to_string(worlds) + (is_complete ? " worlds, all there are" : " worlds");
  if (!broken.empty()) text += ", then " + broken;
  for (const std::string& step : trace) text += "\n  " + step;
  return text;
}

Finding search_all(const Rules& rules, size_t worlds_max) {
  Seen seen;
  Finding finding;
  std::vector<World> now{first_world(rules)}, next;
  seen.add(hash_of(now[0]), 0);
  uint32_t number =
      0;  // of the world that is looked at; they are looked at in the order they were seen
  while (!now.empty() && finding.broken.empty() && finding.is_complete) {
    for (const World& world : now) {
      if (const char* broken = what_is_broken(world, rules)) {
        finding.broken = broken;
        finding.is_complete = false;
        finding.trace = trace_along(seen.path_to(number), rules);
        break;
      }
      finding.is_complete = seen.size() < worlds_max;
      if (!finding.is_complete) break;
      for_each_next(world, rules, [&](const World& reached, const Step&, int, int) {
        if (seen.add(hash_of(reached), number)) next.push_back(reached);
      });
      number++;
    }
    now.swap(next);
    next.clear();
  }
  finding.worlds = seen.size();
  return finding;
}

Finding search_at_random(const Rules& rules, uint64_t seed, size_t steps, int length) {
  std::mt19937_64 chance(seed);
  Finding finding;
  finding.is_complete = false;
  std::vector<std::pair<World, std::string>> choices;
  World world;
  for (int walked = length; finding.worlds < steps; finding.worlds++, walked++) {
    if (walked == length) {
      world = first_world(rules);
      finding.trace.clear();
      walked = 0;
    }
    // Reservoir of one: each next world is taken with the same chance.
    uint64_t count = 0;
    World taken = world;
    const Step* taken_step = nullptr;
    int taken_n = 0, taken_i = 0;
    for_each_next(world, rules, [&](const World& next, const Step& step, int n, int i) {
      if (chance() % ++count != 0) return;
      taken = next;
      taken_step = &step;
      taken_n = n;
      taken_i = i;
    });
    if (!taken_step) {
      walked = length - 1;
      continue;
    }
    finding.trace.push_back(line(*taken_step, taken_n, taken_i));
    world = taken;
    if (const char* broken = what_is_broken(world, rules)) {
      finding.broken = broken;
      return finding;
    }
  }
  finding.trace.clear();
  return finding;
}

}  // namespace stampede::model
