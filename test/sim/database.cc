#include "database.h"

namespace stampede::sim {

class Database::FailingSink final : public drain::Sink {
 public:
  explicit FailingSink(Database& database)
      : database_(database), real_(drain::make_sink(database.url())) {}

  Result<std::vector<drain::StreamPosition>> positions() override {
    if (database_.is_away_) return database_.away();
    return real_->positions();
  }
  Status confirm(uint32_t node, drain::Patience patience) override {
    if (database_.is_away_) return database_.away();
    return real_->confirm(node, patience);
  }
  Result<std::vector<drain::KnownOrder>> outermost_orders(uint32_t node,
                                                          size_t count_max) override {
    if (database_.is_away_) return database_.away();
    return real_->outermost_orders(node, count_max);
  }
  drain::Written write(const drain::Batch& batch, int64_t now_ms,
                       const drain::MayGoOn& may_go_on) override {
    if (database_.is_away_)
      return {.outcome = drain::Outcome::retry, .cause = "the database does not answer"};
    if (!database_.random_.chance(database_.unknown_chance_))
      return real_->write(batch, now_ms, may_go_on);
    // The answer is lost; whether the commit was made is for the next look at the positions to find.
    const bool is_made = database_.random_.chance(0.5);
    drain::Written written = is_made ? real_->write(batch, now_ms, may_go_on) : drain::Written{};
    written.outcome = drain::Outcome::unknown;
    written.cause = "the answer to the commit was lost";
    return written;
  }

 private:
  Database& database_;
  std::unique_ptr<drain::Sink> real_;
};

std::unique_ptr<drain::Sink> Database::make_sink() {
  return std::make_unique<FailingSink>(*this);
}

Result<std::vector<drain::StreamPosition>> Database::look_at_positions() {
  if (is_away_) return away();
  return drain::look_at_positions(url());
}

Result<std::vector<drain::KnownOrder>> Database::look_at_outermost_orders(uint32_t node,
                                                                          size_t count_max) {
  if (is_away_) return away();
  return drain::look_at_outermost_orders(url(), node, count_max);
}

Result<OrderId> Database::look_at_newest_order(uint32_t node) {
  if (is_away_) return away();
  return drain::look_at_newest_order(url(), node);
}

Result<std::unique_ptr<drain::DatabaseReader>> Database::open_reader() {
  if (is_away_) return away();
  return drain::open_database_reader(url());
}

}  // namespace stampede::sim
