// SQLite's C interface as owned values: a connection and its prepared statements, nothing more.
//
// One thread at a time. Return codes are SQLite's extended ones; `code & 0xff` is the primary one.
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace stampede::drain {

// Bound texts are not copied: they must live until the step that follows.
class SqliteStatement {
 public:
  SqliteStatement() = default;
  explicit SqliteStatement(sqlite3_stmt* statement) : statement_(statement) {}

  // Parameters ?1, ?2 … in order: integers, texts, or std::nullopt for NULL.
  template <typename... Values>
  SqliteStatement& bind(const Values&... values) {
    int index = 0;
    (bind_one(++index, values), ...);
    return *this;
  }

  // Runs a statement to its end or its first row: SQLITE_DONE, SQLITE_ROW or an error. Ready to be
  // bound again afterwards.
  int run();

  // The next row: SQLITE_ROW, SQLITE_DONE or an error.
  int next() { return sqlite3_step(statement_.get()); }

  int64_t integer(int column) const { return sqlite3_column_int64(statement_.get(), column); }
  std::string text(int column) const;  // empty for NULL
  bool is_null(int column) const {
    return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
  }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };

  void bind_one(int index, int64_t value) { sqlite3_bind_int64(statement_.get(), index, value); }
  void bind_one(int index, std::string_view text) {
    sqlite3_bind_text(statement_.get(), index, text.data(), static_cast<int>(text.size()),
                      SQLITE_STATIC);
  }
  void bind_one(int index, std::nullopt_t) { sqlite3_bind_null(statement_.get(), index); }
  void bind_one(int index, const std::optional<std::string_view>& text) {
    text ? bind_one(index, *text) : bind_one(index, std::nullopt);
  }

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

class SqliteConnection {
 public:
  // `flags` as for sqlite3_open_v2; with SQLITE_OPEN_URI the path is made one. A locked database is waited for `busy_ms` in each call. Anything but a file in the place of
  // the database or of a file beside it is an Error that is damage: a FIFO would be waited for.
  static Result<SqliteConnection> open(const std::string& path, int flags, int busy_ms);

  // One or more statements whose rows do not matter: SQLITE_OK or the error of the first that
  // failed.
  int execute(const char* sql) { return sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr); }

  // Kept for the life of the connection; must be destroyed before it.
  Result<SqliteStatement> prepare(const char* sql);

  // SQLite's message about the last call that failed.
  [[nodiscard]] std::string message() const { return sqlite3_errmsg(handle()); }
  [[nodiscard]] Error error() const { return Error{path_ + ": " + message()}; }

  bool is_in_transaction() const { return sqlite3_get_autocommit(handle()) == 0; }
  sqlite3* handle() const { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
  };

  SqliteConnection(std::string path, sqlite3* handle) : path_(std::move(path)), handle_(handle) {}

  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
};

// Whether what is there of a database can be files of one; see SqliteConnection::open().
[[nodiscard]] Status check_database_files(const std::string& path);

}  // namespace stampede::drain
