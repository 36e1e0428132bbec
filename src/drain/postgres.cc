#include "drain/postgres.h"

#include <span>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "drain/postgres_queries.h"
#include "drain/postgres_tables.h"
#include "drain/stored_rows.h"
#include "postgres/schema.h"

namespace stampede::drain {
namespace {

using postgres::Connection;
using postgres::Failure;
using postgres::Transaction;

// The updates find their orders by key one by one: with a hash join a planner whose statistics are
// old could read the whole table for each batch.
constexpr char kPlanByKey[] = "; SET LOCAL enable_hashjoin=off; SET LOCAL enable_mergejoin=off";

// An answer about a row, not about the database's own state: this row will be refused again, the others
// need not be. By classes of SQLSTATE (PostgreSQL, appendix A): a CASE without a match, cardinality, data, constraints,
// triggers and functions, check options, limits of a row, PL/pgSQL's RAISE; and the classes that the
// SQL standard leaves to a RAISE with a code of its own, behind PostgreSQL's own.
bool is_refusal(const Failure& failure) {
  if (failure.sqlstate.size() != 5) return false;
  const std::string_view code = std::string_view(failure.sqlstate).substr(0, 2);
  for (std::string_view refusal :
       {"20", "21", "22", "23", "27", "2F", "38", "39", "44", "54", "P0"})
    if (code == refusal) return true;
  return (code[0] >= '6' && code[0] <= '9') || (code[0] >= 'I' && code != "XX" && code[0] != 'P');
}

// A policy that lets in some rows only, or a statement of a trigger that fails for some: or for all. When others were taken, it is
// the row's fault.
bool is_doubtful(const Failure& failure) {
  return failure.sqlstate.starts_with("42");
}

// So many doubtful rows, and none of their kind taken yet: it is not the rows' fault.
constexpr size_t kDoubtfulMax = 64;

constexpr char kStatementTimeout[] = "57014";

// One attempt to write a batch: at once, or, when a row of it was refused, by halves.
class Attempt {
 public:
  enum class Manner : uint8_t { at_once, by_halves };

  Attempt(Connection& connection, const Batch& batch, int64_t now_ms, const MayGoOn& may_go_on,
          Manner manner)
      : connection_(connection),
        batch_(batch),
        now_ms_(now_ms),
        may_go_on_(may_go_on),
        manner_(manner) {}

  Written run() {
    Result<Transaction> transaction = Transaction::begin(connection_);
    if (!transaction) return failed();
    if (std::optional<Written> ending = move_position()) return *ending;
    if (!write_all()) return failed();
    switch (transaction->commit()) {
      case Transaction::End::committed:
        return {.rejected = rejected_};
      case Transaction::End::rolled_back:  // a deferred constraint
        is_refused_ = may_be_a_rows(connection_.failure());
        return failed();
      case Transaction::End::unknown:
        return {.outcome = Outcome::unknown, .rejected = rejected_, .cause = cause()};
    }
    return failed();
  }

  // A row was refused, so that nothing was written.
  bool is_refused() const { return is_refused_; }

 private:
  // First: the loser of a race, and a node that is no more, have written nothing yet.
  std::optional<Written> move_position() {
    const Result<bool> retired = is_retired(connection_, batch_.stream().node);
    if (!retired) return failed();
    if (*retired)
      return Written{.outcome = Outcome::fenced,
                     .cause = connection_.name() + ": node " +
                              std::to_string(batch_.stream().node) +
                              " was retired, so nothing of its order log is taken any more"};
    const Result<bool> moved = drain::move_position(connection_, batch_, now_ms_);
    if (!moved) return failed();
    if (!*moved)
      return Written{.outcome = Outcome::conflict,
                     .cause = connection_.name() + ": another drainer has moved the position"};
    return std::nullopt;
  }

  bool write_all() {
    // A constraint that waits for the commit could not name its row.
    if (manner_ == Manner::by_halves && !execute("SET CONSTRAINTS ALL IMMEDIATE")) return false;
    return write(std::span(batch_.orders())) && write(std::span(batch_.changes())) &&
           write(std::span(batch_.payments())) &&
           delete_rejects(connection_, batch_.settled_rejects());
  }

  template <typename Row>
  bool write(std::span<const Row> rows) {
    if (rows.empty()) return true;
    if (manner_ == Manner::by_halves) {
      Halves<Row> halves;
      return write_by_halves(rows, halves) && settle(halves);
    }
    const Result<uint64_t> taken = write_rows(connection_, rows, batch_.is_rebuild());
    is_refused_ = taken ? *taken != rows.size() : may_be_a_rows(connection_.failure());
    return taken && !is_refused_;
  }

  static bool may_be_a_rows(const Failure& failure) {
    return is_refusal(failure) || is_doubtful(failure);
  }

  template <typename Row>
  struct Halves {
    bool has_taken = false;
    std::vector<std::pair<const Row*, std::string>> doubtful;  // each with the reason
  };

