// libpq as owned values: a connection whose every call ends in time, and the rows of an answer.
//
// libpq's own calls wait for ever when a server is stopped or a network is cut without a word, and a
// drainer that hangs cannot even be stopped. So statements are sent without blocking and their
// answers awaited with a deadline on the socket. Three guards stand one behind the other, so that the
// most exact complaint comes first: lock_timeout and statement_timeout in the server, which leave the
// connection usable; then our deadline, and the kernel's tcp_user_timeout with it, which drop it. The
// server watches us likewise (keepalives, idle_in_transaction_session_timeout): the
// session of a vanished client would keep its locks against our next one.
//
// These settings are made anew in every transaction (SET LOCAL, in one message with BEGIN): behind a pooler of transactions
// such as pgbouncer a setting of the session would stay with the pool's connection and befall another program. For the same
// reason a statement outside of a Transaction runs in one of its own.
//
// A transaction is a value too: it rolls back unless commit() was called. A commit whose
// answer was lost is `unknown`, never guessed.
//
// One thread at a time.
#pragma once

#include <libpq-fe.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bounds.h"
#include "postgres/parameters.h"

namespace stampede::postgres {

// Which server will do, unless the URL says otherwise (target_session_attrs).
enum class Server : uint8_t {
  writable,  // of several hosts one that takes writes
  primary,   // none that is a standby, which may lag: for a look by which something is decided
  any,
};

struct Options {
  Server server = Server::writable;
  int connect_s = bounds::postgres_connect_s;  // for each host
  int64_t statement_ms = bounds::postgres_statement_ms;
  int64_t silence_ms = bounds::postgres_silence_ms;  // beyond it we give the connection up
  // How long a transaction of ours may wait for us; 0: for ever.
  int64_t idle_ms = bounds::postgres_statement_ms;
  const char* settings = "";  // more of them: "; SET LOCAL name=value …"
};

// An error when the text is not a URL that libpq understands. Connects to nothing.
Status check_url(const std::string& url);

// The URL as it may be shown: without any password in it.
[[nodiscard]] std::string without_password(std::string_view url);

// The answer to one statement. Texts are views into it.
class Rows {
 public:
  explicit Rows(PGresult* result) : result_(result) {}

  size_t size() const { return static_cast<size_t>(PQntuples(result_.get())); }
  bool is_null(size_t row, int column) const;
  std::string_view text(size_t row, int column) const;  // empty for NULL
  int64_t integer(size_t row, int column) const;        // 0 for NULL
  uint64_t affected() const;                            // rows inserted, updated, deleted
  std::string_view command() const { return PQcmdStatus(result_.get()); }

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

// Why the last statement failed.
struct Failure {
  std::string sqlstate;  // five characters; empty: the server did not say, the connection broke
  std::string message;   // one line, without the name of the database
};

class Connection {
 public:
  // Blocks for connect_s for each host at most.
  static Result<Connection> open(const std::string& url, const Options& options = {});

  // Runs one statement; $1, $2 … are `parameters`. Without a Transaction it is committed when this returns.
  Result<Rows> execute(const char* sql, const Parameters& parameters = {});
  // The same, but its answer, and that to its commit, are waited for so long at most; then the connection is broken.
  Result<Rows> execute_within(int64_t patience_ms, const char* sql, const Parameters& parameters);
  // The same for a statement that may stand in no transaction, such as CREATE INDEX CONCURRENTLY: without our settings, which
  // hold for a transaction each.
  Result<Rows> execute_alone(const char* sql);

  [[nodiscard]] const Failure& failure() const { return failure_; }
  // Every further statement fails: open another connection.
  [[nodiscard]] bool is_broken() const { return handle_ == nullptr; }
  // The URL without its password, for messages.
  [[nodiscard]] const std::string& name() const { return name_; }

 private:
  struct Finish {
    void operator()(PGconn* handle) const { PQfinish(handle); }
  };

  friend class Transaction;
  Connection(std::string name, PGconn* handle, const Options& options);

  // `begin`, and our settings behind it, in one message.
  Result<Rows> begin(const char* begin);
  Result<Rows> send(const char* sql, const Parameters& parameters);
  Result<Rows> take_answer();
  bool await_answer(int64_t deadline_ns);
  Error break_off(std::string message);
  Error fail(const PGresult* result);

  std::string name_;
  std::string settings_;                    // of each transaction
  std::unique_ptr<PGconn, Finish> handle_;  // null: broken
  int64_t patience_ms_;                     // for one answer
  Failure failure_;
};

// Rolls back at the end of its life, unless commit() was called. The connection must outlive it.
class Transaction {
 public:
  enum class Mode : uint8_t { write, read };  // read: one consistent state
  static Result<Transaction> begin(Connection& connection, Mode mode = Mode::write);
  Transaction(Transaction&& other) noexcept : connection_(std::exchange(other.connection_, {})) {}
  ~Transaction();

  enum class End : uint8_t { committed, rolled_back, unknown };
  // Unless committed, the connection's failure() says why.
  End commit();

 private:
  explicit Transaction(Connection& connection) : connection_(&connection) {}
  Connection* connection_;  // null: over, or moved away
};

}  // namespace stampede::postgres
