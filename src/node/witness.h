// The database as a witness: what it has seen of a node's streams, read before a start decides and without a write.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "drain/database.h"
#include "node/data.h"
#include "node/drain_streams.h"
#include "node/findings.h"

namespace stampede::node {

class DatabaseWitness {
 public:
  // Asks once. With `none` there is no witness, and while a database is away there is none either: the drainer compares
  // it with the log when it answers, and the process ends when they contradict (Node::release_segments()).
  DatabaseWitness(Machine& machine, const drain::DatabaseUrl& url);

  // By stream: a record that the database has seen was durable, so recovery may not cut it.
  [[nodiscard]] std::vector<std::vector<orderlog::Witness>> of_streams(const Data& data) const;

  // Holds the restored streams against the positions.
  void compare(const Data& data, Findings& findings) const;

 private:
  void compare_streams(const Data& data, Findings& findings) const;
  void compare_orders(const DrainStreams& streams, const drain::Ancestry& ancestry,
                      const std::string& how_far, Findings& findings) const;
  [[nodiscard]] std::optional<orderlog::Position> position_of(const StreamKey& stream) const;

  Machine& machine_;
  drain::DatabaseUrl url_;
  DatabaseState state_ = DatabaseState::none;  // none, away, no file, or own until it is compared
  std::string problem_;                        // away, no file: why
  std::vector<drain::StreamPosition> positions_;
};

}  // namespace stampede::node
