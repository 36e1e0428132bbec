#include "node/witness.h"

#include <algorithm>

#include "drain/comparison.h"
#include "drain/kinship.h"
#include "node/drain_streams.h"

namespace stampede::node {
namespace {

using drain::StartCase;

struct Meaning {
  DatabaseState state;
  Reason reason;
};

// Of a position that contradicts its log; of an outdated one its orders tell.
Meaning meaning_of(StartCase found) {
  switch (found) {
    case StartCase::ahead:
      return {DatabaseState::ahead, Reason::database_ahead};
    case StartCase::beginning:
    case StartCase::rebuild:
    case StartCase::resume:
    case StartCase::outdated:
    case StartCase::foreign:
      break;
  }
  return {DatabaseState::foreign, Reason::database_foreign};
}

drain::Lineage lineage_of(const orderlog::Manifest& manifest) {
  return {.node = manifest.node,
          .generation = manifest.generation,
          .shard_count = manifest.shard_count,
          .ended = manifest.ended};
}

// The streams may differ; what an operator cannot accept decides.
bool is_worse(DatabaseState state, DatabaseState than) {
  if (than == DatabaseState::own) return true;
  return state == DatabaseState::outdated;
}

}  // namespace

DatabaseWitness::DatabaseWitness(Machine& machine, const drain::DatabaseUrl& url)
    : machine_(machine), url_(url) {
  if (url.kind == drain::DatabaseUrl::Kind::none) return;
  Result<std::vector<drain::StreamPosition>> positions = machine.look_at_positions(url);
  state_ = positions                     ? DatabaseState::own
           : positions.error().is_damage ? DatabaseState::no_file
                                         : DatabaseState::away;
  if (positions)
    positions_ = std::move(*positions);
  else
    problem_ = positions.error().message;
}

std::optional<orderlog::Position> DatabaseWitness::position_of(const StreamKey& stream) const {
  const auto found = std::ranges::find(positions_, stream, &drain::StreamPosition::stream);
  return found == positions_.end() ? std::nullopt : std::optional(found->position);
}

std::vector<std::vector<orderlog::Witness>> DatabaseWitness::of_streams(const Data& data) const {
  std::vector<std::vector<orderlog::Witness>> witnesses(data.stream_count());
  for (uint32_t i = 0; i < data.stream_count(); ++i)
    if (const auto position = position_of(data.key(i)))
      witnesses[i].push_back({.name = "database", .lsn = position->next_lsn - 1});
  return witnesses;
}

void DatabaseWitness::compare(const Data& data, Findings& findings) const {
  const orderlog::Manifest& manifest = data.manifest();
  const std::string is_away = "the database does not answer (" + problem_ + ")";
  findings.say(Reason::loss_without_database,
               is_away + ": a loss can be accepted when it says which orders were given");
  findings.say(Reason::reshard_without_database,
               is_away +
                   ", and the number of shards cannot change before it has everything: start with "
                   "--shards " +
                   std::to_string(manifest.shard_count) + " or bring it back");
  findings.say(Reason::database_no_file, problem_);
  DatabaseState& state = findings.evidence.database;
  state = state_;
  if (state_ != DatabaseState::own) return;
  const bool is_known = std::ranges::any_of(positions_, [&](const drain::StreamPosition& position) {
    return position.stream.node == manifest.node;
  });
  if (!is_known) {
    state = DatabaseState::fresh;
    return;
  }
  const drain::Lineage lineage = lineage_of(manifest);
  if (const auto stream = drain::unexplained_stream(positions_, lineage)) {
    state = DatabaseState::newer_generation;
    findings.say(Reason::generation_newer, drain::describe_unexplained(*stream, lineage));
    return;
  }
  compare_streams(data, findings);
}

void DatabaseWitness::compare_streams(const Data& data, Findings& findings) const {
  DatabaseState& state = findings.evidence.database;
  if (findings.evidence.directory == Directory::fresh) {
    state = DatabaseState::ahead;
    findings.say(Reason::database_ahead,
                 "the database has orders of node " + std::to_string(data.manifest().node) +
                     ", and " + data.dir() +
                     " is new: give the directory that they were sold from, or another database");
    return;
  }
  const DrainStreams streams(data);
  const drain::Ancestry ancestry = drain::ancestry_of(positions_, lineage_of(data.manifest()));
  std::vector<std::string> outdated;
  const drain::ItemNames no_names;
  drain::Batch scratch(no_names);
  for (const drain::Stream& stream : streams.all()) {
    const Result<drain::Comparison> compared =
        drain::compare(stream, position_of(stream.key), ancestry, scratch);
    if (!compared || compared->contradiction.empty()) continue;  // unreadable: recovery has said so
    if (compared->start_case == StartCase::outdated) {
      outdated.push_back(compared->contradiction);
      continue;
    }
    const Meaning meaning = meaning_of(compared->start_case);
    findings.say(meaning.reason, compared->contradiction);
    if (is_worse(meaning.state, state)) state = meaning.state;
  }
  if (!outdated.empty()) compare_orders(streams, ancestry, outdated.front(), findings);
}

// The database is older than the log keeps: it can be completed if it is of this directory.
void DatabaseWitness::compare_orders(const DrainStreams& streams, const drain::Ancestry& ancestry,
                                     const std::string& how_far, Findings& findings) const {
  const uint32_t node = streams.all().front().key.node;
  Result<std::vector<drain::KnownOrder>> known =
      machine_.look_at_outermost_orders(url_, node, drain::kKinshipOrders);
  const auto present = static_cast<uint32_t>(streams.all().size());
  const uint32_t numbering = ancestry.is_whole ? present : ancestry.shard_count;
  DatabaseState found = DatabaseState::outdated;
  std::string why;
  if (!known) {
    why = "its orders cannot be read (" + known.error().message + ")";
  } else if (const Result<drain::Kinship> kinship =
                 drain::find_kinship(std::move(*known), streams.all(), numbering);
             !kinship) {
    why = kinship.error().message;
  } else {
    why = kinship->why;
    if (kinship->kin == drain::Kin::own) found = DatabaseState::older;
  }
  if (found == DatabaseState::outdated)
    findings.say(Reason::database_outdated, how_far + ": " + why);
  DatabaseState& state = findings.evidence.database;
  if (is_worse(found, state)) state = found;
}

}  // namespace stampede::node