  template <typename Row>
  bool write_by_halves(std::span<const Row> rows, Halves<Row>& halves) {
    if (may_go_on_ && !may_go_on_()) return give_up("stopped while refused rows were looked for");
    if (!execute("SAVEPOINT part")) return false;
    const Result<uint64_t> taken = write_rows(connection_, rows, batch_.is_rebuild());
    if (taken && *taken == rows.size()) {
      halves.has_taken = true;
      return execute("RELEASE SAVEPOINT part");
    }
    const Failure failure = connection_.failure();
    if (!taken && !may_be_a_rows(failure)) return false;
    if (!execute("ROLLBACK TO SAVEPOINT part") || !execute("RELEASE SAVEPOINT part")) return false;
    if (rows.size() == 1) {
      if (taken) return reject(rows[0], not_taken(rows[0]));
      if (is_refusal(failure)) return reject(rows[0], failure.message);
      halves.doubtful.emplace_back(&rows[0], failure.message);
      return halves.has_taken || halves.doubtful.size() < kDoubtfulMax || give_up(failure.message);
    }
    const size_t half = rows.size() / 2;
    return write_by_halves(rows.first(half), halves) && write_by_halves(rows.subspan(half), halves);
  }

  template <typename Row>
  bool settle(const Halves<Row>& halves) {
    if (halves.doubtful.empty()) return true;
    if (!halves.has_taken) return give_up(halves.doubtful.front().second);
    for (const auto& [row, reason] : halves.doubtful)
      if (!reject(*row, reason)) return false;
    return true;
  }

  bool give_up(const std::string& why) {
    why_given_up_ = why;
    return false;
  }

  std::string not_taken(const OrderChange& change) {
    const Result<bool> found = has_order(connection_, change.order);
    return found && *found ? kSkipped : "there is no such order in orders";
  }
  template <typename Row>
  static std::string not_taken(const Row&) {
    return kSkipped;
  }

  template <typename Row>
  bool reject(const Row& row, const std::string& reason) {
    ++rejected_;
    // Nothing that a text column would refuse in its turn.
    const std::string record = printable_ascii(describe(row));
    return static_cast<bool>(write_reject(connection_, {.stream = batch_.stream(),
                                                        .lsn = row.lsn,
                                                        .order = row.order,
                                                        .reason = reason,
                                                        .record = record,
                                                        .now_ms = now_ms_}));
  }

  bool execute(const char* sql) { return static_cast<bool>(connection_.execute(sql)); }
  Written failed() const {
    return {.outcome = Outcome::retry,
            .is_too_long = connection_.failure().sqlstate == kStatementTimeout,
            .cause = cause()};
  }
  std::string cause() const {
    return connection_.name() + ": " +
           (why_given_up_.empty() ? connection_.failure().message : why_given_up_);
  }

  static constexpr char kSkipped[] = "a trigger skipped the row";

  Connection& connection_;
  const Batch& batch_;
  int64_t now_ms_;
  const MayGoOn& may_go_on_;
  Manner manner_;
  uint32_t rejected_ = 0;
  bool is_refused_ = false;
  std::string why_given_up_;
};

}  // namespace

PostgresSink::PostgresSink(std::string url, const postgres::Options& options)
    : url_(std::move(url)), options_(options) {
  options_.settings = kPlanByKey;
}

Status PostgresSink::connect() {
  Result<Connection> connection = Connection::open(url_, options_);
  if (!connection) return connection.error();
  if (Status schema = postgres::ensure_schema(*connection); !schema) return schema;
  connection_.emplace(std::move(*connection));
  return Ok{};
}

Result<std::vector<StreamPosition>> PostgresSink::positions() {
  if (!connection_)
    if (Status status = connect(); !status) return status.error();
  Result<std::vector<StreamPosition>> positions = read_positions(PostgresQueries(*connection_));
  if (!positions) connection_.reset();
  return positions;
}

// A lock is written to the WAL, behind all that was committed before, so its commit waits for the standbys that theirs waited
// for. It is exclusive: behind one that still waits the next one is refused in time, instead of taking a session of its own.
Status PostgresSink::confirm(uint32_t node, Patience patience) {
  if (!connection_) return Error{postgres::without_password(url_) + ": not connected"};
  postgres::Parameters key;
  key.add(node);
  const auto locked = connection_->execute_within(
      patience == Patience::brief ? kBriefPatienceMs : INT64_MAX,
      "SELECT FROM drain_position WHERE node=$1 ORDER BY generation, shard FOR NO KEY UPDATE", key);
  if (locked) return Ok{};
  connection_.reset();
  return locked.error();
}

Result<std::vector<KnownOrder>> PostgresSink::outermost_orders(uint32_t node, size_t count_max) {
  if (!connection_) return Error{postgres::without_password(url_) + ": not connected"};
  Result<std::vector<KnownOrder>> orders =
      read_outermost_orders(PostgresQueries(*connection_), node, count_max);
  if (!orders) connection_.reset();
  return orders;
}

Written PostgresSink::write(const Batch& batch, int64_t now_ms, const MayGoOn& may_go_on) {
  if (!connection_)
    return {.outcome = Outcome::retry,
            .cause = postgres::without_password(url_) + ": not connected"};
  Attempt attempt(*connection_, batch, now_ms, may_go_on, Attempt::Manner::at_once);
  Written written = attempt.run();
  if (attempt.is_refused() && !connection_->is_broken())
    written = Attempt(*connection_, batch, now_ms, may_go_on, Attempt::Manner::by_halves).run();
  if (written.outcome == Outcome::retry || written.outcome == Outcome::unknown) connection_.reset();
  return written;
}

}  // namespace stampede::drain
