// A database that fails: the real SQLite behind a Sink and readers that may be away, lose the answer of a commit, or see it
// not done. One file for a simulation; it outlives every node.
#pragma once

#include <memory>
#include <string>

#include "drain/database.h"
#include "random.h"

namespace stampede::sim {

class Database {
 public:
  Database(std::string path, Random random) : path_(std::move(path)), random_(random) {}

  // ---- the scheduler's
  void set_away(bool is_away) { is_away_ = is_away; }
  void set_unknown_chance(double chance) { unknown_chance_ = chance; }

  // ---- a machine's
  std::unique_ptr<drain::Sink> make_sink();
  Result<std::vector<drain::StreamPosition>> look_at_positions();
  Result<std::vector<drain::KnownOrder>> look_at_outermost_orders(uint32_t node, size_t count_max);
  Result<OrderId> look_at_newest_order(uint32_t node);

  // ---- the checkers'
  Result<std::unique_ptr<drain::DatabaseReader>> open_reader();

 private:
  class FailingSink;

  Error away() const { return Error{"the database does not answer"}; }
  drain::DatabaseUrl url() const {
    return {.kind = drain::DatabaseUrl::Kind::sqlite, .path = path_, .url = ""};
  }

  std::string path_;
  Random random_;
  bool is_away_ = false;
  double unknown_chance_ = 0;
};

}  // namespace stampede::sim
