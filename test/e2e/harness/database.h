// What a report would read: the SQLite database that the drainer fills, opened read-only beside the
// running server.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

struct sqlite3;

namespace stampede::e2e {

class Database {
 public:
  explicit Database(const std::string& path, bool is_writable = false);
  ~Database();
  Database(const Database&) = delete;

  // A statement that fails is a failed check; its rows are then those read so far. NULL reads as
  // "NULL".
  std::vector<std::vector<std::string>> rows(const std::string& sql);
  std::string text(const std::string& sql);  // first column of the first row; "" if there is none
  int64_t number(const std::string& sql);    // the same as a number; 0 if there is none
  bool execute(const std::string& sql);

 private:
  sqlite3* db_ = nullptr;
};

}  // namespace stampede::e2e
